"""OpenAPI for all routes: rows from the contracts, answers from the structs that are encoded, BentoML's as it says."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from serving import description, problem_details, tensors
from serving.models import Models
from serving.rest import native, platforms, v1, v2
from serving.rest.asgi import Alive
from serving.served_model import ServedModel
from validation.contract import MOST_LISTED, Column, Kind, Unseen
from validation.errors import CallerLeft, RequestError
from validation.values import LARGEST_INTEGER, LONGEST_TEXT
from validation.wire import (
    ColumnNames,
    Explanations,
    PartialExplanations,
    PartialPredictions,
    Predictions,
    ProblemDetails,
)

_REFERENCE = "#/components/schemas/{name}"
_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.INTEGER: {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
    Kind.REAL: {"type": "number"},
    Kind.FLAG: {"type": "boolean"},
    Kind.CATEGORY: {"type": "string", "pattern": r"\S", "maxLength": LONGEST_TEXT},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
}
_PARTIAL = {
    "name": "partial",
    "in": "query",
    "schema": {"type": "boolean", "default": False},
    "description": "Answer the good rows beside the errors of the others. It may stand in the body as well.",
}
_LIKE = {
    "name": "like",
    "in": "query",
    "schema": {"type": "string", "default": ""},
    "description": "What names begin with, contain or are near to; without it they are the most common ones.",
}
_HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "schema": {"type": "integer", "minimum": len(b'{"inputs":[]}')},
    "description": "How many bytes of the body are JSON, where raw tensors stand behind it; without it, all.",
}
_RETRIED = {HTTPStatus.SERVICE_UNAVAILABLE: "; send it again after `Retry-After` seconds"}
_PROBLEM = {problem_details.MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name="ProblemDetails")}}}
_FAILED = {"500": {"description": "The service failed", "content": _PROBLEM}}
_TEXT = {"schema": {"type": "string"}}
_PROBES = {
    "/healthz": "Whether the process runs; Kubernetes asks /livez since 1.16",
    "/livez": "Whether the process runs",
    "/readyz": "Whether all models answer their golden rows, so that requests may come",
}
_DESCRIPTION = "Predictions and explanations of LightGBM models, each with the model that gave it."
_STRUCTURES = (
    Predictions,
    PartialPredictions,
    Explanations,
    PartialExplanations,
    ProblemDetails,
    ColumnNames,
    Alive,
    v1.Names,
    v2.InferRequest,
    v2.InferAnswer,
    v2.Live,
    v2.Ready,
    v2.ModelReady,
    tensors.ServerMetadata,
    tensors.ModelMetadata,
    description.Described,
    platforms.Pong,
    platforms.Invocation,
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Boxwood</title>
<link rel="stylesheet" href="./static_content/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="./static_content/swagger-ui-bundle.js"></script>
<script src="./static_content/swagger-ui-standalone-preset.js"></script>
<script src="./static_content/swagger-initializer.js"></script>
</body>
</html>
"""
"""The page at /: BentoML's own loads a tag manager from elsewhere."""


def document(models: Models, theirs: dict[str, Any]) -> dict[str, Any]:
    """The whole document.

    Args:
        models: what is served.
        theirs: what BentoML says about its own routes.
    """
    _, schemas = msgspec.json.schema_components(_STRUCTURES, ref_template=_REFERENCE)
    paths: dict[str, Any] = {
        "/": {"get": _got("Whether the server lives; a page for browsers", Alive)},
        v1.MODELS: {"get": _got("The models, by name", v1.Names)},
        "/v2": {"get": _got("The server, as the Open Inference Protocol has it", tensors.ServerMetadata)},
        "/v2/health/live": {"get": _got("Whether the server runs", v2.Live)},
        "/v2/health/ready": {"get": _got("Whether all models answer", v2.Ready)},
        "/metrics": {"get": _got("For Prometheus", texts=("text/plain",))},
        platforms.PING: {"get": _got("Whether the default model answers", platforms.Pong)},
        platforms.INVOCATIONS: {"post": _invoked()},
    }
    paths["/"]["get"]["responses"]["200"]["content"]["text/html"] = _TEXT
    most = _native(theirs["paths"][native.PATH]["post"])
    for model in models:
        name = model.predictor.name
        schemas[f"Row-{name}"] = row(model)
        schemas |= _instances(name, most)
        paths |= _paths(name) | _names(name, model.predictor.lookups)
    paths |= {path: {"get": _probe(summary)} for path, summary in _PROBES.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Boxwood", "version": theirs["info"]["version"], "description": _DESCRIPTION},
        "servers": theirs["servers"],
        "tags": theirs["tags"],
        "paths": _named({**theirs["paths"], **paths}),
        "components": {"schemas": _whole(schemas)},
    }


