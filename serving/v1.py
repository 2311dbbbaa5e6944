"""HTTP: the KServe V1 protocol. It translates and decides nothing.

GET  /v1/models                    the models, by name
GET  /v1/models/{model}            contract, what training saw, metrics, lineage
GET  /v1/models/{model}/card       the model card, as a page or as Markdown
GET  /v1/models/{model}/proto      the .proto of the model's own gRPC service
GET  /v1/models/{model}/columns/{column}?like=text    names of a category that begin so, contain it or are near it
POST /v1/models/{model}:predict    {"instances": [row, …]}
POST /v1/models/{model}:explain    {"instances": [row, …]}

With ?partial=true the good rows of a request are answered beside the errors of the others.
"""

import urllib.parse
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope

from serving import contract_proto, problem_details
from serving.admission import demand_fits
from serving.asgi import (
    Document,
    Elsewhere,
    Endpoint,
    Reply,
    asked,
    demand_json,
    encode,
    problem,
    read_body,
    wants_partial,
)
from serving.models import Models
from serving.served_model import ServedModel, Verb
from serving.settings import Settings
from serving.telemetry import Calls
from validation.errors import UnreadableRequest
from validation.lookup import Lookup
from validation.wire import ColumnNames

MODELS = "/v1/models"
MOST_NAMES = 20
"""So many names of a category are told at a time."""

_VARIES = (b"vary", b"Accept")
# a card needs its own pictures and styles and nothing else, whatever a value in it tries
_CARD_POLICY = (b"content-security-policy", b"default-src 'none'; img-src data:; style-src 'unsafe-inline'")


class _Instances(msgspec.Struct):
    instances: list[Any]


_decode = msgspec.json.Decoder(_Instances).decode


def routes(models: Models, settings: Settings) -> dict[str, ASGIApp]:
    """The applications for the models that are there, by path."""
    names = Document(lambda: {"models": [model.predictor.name for model in models]})
    found: dict[str, ASGIApp] = {"/v1": Nothing(models), MODELS: names}
    for model in models:
        path = f"{MODELS}/{model.predictor.name}"
        found |= {
            path: Document(model.describe),
            f"{path}/card": _Card(model),
            f"{path}/proto": _Proto(model),
        }
        for column, lookup in model.predictor.lookups.items():
            found[f"{path}/columns/{column}"] = _Names(column, lookup)
        for verb in (model.predicting, model.explaining):
            found[f"{path}:{verb.name}"] = _Asked(verb, settings, model.calls("v1", verb.name))
    return found


class Nothing(Elsewhere):
    """What every other path below /v1 answers."""

    below, ends, hint = MODELS, "/:", f"GET {MODELS} lists the models."


class _Asked(Endpoint):
    """POST: rows in, answers out."""

    method = "POST"

    def __init__(self, verb: Verb, settings: Settings, calls: Calls) -> None:
        self.calls = calls
        self._verb = verb
        self._settings = settings

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        demand_json(scope)
        self._verb.gate.demand_room()  # what is refused need not be read
        rows = _rows(await read_body(scope, receive, self._settings.max_body_bytes))
        demand_fits(len(rows), self._settings.max_rows)
        return Reply(encode(await asked(self._verb, rows, receive, partial=wants_partial(scope))))


def _rows(body: bytes) -> list[Any]:
    try:
        return _decode(body).instances
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRequest(
            f'{error}. Send {{"instances": [row, …]}}, a row being an object of columns.'
        ) from error


class _Card(Endpoint):
    """GET: the model card, in the form that the caller prefers."""

    method = "GET"

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        page = _prefers_html(scope)
        card = self._model.card(page=page)
        if card is None:
            detail = f"The model '{self._model.predictor.name}' has no card: its bundle was not sealed with one."
            return problem(problem_details.plain(HTTPStatus.NOT_FOUND, detail), _VARIES)
        media = "text/html" if page else "text/markdown"
        return Reply(card.encode(), f"{media}; charset=utf-8", headers=(_VARIES, *([_CARD_POLICY] if page else [])))


class _Proto(Endpoint):
    """GET: what callers generate their gRPC client from."""

    method = "GET"

    def __init__(self, model: ServedModel) -> None:
        self._reply = Reply(contract_proto.text(model.predictor.problem).encode(), "text/plain; charset=utf-8")

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        return self._reply


class _Names(Endpoint):
    """GET: names of a category, for whoever types one."""

    method = "GET"

    def __init__(self, column: str, names: Lookup) -> None:
        self._column = column
        self._names = names

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        sent = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"), errors="replace")
        typed = sent.get("like", [""])[0]
        return Reply(encode(ColumnNames(self._column, self._names.like(typed, MOST_NAMES))))


def _prefers_html(scope: Scope) -> bool:
    """Whether the Accept headers (RFC 9110, 12.5.1) rank text/html above text/markdown."""
    ranges: dict[str, float] = {}
    for key, value in scope["headers"]:
        if key == b"accept":
            ranges.update(map(_ranked, value.decode("latin-1").lower().split(",")))
    anything = ranges.get("text/*", ranges.get("*/*", 0.0))
    return ranges.get("text/html", anything) > ranges.get("text/markdown", anything)


def _ranked(accepted: str) -> tuple[str, float]:
    """A media range and its weight; 0 where that is no number."""
    media, *parameters = (part.strip() for part in accepted.split(";"))
    weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return media, float(weight)
    except ValueError:
        return media, 0.0
