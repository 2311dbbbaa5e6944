"""What all our HTTP routes share: an ASGI application that reads, answers, and turns errors into problem details."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from serving import problem_details, telemetry
from serving.models import Models
from serving.rest.exchange import Exchange, Reply, encode, problem
from serving.rest.guard import Guard, asked
from serving.served_model import ServedModel
from serving.telemetry import RequestMetrics
from serving.verbs import Verb
from serving.watch import Watch
from validation.errors import CallerLeft, RequestError
from validation.wire import ProblemDetails

READS = ("GET", "HEAD")
T = TypeVar("T")


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
        asking = asked(scope)
        exchange = Exchange(scope, asking, self.metrics, self.refuse)
        reply, good = await self._answered(scope, receive, exchange, asking.refusal)
        reply = await exchange.compressed(reply) if good and not exchange.plain(reply) else reply
        await respond(send, reply, asking.caller.headers)

    async def _answered(
        self, scope: Scope, receive: Receive, exchange: Exchange, refusal: RequestError | None
    ) -> tuple[Reply, bool]:
        """The response, and whether it is no error."""
        if self.methods and scope["method"] not in self.methods and refusal is None:
            return exchange.forbidden(self.methods), False
        try:
            if refusal is not None:
                raise refusal
            return exchange.answered(await self.answer(scope, receive)), True
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 the last resort of a request
            return exchange.failed(error), False


class Document(Endpoint):
    """GET: a JSON document, created anew for each request."""

    methods = READS

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The document as JSON."""
        return Reply(encode(self._make()))


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
            version = parts[1] if parts[:1] == ["versions"] and parts[1:] else ""
            self._models.find(name, version, asked(scope).caller)
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
    def routes(self) -> Mapping[str, ASGIApp]:
        """Our applications by path."""
        return self._make_routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # nothing here speaks by web sockets
                await self._behind(scope, receive, send)
            return
        path = scope["path"]
        application = self.routes.get(path)
        if application is None and path.endswith("/") and path != "/":
            path = path[:-1]
            scope = {**scope, "path": path}
            application = self.routes.get(path)
        if application is None:
            application = next((app for prefix, app in self._otherwise.items() if path.startswith(prefix)), None)
        asking = self._guard.admitted(scope, path) or await self._guard.identified(scope, path)
        if application is None:
            application = self._behind if asking.refusal is None else _refused
        try:
            await application(scope, receive, send)
        finally:
            if self._guard.on:  # one that is cancelled while its answer is compressed or sent has its line too
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


async def respond(send: Send, reply: Reply, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Send a reply, with more headers."""
    length = str(len(reply.body)).encode()
    start = [(b"content-type", reply.media.encode()), (b"content-length", length), *reply.headers, *more]
    await send({"type": "http.response.start", "status": int(reply.status), "headers": start})
    await send({"type": "http.response.body", "body": reply.body})