def _named(paths: dict[str, Any]) -> dict[str, Any]:
    """Operations with an id each, for generated clients to name their functions by, and a summary."""
    for path, operations in paths.items():
        for operation in operations.values():
            operation["operationId"] = re.sub(r"\W+", "_", path).strip("_") or "root"
            operation.setdefault("summary", operation.get("description", path))
    return paths


def _whole(schema: Any) -> Any:
    """A schema whose arrays all say what is in them, be it anything; generators drop operations with others."""
    if isinstance(schema, dict):
        whole = {name: _whole(value) for name, value in schema.items()}
        return {"items": {}, **whole} if schema.get("type") == "array" else whole
    return [_whole(value) for value in schema] if isinstance(schema, list) else schema


def row(model: ServedModel) -> dict[str, Any]:
    """What a row of a model is, as JSON Schema."""
    contract = model.predictor.contract
    vocabularies = model.predictor.model.fitted.vocabularies
    columns = (*contract.inputs, *contract.keys)
    return {
        "type": "object",
        "title": model.predictor.problem.title,
        "properties": {column.name: _value(column, vocabularies.get(column.name, ())) for column in columns},
        "required": [column.name for column in contract.inputs if not column.nullable],
        "additionalProperties": False,
        "examples": [contract.example()],
    }


def _value(column: Column, vocabulary: Iterable[str]) -> dict[str, Any]:
    schema = dict(_TYPES[column.kind])
    known = list(vocabulary)
    if known and column.when_unseen(len(known)) is Unseen.REJECT and len(known) <= MOST_LISTED:
        schema["enum"] = [*known, *([None] if column.nullable else [])]
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    bounds = {"minimum": column.ge, "maximum": column.le}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    unit = f"in {column.unit}" if column.unit else ""
    if texts := [text for text in (column.help, unit) if text]:
        schema["description"] = ", ".join(texts)
    if column.example is not None:
        schema["examples"] = [column.example]
    return schema


def _invoked() -> dict[str, Any]:
    summary = "Predict rows in one of MLflow's forms, by the default model"
    post = _asked(summary, _reference("Invocation"), "Predictions", "PartialPredictions")
    return post | {"parameters": [_PARTIAL]}


def _native(post: dict[str, Any]) -> str:
    """Mend what BentoML says about its own route; returns in words how many rows one request may have.

    Where a number stands as `maxItems`, more are invalid to who reads schemas, which is 422, and here they are 413.
    """
    post["requestBody"]["required"] = True
    post["responses"] = {"200": post["responses"][HTTPStatus.OK], **_refusals(), **_FAILED}
    rows = post["requestBody"]["content"]["application/json"]["schema"]["properties"]["rows"]
    most = f"At most {rows.pop('maxItems')} rows; more get 413."
    rows["description"] = most
    return most


def _instances(name: str, most: str) -> dict[str, Any]:
    """What V1 takes: rows as the contract has them, or, where the good ones are enough, whatever may be a row."""
    rows = {"type": "array", "items": _reference(f"Row-{name}"), "description": most}
    whole = {"type": "boolean", "const": False, "default": False}
    some = {"type": "boolean", "const": True, "description": "Answer the good rows beside the errors of the others."}
    return {
        f"Instances-{name}": {
            "type": "object",
            "title": f"Rows of {name}, all of which are answered or none",
            "properties": {"instances": rows, "partial": whole},
            "required": ["instances"],
        },
        "PartialInstances": {
            "type": "object",
            "title": "Rows of which some may be bad",
            "description": "`?partial=true` says the same of the other form of the body.",
            "properties": {"instances": {"type": "array", "items": {}, "description": most}, "partial": some},
            "required": ["instances", "partial"],
        },
    }


