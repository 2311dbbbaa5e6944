"""What all our HTTP routes share: an ASGI application that reads, answers, and turns errors into problem details."""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, NamedTuple, TypedDict, TypeVar

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import logs, problem_details, telemetry
from serving.access.caller import Asked
from serving.models import Models
from serving.rest import compression, negotiation
from serving.rest.guard import Guard, asked
from serving.rest.request import headers
from serving.served_model import ServedModel
from serving.telemetry import Measurement, RequestMetrics
from serving.verbs import Verb
from serving.watch import Watch
from validation.errors import (
    CallerLeft,
    Overloaded,
    RequestError,
)
from validation.wire import ProblemDetails

_PAGE_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
)
READS = ("GET", "HEAD")
_TRACE, _REQUEST = logs.TRACE.encode(), logs.REQUEST.encode()
_VARIES = (b"vary", b"Accept-Encoding")
_log = logging.getLogger("boxwood.http")
T = TypeVar("T")
encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """A response."""

    body: bytes
    media: str = "application/json"
    status: int = HTTPStatus.OK
    headers: Sequence[tuple[bytes, bytes]] = ()
    metrics: RequestMetrics | None = None
    """Counts its request, where that is not the endpoint's own."""


class Endpoint:
    """An ASGI application that answers one path; errors are problem details."""

    methods: Sequence[str] = ()
    """The HTTP methods that it answers; all of them if empty."""
    metrics: RequestMetrics | None = None
    """Counts its requests; None to count nothing."""

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The response; raises RequestError."""
        raise NotImplementedError

    def refuse(self, details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
        """An error in the form that this endpoint's clients expect."""
        return problem(details, *headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        by_name = headers(scope)
        trace, request = by_name.get(_TRACE), by_name.get(_REQUEST)
        caller = logs.NOBODY if trace is request is None else logs.Caller.of(trace, request)
        asking = asked(scope)
        measured = asking.ended = Measurement(self.metrics)
        if scope["method"] in self.methods or not self.methods or asking.refusal is not None:
            reply = await self._answered(scope, receive, asking, caller)
        else:
            detail = f"This path answers {self.methods[0]}."
            refusal = problem_details.plain(HTTPStatus.METHOD_NOT_ALLOWED, detail)
            measured.outcome = "method"
            reply = self.refuse(refusal, (b"allow", ", ".join(self.methods).encode()))
        if caller is not logs.NOBODY:
            reply = reply._replace(headers=[*reply.headers, *_encoded(caller.sent_back)])
        await respond(send, reply, asking.caller.headers)
        if measured.seconds > logs.SLOW_SECONDS:
            ended = {"outcome": measured.outcome, "seconds": round(measured.seconds, 3)}
            _log.warning("slow", extra=logs.facts(caller, **_where(scope), **ended))

    async def _answered(self, scope: Scope, receive: Receive, asking: Asked, caller: logs.Caller) -> Reply:
        try:
            with asking.ended:  # counted before the answer is sent, since the caller may read the metrics next
                if asking.refusal is not None:
                    raise asking.refusal
                reply = await self.answer(scope, receive)
                if reply.metrics is not None:
                    asking.ended.metrics = reply.metrics
            plain = len(reply.body) < compression.LEAST and b"accept-encoding" not in headers(scope)
            return reply if plain else await _compressed(scope, reply)
        except RequestError as error:
            return self.refuse(problem_details.of(error), *_encoded(error.headers.items()))
        except asyncio.CancelledError:  # by uvicorn at shutdown, when the time for requests in flight is over
            stopping = Overloaded("The service is stopping, and this took too long. Send the request again.")
            return self.refuse(problem_details.of(stopping), *_encoded(stopping.headers.items()))
        except Exception:  # noqa: BLE001 the last resort of a request: logged, and never the server's end
            _log.exception("error", extra=logs.facts(caller, **_where(scope)))
            return self.refuse(problem_details.failure())


async def _compressed(scope: Scope, reply: Reply) -> Reply:
    """The reply, compressed if the caller accepts that."""
    pays = len(reply.body) >= compression.LEAST
    encoding = negotiation.encoding_for(scope, pays=pays)
    if encoding is not None:
        body = await compression.compressed(reply.body, encoding)
        reply = Reply(body, reply.media, reply.status, [*reply.headers, (b"content-encoding", encoding.encode())])
    return reply._replace(headers=[*reply.headers, _VARIES]) if pays or encoding else reply


def _where(scope: Scope) -> dict[str, str]:
    return {"method": scope["method"], "path": scope["path"]}


def _encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]


