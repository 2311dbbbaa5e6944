"""python make.py KSERVE.whl: writes the schemas beside it, in an environment that README.md describes."""

import ast
import importlib
import json
import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_HOME = "https://kubernetes.io/api/"
"""Below it are the definitions of `kubernetes-validate`, which ours refer to."""
_PLAIN = {"int": "integer", "str": "string", "bool": "boolean"}
_DROPPED = ("description", "title", "default", "pattern", "format")


def main(wheel: Path) -> None:
    """Write both."""
    with zipfile.ZipFile(wheel) as packed:
        spec, predictor = (
            _model(packed.read(f"kserve/models/v1beta1_{name}_spec.py").decode())
            for name in ("inference_service", "predictor")
        )
    spec["properties"]["predictor"] = predictor
    _write("inferenceservice", "serving.kserve.io/v1beta1", "InferenceService", {**spec, "required": ["predictor"]}, {})
    operator = importlib.import_module("cloudcoil.models.prometheus_operator.v1")
    monitor = _strict(operator.ServiceMonitor.model_json_schema())
    _write(
        "servicemonitor", "monitoring.coreos.com/v1", "ServiceMonitor", monitor["properties"]["spec"], monitor["$defs"]
    )


def _write(name: str, version: str, kind: str, spec: Any, defined: Mapping[str, Any]) -> None:
    metadata = {"$ref": "_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    properties = {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_HOME}{name}.json",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **({"$defs": defined} if defined else {}),
    }
    (HERE / f"{name}.json").write_text(json.dumps(schema, indent=1) + "\n")


def _model(source: str) -> dict[str, Any]:
    """The schema of a class of KServe's models, from its two tables of attributes."""
    types, names = (
        ast.literal_eval(found[1])
        for table in ("openapi_types", "attribute_map")
        if (found := re.search(rf"{table} = (\{{.*?\}})", source, re.DOTALL))
    )
    properties = {names[attribute]: _typed(kind) for attribute, kind in types.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _typed(kind: str) -> dict[str, Any]:
    if listed := re.fullmatch(r"list\[(\w+)\]", kind):
        return {"type": "array", "items": _typed(listed[1])}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if core := re.fullmatch(r"V1([A-Z]\w+)", kind):
        return {"$ref": f"_definitions.json#/$defs/io.k8s.api.core.v1.{core[1]}"}
    return {"type": "object"}


def _strict(schema: Any) -> Any:
    """A schema of pydantic's without words, whose objects take no other fields."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("anyOf"), list):  # pydantic says by a null that a field may be left out
        kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
        schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    kept = {name: part for name, part in schema.items() if name not in _DROPPED or isinstance(part, dict)}
    changed = {name: _strict(part) for name, part in kept.items()}
    if isinstance(schema.get("properties"), dict):
        changed["additionalProperties"] = False
    return changed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
