"""HTTP connections below the application: their limits and timeouts, and one write for each answer.

BentoML starts uvicorn without a choice of protocol class. `install` replaces the one that uvicorn calls "auto".
"""

import asyncio
import functools
from http import HTTPStatus
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serving import problem_details
from serving.rest.direct import Direct
from serving.rest.exchange import encode
from serving.rest.guard import Guard
from serving.rest.heads import Find
from serving.settings import Settings

_MOST_AHEAD = 1_000
"""How many pipelined requests may wait for their answers on a connection; with more it is closed."""
_MOST_SILENT = 65_536
"""How many bytes may follow each other that are no part of a body: the head of a request, and what follows its body."""
_MOST_HEADERS = 1_000
"""How many headers there may be; each takes a hundred bytes of memory for four sent."""
_HEAD_TOO_LARGE = f"The headers have more than {_MOST_SILENT} bytes, or are more than {_MOST_HEADERS}."
_LAST_SECONDS = 1
"""How long a connection without a request stays open once the server ends."""


def install(settings: Settings, find: Find, guard: Guard) -> None:
    """Make uvicorn use `Connection` in this process.

    Args:
        settings: have the limits.
        find: knows the endpoints that answer without ASGI.
        guard: lets their requests in.
    """
    # uvicorn takes import strings and, like its `http` option, what they would name
    config.HTTP_PROTOCOLS["auto"] = functools.partial(Connection, settings, find, guard)  # type: ignore[assignment]


class Connection(Direct):
    """One connection of a client.

    A request, headers and body, has to arrive in time, and its answer has to be received in time, so that no slow
    client keeps a connection.
    """

    def __init__(self, settings: Settings, find: Find, guard: Guard, *arguments: Any, **named: Any) -> None:
        """Take uvicorn's arguments, after those of `install`."""
        super().__init__(find, guard, *arguments, **named)
        self.app = self.config.app  # without uvicorn's middleware for proxy headers, which are not used here
        self.access_log = False  # its lines would be formatted and then dropped
        self._most = settings.max_connections
        self._seconds = settings.max_request_seconds
        self._too_many = False
        self._ending = False
        self._timer: asyncio.TimerHandle | None = None
        self._silent = self._read = 0
        self._head_is_large = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(_OneWrite(transport, self.loop, self._seconds))  # type: ignore[arg-type]
        self._too_many = len(self.connections) > self._most
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.transport.lost = True  # type: ignore[attr-defined]
        super().connection_lost(exc)
        self._unwatch()

    def eof_received(self) -> None:
        """Flush what is written, since the connection closes after this."""
        self.transport.flush()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Parse what came; the timer runs while a request is incomplete."""
        if self._too_many:  # refused only now: an answer is lost if the connection closes while the client sends
            detail = f"{self._most} connections are open, and no more may be. Try again in a second or two."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, detail, b"retry-after: 1\r\n")
            return
        if not (self.arriving or self._ending) and self.answers(data):
            self._unwatch()
            return
        self._read = len(data)
        self._silent += self._read  # none of the read in which something begins or ends
        super().data_received(data)
        # the parser stops by itself at a head that is whole and too large, and answers before it are sent
        more = self.arriving and not self._head_is_large
        if more and (self._silent > _MOST_SILENT or len(self.headers) > _MOST_HEADERS):
            self._refuse_head()
        if len(self.pipeline) > _MOST_AHEAD:  # uvicorn would queue without a limit
            self.transport.abort()
            return
        if self._timer is None and (self.arriving or self._idle()):
            self._watch()

    def on_message_begin(self) -> None:
        """The first byte of a request has arrived."""
        self._unwatch()
        self._silent = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request can be answered; once the server ends, its answer says that it is the last one."""
        if self._silent + self._read > _MOST_SILENT or len(self.headers) > _MOST_HEADERS:
            self._demand_small_head()
        if self.offered:
            return
        super().on_headers_complete()
        self._silent = 0
        if self.cycle is not self._own:
            # what follows a body in parts must not become headers of the request (RFC 9110, 6.5.1)
            self.scope["headers"] = list(self.headers)
        if self._ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of a body has arrived."""
        self._silent = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The last byte of a request has arrived."""
        if self.offered:
            return
        self._unwatch()
        self._silent = 0
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: one more request is answered.

        uvicorn closes a connection that has none at once, and under load that is under a request that is on its way:
        its caller gets no answer, and may not know whether to ask again.
        """
        self._ending = True
        self.find = _nothing
        last: RequestResponseCycle | None = self.cycle
        if last is None or last.response_complete:
            self.loop.call_later(_LAST_SECONDS, self._shut)
        else:
            super().shutdown()

    def _shut(self) -> None:
        if not self.arriving:
            super().shutdown()

    def _demand_small_head(self) -> None:
        """Stop the parser at a head that is too large: a read may have 256 kB, and all of it be one head."""
        size = len(self.url) + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers)
        if size > _MOST_SILENT or len(self.headers) > _MOST_HEADERS:
            self._head_is_large = True
            raise ValueError(_HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and a head that is too large."""
        if self._head_is_large:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _HEAD_TOO_LARGE)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def send(self, data: bytes) -> None:
        """Write a whole answer."""
        self.transport.send(data)  # type: ignore[attr-defined] # of `_OneWrite`

    def _idle(self) -> bool:
        """Whether uvicorn has no timer for it: bytes that begin no request cancel its keep-alive timeout."""
        last: RequestResponseCycle | None = self.cycle
        return last is not None and last.response_complete and self in self.connections

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self._seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.arriving:
            detail = f"The request was not complete after {self._seconds} seconds; the connection is closed."
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)
        else:  # browsers open connections in advance
            self.transport.close()

    def _refuse_head(self) -> None:
        """Close, at once where answers to earlier requests are under way: more would come until then."""
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _HEAD_TOO_LARGE)
        if not self.transport.is_closing():
            self.transport.abort()

    def _refuse(self, status: HTTPStatus, detail: str, *headers: bytes) -> None:
        """Close, after an error response unless a client could take it for the answer to another request."""
        if self.transport.is_closing():
            return
        last: RequestResponseCycle | None = self.cycle
        this = last if self.arriving and last is not None and last.scope is self.scope else None
        if self.pipeline or (this is None and last is not None and not last.response_complete):
            self.cycle.keep_alive = False  # pipelined requests before it are answered first
            if self._timer is None:
                self._watch()
            return
        if this is None or not this.response_started:
            self.transport.write(_answer(status, detail, *headers))
        self.transport.close()


