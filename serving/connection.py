"""What happens on an HTTP connection before a request reaches us: limits, time, and one write an answer.

BentoML starts uvicorn and passes no protocol on. `install` puts ours where uvicorn looks "auto" up.
"""

import asyncio
import functools
from http import HTTPStatus
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving import problem_details
from serving.asgi import encode
from serving.settings import Settings


def install(settings: Settings) -> None:
    """Let the server that starts in this process speak `Connection`."""
    # uvicorn takes import strings and, like its `http` option, what they would name
    config.HTTP_PROTOCOLS["auto"] = functools.partial(Connection, settings)  # type: ignore[assignment]


class Connection(HttpToolsProtocol):
    """One connection of a client.

    A request has to be complete in time, headers and body, so that nobody holds a connection by sending slowly.
    """

    def __init__(self, settings: Settings, *arguments: Any, **named: Any) -> None:
        """As uvicorn makes it, with the limits of `settings`."""
        super().__init__(*arguments, **named)
        self.app = self.config.app  # without uvicorn's middleware for proxies' headers, which nothing here looks at
        self.access_log = False  # a line for each request would be put together and thrown away
        self._most = settings.max_connections
        self._seconds = settings.max_request_seconds
        self._too_many = False
        self._whole = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type]
        self._too_many = len(self.connections) > self._most
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._whole = True
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read what came; the time of a request runs while a part of it is missing."""
        if self._too_many:  # not said before: an answer is lost if the connection closes on what was sent meanwhile
            detail = f"{self._most} connections are open, and no more may be. Try again in a second or two."
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, detail, b"retry-after: 1\r\n")
            return
        super().data_received(data)
        self._watch()

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._whole = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Its last."""
        self._whole = True
        super().on_message_complete()

    def _watch(self) -> None:
        if self._whole:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            self._timer = self.loop.call_later(self._seconds, self._too_slow)

    def _too_slow(self) -> None:
        if self.headers is None:  # nothing ever came: browsers open connections that they may need
            self.transport.close()
            return
        detail = f"The request was not complete after {self._seconds} seconds; the connection is closed."
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)

    def _refuse(self, status: HTTPStatus, detail: str, *headers: bytes) -> None:
        """Answer for the application, which did not, and close."""
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = encode(problem_details.plain(status, detail))
            lines = [
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {problem_details.MEDIA_TYPE}\r\n".encode(),
                f"content-length: {len(body)}\r\nconnection: close\r\n".encode(),
                *headers,
            ]
            self.transport.write(b"".join([*lines, b"\r\n", body]))
        self.transport.close()


class _OneWrite:
    """A transport that sends what is written in one turn of the event loop at once.

    uvicorn writes the head and the body of an answer apart: two system calls, and a client that wakes up twice.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            parts, self._parts = self._parts, []
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