class Document(Endpoint):
    """GET: a JSON document, created anew for each request."""

    methods = READS

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The document as JSON."""
        return Reply(encode(self._make()))


class Alive(TypedDict):
    """What `GET /` says to who is no browser."""

    status: str


class Page(Endpoint):
    """GET: a self-contained page for browsers; other clients get the liveness status of the V1 protocol."""

    methods = READS

    def __init__(self, text: str) -> None:
        vary = (b"vary", b"Accept")
        self._page = Reply(text.encode(), "text/html; charset=utf-8", headers=[vary, _PAGE_POLICY])
        self._alive = Reply(encode(Alive(status="alive")), headers=[vary])

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The page, or the status."""
        return self._page if negotiation.prefers_html(scope, "application/json") else self._alive


class Exposition(Endpoint):
    """GET: the metrics of all workers, for Prometheus."""

    methods = READS

    def __init__(self, watch: Watch) -> None:
        """Add what watching found."""
        self._watch = watch

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The metrics as text."""
        return Reply(telemetry.exposition() + await self._watch.exposition(), telemetry.MEDIA_TYPE)


def places(models: Models) -> Iterator[tuple[str, ServedModel]]:
    """All versions of all models by their paths below a protocol's models: {model}[/versions/{version}]."""
    for name in models.names:
        yield name, models.find(name)
        for version in models.versions(name):
            yield f"{name}/versions/{version}", models.find(name, version)


class NotFound(Endpoint):
    """Answers all paths below a protocol's prefix that are none of its routes."""

    below: str
    """The path of the protocol's models."""
    ends: str
    """The characters that may follow a model's name there."""
    hint: str

    def __init__(self, models: Models) -> None:
        self._models = models

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """A 404; below `below` it lists the models, or versions, if the name or the version is unknown."""
        path = scope["path"]
        if path.startswith(f"{self.below}/"):
            name, *parts = re.split(f"[{self.ends}]", path.removeprefix(f"{self.below}/"))
            self._models.find(name, parts[1] if parts[:1] == ["versions"] and parts[1:] else "")
        detail = f"There is nothing at {path[:100]}. {self.hint}"
        return self.refuse(problem_details.plain(HTTPStatus.NOT_FOUND, detail))


_refused = Endpoint()
"""Answers who is not let in to what is not ours."""


class Front:
    """The outermost ASGI application: our routes by their paths, and BentoML's application behind them.

    Our routes bypass BentoML's middleware and routers, which would take more time than a prediction.
    """

    def __init__(
        self,
        behind: ASGIApp,
        routes: Callable[[], Mapping[str, ASGIApp]],
        otherwise: Mapping[str, ASGIApp],
        guard: Guard,
    ) -> None:
        """Route requests.

        Args:
            behind: BentoML's application.
            routes: returns the applications by path; called at the first request, when the models are loaded.
            otherwise: the applications for all other paths, by prefix.
            guard: lets requests in.
        """
        self._behind = behind
        self._make_routes = routes
        self._otherwise = otherwise
        self._guard = guard

    @cached_property
    def _routes(self) -> Mapping[str, ASGIApp]:
        return self._make_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # nothing here speaks by web sockets
                await self._behind(scope, receive, send)
            return
        path = scope["path"]
        application = self._routes.get(path)
        if application is None and path.endswith("/") and path != "/":
            path = path[:-1]
            scope = {**scope, "path": path}
            application = self._routes.get(path)
        if application is None:
            application = next((app for prefix, app in self._otherwise.items() if path.startswith(prefix)), None)
        asking = self._guard.admitted(scope, path) or await self._guard.identified(scope, path)
        if application is None:
            application = self._behind if asking.refusal is None else _refused
        await application(scope, receive, send)
        if self._guard.on:
            self._guard.ended(scope, asking)


async def run_unless_disconnected(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What `work` returns; it is cancelled if the caller disconnects. To be called once the body was read."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(receive())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)  # it leaves its queue before the caller counts as gone
        raise CallerLeft("The connection closed before the answer was ready.")
    finally:
        working.cancel()
        leaving.cancel()
        # an error refers to this frame, the frame to the task, and the task to the error: such a cycle would keep the
        # rows of a large request in memory until the next full collection, which is rare
        del working, leaving


def cancellable(work: Coroutine[Any, Any, T], rows: int, verb: Verb, receive: Receive) -> Coroutine[Any, Any, T]:
    """`work` on so many rows, cancelled if the caller disconnects where it takes long."""
    return work if rows <= verb.cancel_above_rows else run_unless_disconnected(work, receive)


def problem(details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
    """An error as a reply."""
    return Reply(encode(details), problem_details.MEDIA_TYPE, details.status, headers)


async def respond(send: Send, reply: Reply, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send a reply, with more headers."""
    length = str(len(reply.body)).encode()
    start = [(b"content-type", reply.media.encode()), (b"content-length", length), *reply.headers, *more]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": start})
    await send({"type": "http.response.body", "body": reply.body})