def _answer(status: HTTPStatus, detail: str, *headers: bytes) -> bytes:
    body = encode(problem_details.plain(status, detail))
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {problem_details.MEDIA_TYPE}\r\n".encode(),
        f"content-length: {len(body)}\r\nconnection: close\r\n".encode(),
        *headers,
    ]
    return b"".join([*lines, b"\r\n", body])


def _nothing(_: bytes) -> None:
    """No endpoint."""


class _OneWrite:
    """A transport that merges the writes of one iteration of the event loop, and aborts if the client stops reading.

    uvicorn writes the head and the body of an answer separately: two system calls, and a client that wakes up twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._parts: list[bytes] = []
        self._expected = 0
        """The size of the write buffer if the client had read nothing since the timer started; 0 without a timer."""
        self.lost = False
        """Whether the connection is lost: uvicorn does not tell the application if further requests are pipelined."""
        self.is_closing = transport.is_closing

    def send(self, data: bytes) -> None:
        """Write what is whole, without waiting for more."""
        if self._parts:
            self._parts.append(data)
        elif not self.lost:
            self._transport.write(data)
            if self._expected or self._transport.get_write_buffer_size():
                self._written(len(data))

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        if self._parts and not self.lost:
            parts, self._parts = self._parts, []
            self._transport.writelines(parts)
            self._written(sum(map(len, parts)))

    def _written(self, size: int) -> None:
        if self._expected:
            self._expected += size
        else:
            self._watch()

    def _watch(self) -> None:
        self._expected = self._transport.get_write_buffer_size()
        if self._expected:
            self._loop.call_later(self._seconds, self._check_progress)

    def _check_progress(self) -> None:
        if self._transport.get_write_buffer_size() < self._expected:
            self._watch()
        else:  # `close` would wait for the client
            self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
