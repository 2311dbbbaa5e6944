"""OpenAPI for all routes: rows from the contracts, answers from the structs, BentoML's routes from BentoML."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from model.outcomes.labels import ALL_CLASSES
from model.record import EXPLORING
from serving import description, problem_details, tensors
from serving.models import Models
from serving.rest import guard, home, native, platforms, v1, v2
from serving.rest import schemas as own
from serving.rest.asgi import places
from serving.rest.schemas import REFERENCE
from serving.watch import VerdictSummary
from validation.errors import CallerLeft, RequestError
from validation.wire import (
    ColumnNames,
    Explanations,
    PartialExplanations,
    PartialPredictions,
    Predictions,
    ProblemDetails,
)

_PARTIAL = {
    "name": "partial",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Answer the good rows beside the errors of the others. It may stand in the body as well.",
}
_PURPOSE = {
    "name": "X-Boxwood-Purpose",
    "in": "header",
    "schema": {"enum": [EXPLORING]},
    "description": "Say that the rows are no cases, so that whoever watches the model leaves them out.",
}
_LIKE = {
    "name": "like",
    "in": "query",
    "schema": {"type": "string", "default": ""},
    "description": "What names begin with, contain or are near to; without it they are the most common ones.",
}
_CLASSES = "Which classes to explain beside the answer, * for all. They may stand in the body as well."
_HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "schema": {"type": "integer", "minimum": len(b'{"inputs":[]}')},
    "description": "How many bytes of the body are JSON, where raw tensors stand behind it; without it, all.",
}
_RETRIED = {HTTPStatus.SERVICE_UNAVAILABLE: "; send it again after `Retry-After` seconds"}
_PROBLEM = {problem_details.MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(name="ProblemDetails")}}}
_FAILED = {"500": {"description": "The service failed", "content": _PROBLEM}}
_TEXT = {"schema": {"type": "string"}}
_TRUE = {"type": "boolean", "const": True}
_PROBES = {
    "/healthz": "Whether the process runs; Kubernetes asks /livez since 1.16",
    "/livez": "Whether the process runs",
    "/readyz": "Whether all models answer their golden rows, so that requests may come",
}
_DESCRIPTION = """Predictions and explanations of LightGBM models, each with the model that gave it.

Send rows, `{"instances": [row, …]}`, to `:predict` or `:explain` of a model: the schemas below have its columns with
units, bounds and known values. A wrong row is refused with a reason for each column, as problem details (RFC 9457).
With `?partial=true` the others are answered all the same. `/v2` is the Open Inference Protocol. A model's card says
how good it is, and its `.proto` is for gRPC."""
_SECTIONS = {
    "Models": "Predict and explain rows, and read what is known of each model.",
    "Platforms": "The same answers in the protocols of KServe, Triton, SageMaker, MLflow and BentoML.",
    "Service": "Pages, metrics and probes.",
}
"""The sections of the document, in the order in which people need them."""
_STRUCTURES = (
    Predictions,
    PartialPredictions,
    Explanations,
    PartialExplanations,
    ProblemDetails,
    ColumnNames,
    home.Alive,
    v1.Names,
    v2.InferRequest,
    v2.InferAnswer,
    v2.Live,
    v2.Ready,
    v2.ModelReady,
    tensors.ServerMetadata,
    tensors.ModelMetadata,
    description.Described,
    VerdictSummary,
    platforms.Pong,
    platforms.Invocation,
)


def document(models: Models, native_document: dict[str, Any]) -> dict[str, Any]:
    """The whole document.

    Args:
        models: what is served.
        native_document: BentoML's OpenAPI document of its own routes.
    """
    _, schemas = msgspec.json.schema_components(_STRUCTURES, ref_template=REFERENCE)
    paths: dict[str, Any] = {
        "/": {"get": _get("Whether the server lives, and where things are; a page for browsers", home.Alive)},
        home.DOCS: {"get": _get("A page to read and to try every route", texts=("text/html",))},
        v1.MODELS: {"get": _get("The models, by name", v1.Names)},
        "/v2": {"get": _get("The server, as the Open Inference Protocol has it", tensors.ServerMetadata)},
        "/v2/health/live": {"get": _get("Whether the server runs", v2.Live)},
        "/v2/health/ready": {"get": _get("Whether all models answer", v2.Ready)},
        "/metrics": {"get": _get("For Prometheus", texts=("text/plain",))},
        platforms.PING: {"get": _get("Whether the default model answers", platforms.Pong)},
        platforms.INVOCATIONS: {"post": _invocations()},
    }
    paths["/"]["get"]["responses"]["200"]["content"]["text/html"] = _TEXT
    row_limit = _correct_native(native_document["paths"][native.PATH]["post"])
    for place, model in places(models):
        name = model.predictor.name
        if place != name and len(models.versions(name)) == 1:
            continue  # one version needs no second description of its paths
        schema = place.replace("/versions/", "-")
        schemas[f"Row-{schema}"] = own.row(model)
        schemas |= _instances(schema, row_limit, model.predictor.outcome.subjects) | own.answers(schema, model)
        paths |= _model_paths(place, schema, model.predictor.outcome.subjects) | _lookup_paths(
            place, model.predictor.lookups
        )
    # BentoML's own, which answer an empty line
    paths |= {path: {"get": _get(summary, texts=("text/plain",))} for path, summary in _PROBES.items()}
    described = {
        "openapi": "3.1.0",
        "info": {"title": "Boxwood", "version": native_document["info"]["version"], "description": _DESCRIPTION},
        "servers": native_document["servers"],
        "tags": [{"name": name, "description": told} for name, told in _SECTIONS.items()],
        "paths": _in_sections(_with_operation_ids({**native_document["paths"], **paths})),
        "components": {"schemas": _with_items(schemas)},
    }
    return guard.described(described, models.shared.settings, _PROBLEM)


def _with_operation_ids(paths: dict[str, Any]) -> dict[str, Any]:
    """Add an operationId, by which generated clients name their functions, and a summary to each operation."""
    for path, operations in paths.items():
        for operation in operations.values():
            operation["operationId"] = re.sub(r"\W+", "_", path).strip("_") or "root"
            operation.setdefault("summary", operation.get("description", path))
    return paths


def _in_sections(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths by section, with that as their tag; in each, what answers rows is first and lookups of names last."""
    names = list(_SECTIONS)
    for path, operations in paths.items():
        for operation in operations.values():
            operation["tags"] = [_section(path)]
    order = {
        path: (names.index(_section(path)), not path.endswith((":predict", ":explain")), "/columns/" in path)
        for path in paths
    }
    return {path: paths[path] for path in sorted(paths, key=order.__getitem__)}


