"""HTTP: the KServe V1 protocol. It translates and decides nothing.

GET  /v1/models                    the models that the caller may ask, by name
GET  /v1/models/{model}            contract, what training saw, metrics, lineage, versions, the last verdict
GET  /v1/models/{model}/watch      the last verdict on its answers, a document
GET  /v1/models/{model}/card       the model card, as a page or as Markdown
GET  /v1/models/{model}/proto      the .proto of the model's own gRPC service
GET  /v1/models/{model}/columns/{column}?like=text    names of a category that begin so, contain it or are near it
POST /v1/models/{model}:predict    {"instances": [row, …]}
POST /v1/models/{model}:explain    {"instances": [row, …]}

The same paths are there below /v1/models/{model}/versions/{version}. With ?partial=true, or a member "partial" of the
body or of its "parameters", the good rows of a request are answered beside the errors of the others. In the same ways
`classes` names classes that :explain explains beside the answer: ?classes=low&classes=high, or ?classes=* for all.
"""

import urllib.parse
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any, NamedTuple, TypedDict

import msgspec
from starlette.types import ASGIApp, Receive, Scope

from serving import challenger, contract_proto, problem_details
from serving.access.caller import Asked
from serving.challenger import Split
from serving.description import Described
from serving.models import Models
from serving.rest import pages
from serving.rest.asgi import READS, Endpoint, NotFound, places
from serving.rest.asking import Asking, Question
from serving.rest.exchange import Reply, encode, problem
from serving.rest.guard import asked
from serving.rest.negotiation import prefers_html
from serving.rest.request import HeadOptions, Options, parsed
from serving.served_model import ServedModel
from serving.settings import Settings
from serving.watch import Verdict, Watch
from validation.lookup import Lookup
from validation.wire import ColumnNames

MODELS = "/v1/models"
MOST_NAMES = 20
"""The most names of a category in one answer."""

_VARIES = (b"vary", b"Accept")


class Names(TypedDict):
    """What `GET /v1/models` says."""

    models: list[str]


class _Instances(msgspec.Struct):
    """The body of a request; unknown members are ignored, as other servers of the protocol do."""

    instances: list[Any]
    partial: bool = False
    classes: list[str] = []
    parameters: Options = Options()


_HINT = 'Send {"instances": [row, …]}, a row being an object of columns.'
_decode = msgspec.json.Decoder(_Instances).decode


def routes(models: Models, watch: Watch) -> dict[str, ASGIApp]:
    """The applications by path; `watch` has the verdicts on the models."""
    applications: dict[str, ASGIApp] = {
        "/v1": UnknownPath(models),
        MODELS: _Models(models),
    }
    for place, model in places(models):
        version = "" if place == model.predictor.name else model.predictor.version
        last = _Last(watch, model.predictor.name, version)
        applications |= _of_model(f"{MODELS}/{place}", models, model, last)
    for name in models.names:
        split = Split.of(models, name)
        if split is not None:
            applications |= _divided(f"{MODELS}/{name}", models.find(name), split)
    return applications


def _divided(path: str, champion: ServedModel, split: Split) -> dict[str, ASGIApp]:
    """The applications for callers who are split between two versions."""
    predicted, explained = champion.predicting, champion.explaining
    return {
        f"{path}:{predicted.name}": _Asked("v1", champion, predicted).divided(
            split, _Asked("v1", split.challenger, split.predicting)
        ),
        f"{path}:{explained.name}": _Explained("v1", champion, explained).divided(
            split, _Explained("v1", split.challenger, split.explaining)
        ),
    }


def _of_model(path: str, models: Models, model: ServedModel, last: "_Last") -> dict[str, ASGIApp]:
    """The applications of one version, below `path`."""
    applications: dict[str, ASGIApp] = {
        path: _Description(models, model, last),
        f"{path}/watch": _Watched(last),
        f"{path}/card": _Card(model, models.shared.settings),
        f"{path}/proto": _Proto(model),
    }
    for column, lookup in model.predictor.lookups.items():
        applications[f"{path}/columns/{column}"] = _Categories(column, lookup)
    applications[f"{path}:{model.predicting.name}"] = _Asked("v1", model, model.predicting)
    applications[f"{path}:{model.explaining.name}"] = _Explained("v1", model, model.explaining)
    return applications