def _paths(name: str) -> dict[str, Any]:
    path = f"{v1.MODELS}/{name}"
    instances = {"anyOf": [_reference(f"Instances-{name}"), _reference("PartialInstances")]}
    infer = _asked("Predict tensors, one a column", _reference("InferRequest"), "InferAnswer")
    infer["parameters"] = [_PARTIAL, _HEADER_LENGTH]
    for message in (infer["requestBody"], infer["responses"]["200"]):
        message["content"][v2.BINARY] = {"schema": {"type": "string", "format": "binary"}}
    found = {
        path: {"get": _got("Contract, what training saw, metrics and lineage", description.Described)},
        f"{path}/card": {"get": _got("The model card", texts=("text/markdown", "text/html"))},
        f"{path}/proto": {"get": _got("The .proto of the model's own gRPC service", texts=("text/plain",))},
        f"{path}:predict": {"post": _asked("Predict rows", instances, "Predictions", "PartialPredictions")},
        f"{path}:explain": {"post": _asked("Explain rows", instances, "Explanations", "PartialExplanations")},
        f"/v2/models/{name}": {"get": _got("Inputs and outputs of the model", tensors.ModelMetadata)},
        f"/v2/models/{name}/ready": {"get": _got("Whether the model answers", v2.ModelReady)},
        f"/v2/models/{name}/infer": {"post": infer},
    }
    return _of_a_model(found)


def _of_a_model(paths: dict[str, Any]) -> dict[str, Any]:
    """Operations that answer 404 once their model is served no more, as clients made of this may live to see."""
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"] |= _refusals(HTTPStatus.NOT_FOUND)
    return paths


def _names(name: str, columns: Iterable[str]) -> dict[str, Any]:
    """Where the names of the categories are looked up."""
    found = {}
    for column in columns:
        got = _got(f"Names of {column} that a text may stand for", ColumnNames)
        got["parameters"] = [_LIKE]
        found[f"{v1.MODELS}/{name}/columns/{column}"] = {"get": got}
    return _of_a_model(found)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=name)}


def _got(summary: str, answer: type | None = None, texts: Sequence[str] = ()) -> dict[str, Any]:
    """A GET: of a document as JSON, or of a text in one of some forms."""
    documents = {} if answer is None else {"application/json": {"schema": _reference(answer.__name__)}}
    got = {"description": summary, "content": documents | dict.fromkeys(texts, _TEXT)}
    refused = _refusals(HTTPStatus.SERVICE_UNAVAILABLE)
    return {"summary": summary, "tags": ["Boxwood"], "responses": {"200": got, **refused, **_FAILED}}


def _probe(summary: str) -> dict[str, Any]:
    """One of BentoML's probes, which answer an empty line."""
    probe = _got(summary, texts=("text/plain",))
    return probe | {"tags": ["Infrastructure"]}


def _asked(summary: str, body: dict[str, Any], *answers: str) -> dict[str, Any]:
    answer = {"anyOf": [_reference(name) for name in answers]}
    return {
        "summary": summary,
        "tags": ["Boxwood"],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "One answer a row", "content": {"application/json": {"schema": answer}}},
            **_refusals(),
            **_FAILED,
        },
    }


def _refusals(*only: HTTPStatus) -> dict[str, Any]:
    """How a request may be refused; without `only`, in every way that one to a model that is there may be."""
    late = HTTPStatus.REQUEST_TIMEOUT
    titles = {error.status: error.title for error in RequestError.__subclasses__() if error is not CallerLeft}
    titles[late] = "The request did not arrive in time"
    return {
        str(int(status)): {"description": title + _RETRIED.get(status, ""), "content": _PROBLEM}
        for status, title in sorted(titles.items())
        if (status in only if only else status is not HTTPStatus.NOT_FOUND)
    }
