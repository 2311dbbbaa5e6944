"""A request and its reply, whichever way they come and go: what was asked is counted, logged and answered alike."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.types import Scope

from serving import logs, problem_details
from serving.access.caller import Asked
from serving.rest import compression, negotiation
from serving.rest.request import headers
from serving.telemetry import Measurement, RequestMetrics
from validation.errors import Overloaded, RequestError
from validation.wire import ProblemDetails

_TRACE, _REQUEST = logs.TRACE.encode(), logs.REQUEST.encode()
_VARIES = (b"vary", b"Accept-Encoding")
_log = logging.getLogger("boxwood.http")
encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """A response."""

    body: bytes
    media: str = "application/json"
    status: int = HTTPStatus.OK
    headers: Sequence[tuple[bytes, bytes]] = ()
    metrics: RequestMetrics | None = None
    """Counts its request, where that is not the endpoint's own."""


def problem(details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
    """An error as a reply."""
    return Reply(encode(details), problem_details.MEDIA_TYPE, details.status, headers)


class Exchange:
    """One request, from its head until its reply."""

    __slots__ = ("_by_name", "_caller", "_measured", "_refuse", "_scope")

    def __init__(
        self, scope: Scope, asking: Asked, metrics: RequestMetrics | None, refuse: Callable[..., Reply]
    ) -> None:
        """Begin.

        Args:
            scope: the head of the request.
            asking: who asks; is told how the request ended.
            metrics: counts it; None to count nothing.
            refuse: makes a reply of problem details and headers.
        """
        by_name = self._by_name = headers(scope)
        trace, request = by_name.get(_TRACE), by_name.get(_REQUEST)
        self._caller = logs.NOBODY if trace is request is None else logs.Caller.of(trace, request)
        asking.request = self._caller.request
        self._measured = asking.ended = Measurement(metrics)
        self._scope, self._refuse = scope, refuse

    def answered(self, reply: Reply) -> Reply:
        """End with a reply; counted before it is sent, since the caller may read the metrics next."""
        measured = self._measured
        if reply.metrics is not None:
            measured.metrics = reply.metrics
        measured.end(None)
        return reply if self._caller is logs.NOBODY and measured.seconds <= logs.SLOW_SECONDS else self._ended(reply)

    def failed(self, error: BaseException) -> Reply:
        """End with an error."""
        self._measured.end(error)
        return self._ended(self._refused(error))

    def forbidden(self, methods: Sequence[str]) -> Reply:
        """End with the methods that there are."""
        self._measured.outcome = "method"
        refusal = problem_details.plain(HTTPStatus.METHOD_NOT_ALLOWED, f"This path answers {methods[0]}.")
        return self._ended(self._refuse(refusal, (b"allow", ", ".join(methods).encode())))

    def _refused(self, error: BaseException) -> Reply:
        if isinstance(error, asyncio.CancelledError):  # by uvicorn at shutdown, when requests in flight had their time
            error = Overloaded("The service is stopping, and this took too long. Send the request again.")
        if isinstance(error, RequestError):
            return self._refuse(problem_details.of(error), *_encoded(error.headers.items()))
        _log.error("error", exc_info=error, extra=logs.facts(self._caller, **self._where))
        return self._refuse(problem_details.failure())

    def _ended(self, reply: Reply) -> Reply:
        measured, caller = self._measured, self._caller
        if caller is not logs.NOBODY:
            reply = reply._replace(headers=[*reply.headers, *_encoded(caller.sent_back)])
        if measured.seconds > logs.SLOW_SECONDS:
            ended = {"outcome": measured.outcome, "seconds": round(measured.seconds, 3)}
            _log.warning("slow", extra=logs.facts(caller, **self._where, **ended))
        return reply

    @property
    def _where(self) -> dict[str, str]:
        return {"method": self._scope["method"], "path": self._scope["path"]}

    def plain(self, reply: Reply) -> bool:
        """Whether nobody would compress a reply, as is most often so."""
        return len(reply.body) < compression.LEAST and b"accept-encoding" not in self._by_name

    async def compressed(self, reply: Reply) -> Reply:
        """The reply, compressed if the caller accepts that."""
        pays, encoding = self._encoding(reply)
        if encoding is not None:
            reply = _encoded_as(encoding, reply, await compression.compressed(reply.body, encoding))
        return reply._replace(headers=[*reply.headers, _VARIES]) if pays or encoding else reply

    def compressed_here(self, reply: Reply) -> Reply:
        """The same, without another thread."""
        pays, encoding = self._encoding(reply)
        if encoding is not None:
            reply = _encoded_as(encoding, reply, compression.compress(reply.body, encoding))
        return reply._replace(headers=[*reply.headers, _VARIES]) if pays or encoding else reply

    def _encoding(self, reply: Reply) -> tuple[bool, str | None]:
        """Whether compressing pays, and how it is done; None for not at all."""
        pays = len(reply.body) >= compression.LEAST
        return pays, negotiation.encoding_for(self._scope, pays=pays)


def _encoded_as(encoding: str, reply: Reply, body: bytes) -> Reply:
    return Reply(body, reply.media, reply.status, [*reply.headers, (b"content-encoding", encoding.encode())])


def _encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]
