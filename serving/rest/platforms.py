"""HTTP as hosting platforms ask: Amazon SageMaker, Vertex AI, and MLflow's clients. It translates and decides nothing.

GET  /ping                     200 once the default model answers (SageMaker, MLflow)
POST /invocations              rows in one of MLflow's forms; V1's answer
GET  $AIP_HEALTH_ROUTE         the same two, on the routes that Vertex AI sets by variables
POST $AIP_PREDICT_ROUTE

The sources are SageMaker's "Use your own inference code with hosting services", Vertex AI's "Custom container
requirements for inference" and MLflow's "Deploy MLflow model as a local inference server".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import msgspec
from msgspec import UNSET, UnsetType
from starlette.types import ASGIApp, Scope

from serving import challenger
from serving.rest.asgi import Document
from serving.rest.asking import Asking, Question
from serving.rest.request import Options, parsed
from serving.served_model import ServedModel
from validation.errors import UnreadableRequest

PING, INVOCATIONS = "/ping", "/invocations"
_HEALTH, _PREDICT = "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"
_HINT = (
    'Send {"dataframe_split": {"columns": […], "data": [[…], …]}}, {"dataframe_records": [row, …]}, '
    '{"instances": [row, …]} or {"inputs": {column: [value, …], …}}.'
)


class Pong(TypedDict):
    """What `/ping` says."""

    status: str


class Split(msgspec.Struct):
    """A table as pandas writes it with `orient="split"`; its index is ignored."""

    columns: list[str]
    data: list[list[Any]]


class Invocation(msgspec.Struct):
    """What `/invocations` takes: rows in one of these forms, and `params` (MLflow) or `parameters` (Vertex AI)."""

    dataframe_split: Split | UnsetType = UNSET
    dataframe_records: list[Any] | UnsetType = UNSET
    instances: list[Any] | UnsetType = UNSET
    inputs: list[Any] | dict[str, list[Any]] | UnsetType = UNSET
    params: Options | None = None
    parameters: Options | None = None


_decode = msgspec.json.Decoder(Invocation).decode


def routes(model: ServedModel, environment: Mapping[str, str], split: challenger.Split | None) -> dict[str, ASGIApp]:
    """The applications for the default model, by path.

    Args:
        model: the default.
        environment: has Vertex AI's variables.
        split: of its callers, if there is one.
    """
    ready = Document(lambda: Pong(status="ready"))
    invoked = _Invoked("invocations", model, model.predicting)
    if split is not None:
        invoked.divided(split, _Invoked("invocations", split.challenger, split.predicting))
    applications: dict[str, ASGIApp] = {PING: ready, INVOCATIONS: invoked}
    optional = ((environment.get(_HEALTH), ready), (environment.get(_PREDICT), invoked))
    return applications | {path: application for path, application in optional if path}


class _Invoked(Asking[Invocation]):
    """POST: rows in, V1's answer out."""

    def read(self, scope: Scope, body: bytes) -> Invocation:
        return parsed(_decode, body, _HINT)

    def question(self, request: Invocation) -> Question:
        said = [options for options in (request.params, request.parameters) if options]
        rows = _rows(request, self.verb.gate.demand_possible)
        return Question(rows, any(options.partial for options in said), raw=any(options.raw for options in said))


def _rows(request: Invocation, demand_possible: Callable[[int], None]) -> Sequence[Any]:
    """The rows of the one form that the request has; `demand_possible` is called before they are built."""
    forms = [request.dataframe_split, request.dataframe_records, request.instances, request.inputs]
    match [form for form in forms if form is not UNSET]:
        case [Split() as table]:
            demand_possible(len(table.data))
            return _split(table)
        case [dict() as columns]:
            demand_possible(max(map(len, columns.values()), default=0))
            return _columns(columns)
        case [list() as rows]:
            return rows
        case present:
            raise UnreadableRequest(f"The body has {len(present)} of the forms of rows and should have one. {_HINT}")


def _split(table: Split) -> list[dict[str, Any]]:
    width = len(table.columns)
    if len(set(table.columns)) < width:
        raise UnreadableRequest("Two columns of dataframe_split have one name.")
    for place, values in enumerate(table.data):
        if len(values) != width:
            raise UnreadableRequest(f"Row {place} of dataframe_split has {len(values)} values for {width} columns.")
    return [dict(zip(table.columns, values, strict=True)) for values in table.data]


def _columns(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    if len(set(map(len, columns.values()))) > 1:
        lengths = ", ".join(f"{name[:32]}: {len(values)}" for name, values in list(columns.items())[:10])
        raise UnreadableRequest(f"The columns of inputs have a value for every row each; found {lengths}.")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