class UnknownPath(NotFound):
    """Answers every other path below /v1."""

    below, ends, hint = MODELS, "/:", f"GET {MODELS} lists the models."


class _Asked(Asking[_Instances]):
    """POST: rows in, answers out."""

    def read(self, scope: Scope, body: bytes) -> _Instances:
        return parsed(_decode, body, _HINT)

    def question(self, request: _Instances) -> Question:
        options = request.parameters
        return Question(request.instances, request.partial or options.partial, raw=options.raw)


class _Explained(_Asked):
    """POST: rows in, explanations out."""

    def question(self, request: _Instances) -> Question:
        classes = [*request.classes, *request.parameters.classes]
        return super().question(request)._replace(classes=classes)

    def work(self, question: Question, query: HeadOptions, asking: Asked) -> Coroutine[Any, Any, Any]:
        partial, classes = query.partial or question.partial, [*query.classes, *question.classes]
        return self.verb.ask(question.rows, partial=partial, classes=classes, caller=asking.caller)


class _Last(NamedTuple):
    """The last verdict on a model, or, if one is named, on a version of it."""

    watch: Watch
    model: str
    version: str

    async def verdict(self) -> Verdict | None:
        """None if there is none."""
        return await self.watch.verdict(self.model, self.version)


class _Description(Endpoint):
    """GET: what a version of a model is, how its callers are divided, and the head of the last verdict."""

    methods = READS

    def __init__(self, models: Models, model: ServedModel, last: _Last) -> None:
        name = model.predictor.name
        self._described: Described = {**model.describe(), "versions": models.versions(name)}
        if (beside := challenger.described(models, name)) is not None:
            self._described["challenger"] = beside
        self._last = last

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        verdict = await self._last.verdict()
        return Reply(encode(self._described if verdict is None else {**self._described, "verdict": verdict.summary}))


class _Watched(Endpoint):
    """GET: the last verdict, as `python -m monitoring` wrote it."""

    methods = READS

    def __init__(self, last: _Last) -> None:
        self._last = last

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        verdict = await self._last.verdict()
        if verdict is None:
            detail = self._last.watch.why_none(self._last.model, self._last.version)
            return problem(problem_details.plain(HTTPStatus.NOT_FOUND, detail))
        return Reply(verdict.document)


class _Card(Endpoint):
    """GET: the model card, in the form that the caller prefers."""

    methods = READS

    def __init__(self, model: ServedModel, settings: Settings) -> None:
        self._model = model
        self._settings = settings

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        page = prefers_html(scope, "text/markdown")
        card = self._model.card(page=page)
        if card is None:
            detail = f"The model '{self._model.predictor.name}' has no card: its bundle was not sealed with one."
            return problem(problem_details.plain(HTTPStatus.NOT_FOUND, detail), _VARIES)
        media = "text/html" if page else "text/markdown"
        told = pages.headers(scope, pages.CARD, self._settings) if page else []
        return Reply(card.encode(), f"{media}; charset=utf-8", headers=(_VARIES, *told))


class _Proto(Endpoint):
    """GET: the .proto from which callers generate their gRPC client."""

    methods = READS

    def __init__(self, model: ServedModel) -> None:
        self._reply = Reply(contract_proto.text(model.predictor.problem).encode(), "text/plain; charset=utf-8")

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        return self._reply


class _Models(Endpoint):
    """GET: the names of the models that a caller may ask."""

    methods = READS

    def __init__(self, models: Models) -> None:
        self._models = models

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        return Reply(encode(Names(models=self._models.known(asked(scope).caller))))


class _Categories(Endpoint):
    """GET: names of a category, for autocompletion."""

    methods = READS

    def __init__(self, column: str, names: Lookup) -> None:
        self._column = column
        self._names = names

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        query = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"), errors="replace")
        text = query.get("like", [""])[0]
        return Reply(encode(ColumnNames(self._column, self._names.like(text, MOST_NAMES))))