def _section(path: str) -> str:
    if path.startswith(v1.MODELS):
        return "Models"
    platform = path.startswith("/v2") or path in (native.PATH, platforms.PING, platforms.INVOCATIONS)
    return "Platforms" if platform else "Service"


def _with_items(schema: Any) -> Any:
    """A schema in which every array has `items`; client generators skip operations without them."""
    if isinstance(schema, dict):
        completed = {name: _with_items(value) for name, value in schema.items()}
        return {"items": {}, **completed} if schema.get("type") == "array" else completed
    return [_with_items(value) for value in schema] if isinstance(schema, list) else schema


def _invocations() -> dict[str, Any]:
    summary = "Predict rows in one of MLflow's forms, by the default model"
    post = _post(summary, _reference("Invocation"), "Predictions", "PartialPredictions")
    return post | {"parameters": [_PARTIAL, _PURPOSE]}


def _correct_native(post: dict[str, Any]) -> str:
    """Correct BentoML's description of its own route; returns a sentence with the most rows of a request.

    The limit must not stand as `maxItems`: clients would expect 422 for more rows, and the service answers 413.
    """
    post["requestBody"]["required"] = True
    post["parameters"] = [_PURPOSE]
    post["responses"] = {"200": post["responses"][HTTPStatus.OK], **_refusals(), **_FAILED}
    rows = post["requestBody"]["content"]["application/json"]["schema"]["properties"]["rows"]
    row_limit = f"At most {rows.pop('maxItems')} rows; more get 413."
    rows["description"] = row_limit
    return row_limit


def _instances(name: str, row_limit: str, classes: Sequence[str]) -> dict[str, Any]:
    """The bodies of V1: rows by the contract, or, where a partial answer will do, rows of any kind."""
    rows = {"type": "array", "items": _reference(f"Row-{name}"), "description": row_limit}
    all_or_none = {"type": "boolean", "const": False, "default": False}
    partial = {**_TRUE, "description": "Answer the good rows beside the errors of the others."}
    return {
        f"Instances-{name}": {
            "type": "object",
            "title": f"Rows of {name}, all of which are answered or none",
            "properties": {
                "instances": rows,
                "partial": all_or_none,
                **({"classes": _named(classes)} if classes else {}),
            },
            "required": ["instances"],
        },
        "PartialInstances": {
            "type": "object",
            "title": "Rows of which some may be bad",
            "description": "`?partial=true` says the same of the other form of the body.",
            "properties": {"instances": {"type": "array", "items": {}, "description": row_limit}, "partial": partial},
            "required": ["instances", "partial"],
        },
        "RawInstances": {
            "type": "object",
            "title": "Rows as the raw table writes them: its headers, and texts that the contract parses",
            "description": "`?raw=true` says the same of the other forms of the body; there `partial` may be false.",
            "properties": {
                "instances": {"type": "array", "items": {}, "description": row_limit},
                "partial": partial,
                "parameters": {"type": "object", "properties": {"raw": _TRUE}, "required": ["raw"]},
            },
            "required": ["instances", "partial", "parameters"],
        },
    }


