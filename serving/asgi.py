"""What all our HTTP routes share: an ASGI application that reads, answers, and turns errors into problems."""

import asyncio
import logging
import re
import urllib.parse
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import logs, problem_details, telemetry
from serving.models import Models
from serving.served_model import Verb
from serving.telemetry import Calls, Counting
from validation.errors import (
    CallerLeft,
    Overloaded,
    RequestError,
    RequestTooLarge,
    UnknownModel,
    UnreadableRequest,
    UnsupportedMedia,
)
from validation.wire import ProblemDetails

_PAGE_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
)
_TRACE = logs.TRACE.encode()
_log = logging.getLogger("boxwood.http")
T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """What goes back to the caller."""

    body: bytes
    media: str = "application/json"
    status: int = HTTPStatus.OK
    headers: Sequence[tuple[bytes, bytes]] = ()


class Endpoint:
    """An ASGI application that answers one method; errors are problem details."""

    method: str
    calls: Calls | None = None
    """Who counts its requests, if anybody does."""

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """What to answer; raises RequestError."""
        raise NotImplementedError

    def refuse(self, details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
        """An error as this endpoint's clients expect it."""
        return problem(details, *headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] != self.method:
            detail = f"This path answers {self.method}."
            refusal = problem_details.plain(HTTPStatus.METHOD_NOT_ALLOWED, detail)
            await respond(send, self.refuse(refusal, (b"allow", self.method.encode())))
            return
        counting = Counting(self.calls)
        sent = header(scope, _TRACE)
        trace = None if sent is None else logs.trace_parent(sent.decode("latin-1"))
        try:
            with counting:  # ends before the caller has the answer, and may look whether it was counted
                reply = await self.answer(scope, receive)
        except RequestError as error:
            reply = self.refuse(problem_details.of(error), *_retry(error))
        except asyncio.CancelledError:  # uvicorn's, at a stop, once the time for requests in flight is over
            stopping = Overloaded("The service is stopping, and this took too long. Send the request again.")
            reply = self.refuse(problem_details.of(stopping), *_retry(stopping))
        except Exception:  # noqa: BLE001 the last resort of a request: logged, and never the server's end
            _log.exception(logs.line("error", trace, **_where(scope)))
            reply = self.refuse(problem_details.failure())
        if trace is not None:
            reply = reply._replace(headers=[*reply.headers, (_TRACE, trace.encode())])
        await respond(send, reply)
        if counting.seconds > logs.SLOW_SECONDS:
            ended = {"outcome": counting.outcome, "seconds": round(counting.seconds, 3)}
            _log.warning(logs.line("slow", trace, **_where(scope), **ended))


def _where(scope: Scope) -> dict[str, str]:
    return {"method": scope["method"], "path": scope["path"]}


def _retry(error: RequestError) -> list[tuple[bytes, bytes]]:
    return [(b"retry-after", str(error.seconds).encode())] if isinstance(error, Overloaded) else []


class Document(Endpoint):
    """GET: a document that is made anew for each caller."""

    method = "GET"

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The document as JSON."""
        return Reply(encode(self._make()))


class Page(Endpoint):
    """GET: a page that needs nothing from elsewhere."""

    method = "GET"

    def __init__(self, text: str) -> None:
        self._reply = Reply(text.encode(), "text/html; charset=utf-8", headers=[_PAGE_POLICY])

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The page."""
        return self._reply


class Exposition(Endpoint):
    """GET: the metrics of all workers, for Prometheus."""

    method = "GET"

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The metrics as text."""
        return Reply(telemetry.exposition(), telemetry.MEDIA_TYPE)


class Elsewhere:
    """What every path answers that starts like a protocol's and is none of its routes."""

    below: str
    """Where the protocol has its models."""
    ends: str
    """What may stand behind a model's name there."""
    hint: str

    def __init__(self, models: Models) -> None:
        self._models = models

    def refuse(self, details: ProblemDetails) -> Reply:
        """An error as the protocol's clients expect it."""
        return problem(details)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404, with the models' names where a model was asked for."""
        path = scope["path"]
        details = problem_details.plain(HTTPStatus.NOT_FOUND, f"There is nothing at {path[:100]}. {self.hint}")
        try:
            if path.startswith(f"{self.below}/"):
                self._models.find(re.split(f"[{self.ends}]", path.removeprefix(f"{self.below}/"))[0])
        except UnknownModel as error:
            details = problem_details.of(error)
        await respond(send, self.refuse(details))


class Front:
    """The outermost ASGI application: our routes by their paths, and BentoML's application behind them.

    Ours do not pass BentoML's middleware and routers, which would take more time than a prediction.
    """

    def __init__(
        self,
        behind: ASGIApp,
        routes: Callable[[], Mapping[str, ASGIApp]],
        otherwise: Mapping[str, ASGIApp],
    ) -> None:
        """Route requests.

        Args:
            behind: BentoML's application.
            routes: gives applications by path; asked at the first request, when the models are there.
            otherwise: applications for all other paths that start so.
        """
        self._behind = behind
        self._make_routes = routes
        self._otherwise = otherwise

    @cached_property
    def _routes(self) -> Mapping[str, ASGIApp]:
        return self._make_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find who answers."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        path = scope["path"]
        ours = self._routes.get(path)
        if ours is None:
            ours = next((app for prefix, app in self._otherwise.items() if path.startswith(prefix)), None)
        await (self._behind if ours is None else ours)(scope, receive, send)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, in lower case."""
    for key, value in scope["headers"]:  # `next` with a generator takes twice as long, and each request asks thrice
        if key == name:
            return bytes(value)
    return None


def size_of(text: bytes | None) -> int | None:
    """The number of bytes that a header says; None where it says none that a body could have."""
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else None


def demand_json(scope: Scope) -> None:
    """Raise UnsupportedMedia for a body that says it is something else than JSON."""
    media = header(scope, b"content-type")
    if media is None or media == b"application/json":
        return
    media = media.split(b";")[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        name = media.decode("latin-1")[:100]
        raise UnsupportedMedia(
            f"The body is {name}; send application/json (curl: -H 'content-type: application/json')."
        )


def wants_partial(scope: Scope) -> bool:
    """Whether `?partial=true` was asked for; raises UnreadableRequest for another value or name."""
    query: bytes = scope["query_string"]
    if not query:
        return False
    asked = urllib.parse.parse_qs(query.decode("latin-1"), keep_blank_values=True)
    values = asked.pop("partial", ["false"])
    if asked or len(values) != 1 or values[0] not in ("true", "false"):
        raise UnreadableRequest("The only thing to ask for after the question mark is partial=true or partial=false.")
    return bool(values[0] == "true")


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises RequestTooLarge as soon as it is above the limit."""
    length = size_of(header(scope, b"content-length"))
    if length is not None and length > limit:
        raise RequestTooLarge(f"The body of {length} bytes is above the limit of {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft("The connection closed before the body was complete.")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise RequestTooLarge(f"The body is above the limit of {limit} bytes.")
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, which is given up if the caller goes away; to be used once the body was read."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise CallerLeft("The connection closed before the answer was ready.")
    finally:
        working.cancel()
        leaving.cancel()


async def asked(verb: Verb, rows: Sequence[object], receive: Receive, *, partial: bool) -> Any:
    """What a model answers, unless the caller of a request that takes its time goes away."""
    work = verb.ask(rows, partial=partial)
    return await (work if len(rows) <= verb.light else _while_there(receive, work))


def problem(details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
    """An error as a reply."""
    return Reply(encode(details), problem_details.MEDIA_TYPE, details.status, headers)


async def respond(send: Send, reply: Reply) -> None:
    """Send a reply."""
    length = str(len(reply.body)).encode()
    start = [(b"content-type", reply.media.encode()), (b"content-length", length), *reply.headers]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": start})
    await send({"type": "http.response.body", "body": reply.body})
