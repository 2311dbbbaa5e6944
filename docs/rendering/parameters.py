"""params.yaml: its sections from the structs that read them, with the defaults and comments of the file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from docs.rendering.docstrings import attributes, kind, summary, table
from monitoring.params import MonitorParams
from monitoring.retrain import RetrainParams
from training.data.clean import CleanParams
from training.data.source import SourceParams
from training.data.split import SplitParams
from training.distributed.params import ClusterParams
from training.evaluation.evaluate import EvaluateParams
from training.learning.params import TrainParams
from training.learning.privacy import PrivacyParams
from training.registry.promote import PromoteParams

SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "source": SourceParams,
    "clean": CleanParams,
    "split": SplitParams,
    "train": TrainParams,
    "privacy": PrivacyParams,
    "evaluate": EvaluateParams,
    "promote": PromoteParams,
    "cluster": ClusterParams,
    "monitor": MonitorParams,
    "retrain": RetrainParams,
}
"""What params.yaml has for each problem, in the order of the pipeline."""
_LINE = re.compile(r"^( *)([\w-]+):[^#]*(?:#\s*(.*))?$")
_HEAD = """# Parameters

Every number that a person may tune stands in [params.yaml](../../params.yaml): the `defaults`, and below the name of
a problem what differs from them. A changed number runs the stages again that read it. A name that is not in these
tables is refused.
"""


def page(root: Path) -> str:
    """The whole page."""
    text = (root / "params.yaml").read_text()
    comments, defaults = dict(_comments(text)), yaml.safe_load(text)["defaults"]
    parts = [
        f"## {name}\n\n{summary(struct)}\n\n{_table(struct, defaults.get(name) or {}, comments, ('defaults', name))}"
        for name, struct in SECTIONS.items()
    ]
    return "\n\n".join([_HEAD.rstrip(), *parts])


def _comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The comment behind each key, by the names that lead to the key."""
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        if found := _LINE.match(line):
            path = [*(one for one in path if one[0] < len(found[1])), (len(found[1]), found[2])]
            yield tuple(name for _, name in path), found[3] or ""


def _table(
    struct: type[msgspec.Struct],
    defaults: Mapping[str, Any],
    comments: Mapping[tuple[str, ...], str],
    at: tuple[str, ...],
) -> str:
    return table(("parameter", "values", "default", "meaning"), _rows(struct, defaults, comments, at, ""))


def _rows(
    struct: type[msgspec.Struct],
    defaults: Mapping[str, Any],
    comments: Mapping[tuple[str, ...], str],
    at: tuple[str, ...],
    prefix: str,
) -> Iterator[tuple[str, ...]]:
    """A row for each field; the fields of a struct in a struct have its name and a dot before them."""
    said = attributes(struct)
    for field in msgspec.structs.fields(struct):
        own = field.default if field.default is not msgspec.NODEFAULT else _made(field)
        default = defaults.get(field.encode_name, own)
        meaning = said.get(field.name) or comments.get((*at, field.encode_name), "")
        inner = next((part for part in (field.type, *get_args(field.type)) if _is_struct(part)), None)
        if inner is not None and not isinstance(default, list | tuple):
            known = msgspec.to_builtins(default) or {}
            yield from _rows(inner, known, comments, (*at, field.encode_name), f"{prefix}{field.encode_name}.")
        else:
            yield f"`{prefix}{field.encode_name}`", kind(field.type), _written(default), meaning


def _is_struct(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, msgspec.Struct)


def _made(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else msgspec.NODEFAULT


def _written(default: Any) -> str:
    if default is msgspec.NODEFAULT:
        return "required"
    if isinstance(default, dict | list) and len(str(default)) > 60:
        return "see the file"
    return "" if default is None else f"`{msgspec.json.encode(default).decode()}`"