def _model_paths(name: str, schema: str, classes: Sequence[str]) -> dict[str, Any]:
    path = f"{v1.MODELS}/{name}"
    forms = (f"Instances-{schema}", "PartialInstances", "RawInstances")
    instances = {"anyOf": [_reference(form) for form in forms]}
    infer = _post("Predict tensors, one a column", _reference("InferRequest"), "InferAnswer")
    infer["parameters"] = [_PARTIAL, _HEADER_LENGTH, _PURPOSE]
    for message in (infer["requestBody"], infer["responses"]["200"]):
        message["content"][v2.BINARY] = {"schema": {"type": "string", "format": "binary"}}
    predict = _post("Predict rows", instances, *_answers("Predictions", schema)) | {"parameters": [_PURPOSE]}
    paths = {
        path: {"get": _get("Contract, what training saw, metrics and lineage", description.Described)},
        f"{path}/watch": {"get": _get("The last verdict on its answers; this head, and more", VerdictSummary)},
        f"{path}/card": {"get": _get("The model card", texts=("text/markdown", "text/html"))},
        f"{path}/proto": {"get": _get("The .proto of the model's own gRPC service", texts=("text/plain",))},
        f"{path}:predict": {"post": predict},
        f"{path}:explain": {"post": _explain(instances, schema, classes)},
        f"/v2/models/{name}": {"get": _get("Inputs and outputs of the model", tensors.ModelMetadata)},
        f"/v2/models/{name}/ready": {"get": _get("Whether the model answers", v2.ModelReady)},
        f"/v2/models/{name}/infer": {"post": infer},
    }
    return _of_a_model(paths)


def _answers(whole: str, schema: str) -> list[str]:
    """The schemas of whole and of partial answers of a model."""
    return [f"{whole}-{schema}", f"Partial{whole}-{schema}"]


def _named(classes: Sequence[str]) -> dict[str, Any]:
    return {"type": "array", "items": {"enum": [*classes, ALL_CLASSES]}, "default": []}


def _explain(instances: dict[str, Any], schema: str, classes: Sequence[str]) -> dict[str, Any]:
    post = _post("Explain rows", instances, *_answers("Explanations", schema))
    wanted = {"name": "classes", "in": "query", "schema": _named(classes), "description": _CLASSES}
    return {**post, "parameters": [wanted]} if classes else post


def _of_a_model(paths: dict[str, Any]) -> dict[str, Any]:
    """Add the 404 that operations answer once their model is no longer served."""
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] |= _refusals(HTTPStatus.NOT_FOUND)
    return paths


def _lookup_paths(name: str, columns: Iterable[str]) -> dict[str, Any]:
    """The paths at which names of categories are looked up."""
    paths = {}
    for column in columns:
        operation = _get(f"Names of {column} that a text may stand for", ColumnNames)
        operation["parameters"] = [_LIKE]
        paths[f"{v1.MODELS}/{name}/columns/{column}"] = {"get": operation}
    return _of_a_model(paths)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}


def _get(summary: str, answer: type | None = None, texts: Sequence[str] = ()) -> dict[str, Any]:
    """A GET operation: of a JSON document, or of a text in one of the media types `texts`."""
    documents = {} if answer is None else {"application/json": {"schema": _reference(answer.__name__)}}
    response = {"description": summary, "content": documents | dict.fromkeys(texts, _TEXT)}
    refusals = _refusals(HTTPStatus.SERVICE_UNAVAILABLE)
    return {"summary": summary, "responses": {"200": response, **refusals, **_FAILED}}


def _post(summary: str, body: dict[str, Any], *answers: str) -> dict[str, Any]:
    answer = {"anyOf": [_reference(name) for name in answers]}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "One answer a row", "content": {"application/json": {"schema": answer}}},
            **_refusals(),
            **_FAILED,
        },
    }


def _refusals(*only: HTTPStatus) -> dict[str, Any]:
    """The error responses with the statuses `only`; by default all that a request to an existing model may get."""
    late = HTTPStatus.REQUEST_TIMEOUT
    untold = {CallerLeft, *guard.REFUSALS}
    titles = {error.status: error.title for error in RequestError.__subclasses__() if error not in untold}
    titles[late] = "The request did not arrive in time"
    return {
        str(int(status)): {"description": title + _RETRIED.get(status, ""), "content": _PROBLEM}
        for status, title in sorted(titles.items())
        if (status in only if only else status is not HTTPStatus.NOT_FOUND)
    }
