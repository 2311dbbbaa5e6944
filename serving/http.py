"""HTTP: the KServe V1 protocol, one Starlette application that translates and decides nothing.

GET  /v1/models                    the models, by name
GET  /v1/models/{model}            contract, metrics, lineage
GET  /v1/models/{model}/card       the model card, as a page or as Markdown
POST /v1/models/{model}:predict    {"instances": [row, …]}
POST /v1/models/{model}:explain    {"instances": [row, …]}
"""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import problem_details
from serving.models import Models, ServedModel
from serving.settings import Settings
from validation.errors import RequestError, RequestTooLarge, UnreadableRequest, UnsupportedMedia
from validation.wire import ProblemDetails

PATHS = ("/v1/",)
"""Where these routes lie; BentoML's own logging and tracing leave them to Boxwood."""

Verb = Callable[[ServedModel, Sequence[object]], Awaitable[msgspec.Struct]]

_VARIES = (b"vary", b"Accept")
# a card needs its own pictures and styles and nothing else, whatever a value in it tries
_CARD_POLICY = (b"content-security-policy", b"default-src 'none'; img-src data:; style-src 'unsafe-inline'")

_log = logging.getLogger("boxwood.http")
_encode = msgspec.json.Encoder().encode


class _Instances(msgspec.Struct):
    instances: list[Any]


class _Reply(NamedTuple):
    """What goes back to the caller."""

    body: bytes
    media: str = "application/json"
    status: int = HTTPStatus.OK
    headers: Sequence[tuple[bytes, bytes]] = ()


_decode = msgspec.json.Decoder(_Instances).decode


def application(models: Models, settings: Settings) -> Starlette:
    """The routes over `models`, which may still be empty: it is filled before the server starts."""
    routes = [
        Route("/v1/models", _Described(lambda path: {"models": [model.predictor.name for model in models]})),
        Route("/v1/models/{model}:predict", _Asked(models, settings, ServedModel.predict)),
        Route("/v1/models/{model}:explain", _Asked(models, settings, ServedModel.explain)),
        Route("/v1/models/{model}:{verb}", _Nothing()),
        Route("/v1/models/{model}", _Described(lambda path: models.find(path["model"]).describe())),
        Route("/v1/models/{model}/card", _Card(models)),
        Route("/v1", _Nothing()),
        Route("/v1/{rest:path}", _Nothing()),
    ]
    return Starlette(routes=routes)


class BodyLimit:
    """An ASGI middleware that holds the bodies of BentoML's own routes to the limit; ours count theirs as they come."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 411 or 413."""
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["path"].startswith(PATHS):
            announced = _header(scope, b"content-length")
            if announced is None or not announced.isdigit():
                detail = "This path takes bodies that announce their length; send content-length."
                await _refuse(send, problem_details.plain(HTTPStatus.LENGTH_REQUIRED, detail))
                return
            if int(announced) > self._limit:
                detail = f"The body of {int(announced)} bytes is above the limit of {self._limit} bytes."
                await _refuse(send, problem_details.of(RequestTooLarge(detail)))
                return
        await self._app(scope, receive, send)


class _Endpoint:
    """An ASGI application that answers one method; errors are problem details."""

    method: str

    async def answer(self, scope: Scope, receive: Receive) -> _Reply:
        """What to answer; raises RequestError."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != self.method:
            detail = f"This path answers {self.method}."
            await _refuse(send, problem_details.plain(HTTPStatus.METHOD_NOT_ALLOWED, detail), allow=self.method)
            return
        try:
            reply = await self.answer(scope, receive)
        except RequestError as error:
            await _refuse(send, problem_details.of(error))
        except Exception:  # noqa: BLE001 the last resort of a request: logged, and never the server's end
            _log.exception(json.dumps({"event": "error", "path": scope["path"]}))
            detail = "The service failed; its log says why."
            await _refuse(send, problem_details.plain(HTTPStatus.INTERNAL_SERVER_ERROR, detail))
        else:
            await _send(send, reply)


class _Nothing:
    """What every other path below ours answers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"There is nothing at {scope['path'][:100]}. GET /v1/models lists the models."
        await _refuse(send, problem_details.plain(HTTPStatus.NOT_FOUND, detail))


class _Described(_Endpoint):
    """GET: a document about the models."""

    method = "GET"

    def __init__(self, describe: Callable[[dict[str, str]], object]) -> None:
        self._describe = describe

    async def answer(self, scope: Scope, receive: Receive) -> _Reply:
        return _Reply(_encode(self._describe(scope["path_params"])))


class _Card(_Endpoint):
    """GET: the model card, in the form that the caller prefers."""

    method = "GET"

    def __init__(self, models: Models) -> None:
        self._models = models

    async def answer(self, scope: Scope, receive: Receive) -> _Reply:
        model = self._models.find(scope["path_params"]["model"])
        page = _prefers_html(scope)
        card = model.card(page=page)
        if card is None:
            detail = f"The model '{model.predictor.name}' has no card: its bundle was not sealed with one."
            return _problem(problem_details.plain(HTTPStatus.NOT_FOUND, detail), _VARIES)
        media = "text/html" if page else "text/markdown"
        return _Reply(card.encode(), f"{media}; charset=utf-8", headers=(_VARIES, *([_CARD_POLICY] if page else [])))


class _Asked(_Endpoint):
    """POST: rows in, answers out."""

    method = "POST"

    def __init__(self, models: Models, settings: Settings, verb: Verb) -> None:
        self._models = models
        self._settings = settings
        self._verb = verb

    async def answer(self, scope: Scope, receive: Receive) -> _Reply:
        model = self._models.find(scope["path_params"]["model"])
        _check_media(scope)
        rows = _rows(await _body(scope, receive, self._settings.max_body_bytes))
        if len(rows) > self._settings.max_rows:
            limit = self._settings.max_rows
            raise RequestTooLarge(
                f"{len(rows)} rows are above the limit of {limit} rows a request; send them in parts."
            )
        return _Reply(_encode(await self._verb(model, rows)))


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _check_media(scope: Scope) -> None:
    media = (_header(scope, b"content-type") or b"application/json").split(b";")[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        name = media.decode("latin-1")[:100]
        raise UnsupportedMedia(
            f"The body is {name}; send application/json (curl: -H 'content-type: application/json')."
        )


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    announced = _header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > limit:
        raise RequestTooLarge(f"The body of {int(announced)} bytes is above the limit of {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise UnreadableRequest("The connection closed before the body was complete.")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise RequestTooLarge(f"The body is above the limit of {limit} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _rows(body: bytes) -> list[Any]:
    try:
        return _decode(body).instances
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRequest(
            f'{error}. Send {{"instances": [row, …]}}, a row being an object of columns.'
        ) from error


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


def _problem(problem: ProblemDetails, *headers: tuple[bytes, bytes]) -> _Reply:
    return _Reply(_encode(problem), problem_details.MEDIA_TYPE, problem.status, headers)


async def _refuse(send: Send, problem: ProblemDetails, allow: str | None = None) -> None:
    await _send(send, _problem(problem, *([(b"allow", allow.encode())] if allow else [])))


async def _send(send: Send, reply: _Reply) -> None:
    length = str(len(reply.body)).encode()
    start = [(b"content-type", reply.media.encode()), (b"content-length", length), *reply.headers]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": start})
    await send({"type": "http.response.body", "body": reply.body})
