"""Requests that are answered straight from their connection: no task, no ASGI scope, no messages.

What answers is the endpoint that answers through ASGI too; only the way to it is shorter. A head that a connection has
sent before is not parsed again: the same bytes mean the same.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serving.access.caller import Asked
from serving.bodies import SMALL
from serving.rest.asking import Asking
from serving.rest.exchange import Reply
from serving.rest.guard import Guard
from serving.rest.request import HEADERS, Options, size_of
from validation.errors import RequestError

Find = Callable[[bytes], Asking[Any] | None]
"""The endpoint of a path, if it answers directly."""

_MOST_HEADS, _LONGEST_HEAD = 8, 2_048
"""How many heads a connection remembers, and of how many bytes at most."""
_END = b"\r\n\r\n"
_OTHERWISE = (b"transfer-encoding", b"content-encoding", b"expect", b"origin", b"upgrade")
"""Headers of requests that go through ASGI: a body in parts or compressed, and what middleware reads."""
_REPLY = b"HTTP/1.1 %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b"
_LAST = b"connection: close\r\n"
_STATUS = {status.value: f"{status.value} {status.phrase}".encode() for status in HTTPStatus}


class Head(NamedTuple):
    """The head of a request that can be answered directly.

    Attributes:
        endpoint: what answers.
        scope: what of ASGI's scope protocols read.
        query: what it asks for.
        length: of the body, in bytes.
    """

    endpoint: Asking[Any]
    scope: Scope
    query: Options
    length: int


def _head(find: Find, url: bytes, headers: Sequence[tuple[bytes, bytes]], client: object) -> Head | None:
    """The head of a POST request; None if it is to be answered through ASGI.

    Args:
        find: the endpoints that answer directly.
        url: as it was sent.
        headers: with names in lower case.
        client: the other end of the connection.
    """
    path, _, query = url.partition(b"?")
    endpoint = find(path)
    if endpoint is None:
        return None
    by_name = dict(reversed(headers))
    length = size_of(by_name.get(b"content-length"))
    most = min(SMALL, endpoint.model.bodies.limit)
    if length is None or length > most or any(name in by_name for name in _OTHERWISE):
        return None
    scope = {
        "type": "http",
        "method": "POST",
        "path": path.decode("ascii"),
        "query_string": query,
        "headers": headers,
        "client": client,
        HEADERS: by_name,
    }
    try:
        return Head(endpoint, scope, endpoint.wanted(scope), length)
    except RequestError:
        return None


class _Heads:
    """The heads that a connection has sent, by their bytes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def of(self, data: bytes) -> tuple[Head | None, bytes]:
        """The head and the body, if these bytes are one whole request whose head was sent before."""
        end = data.find(_END, 0, _LONGEST_HEAD) + len(_END)
        known = self._known.get(data[:end])
        return (None, b"") if known is None or len(data) != end + known.length else (known, data[end:])

    def forget(self, data: bytes) -> None:
        """Forget the head of a request that these bytes are."""
        del self._known[data[: data.find(_END) + len(_END)]]

    def learn(self, data: bytes, head: Head) -> None:
        """Remember the head of a request that these bytes begin with, if they are one whole request."""
        end = data.find(_END, 0, _LONGEST_HEAD) + len(_END)
        if end >= len(_END) and len(data) == end + head.length:
            if len(self._known) == _MOST_HEADS:
                self._known.clear()
            self._known[data[:end]] = head


class _Answering(RequestResponseCycle):
    """A request that is answered directly, in the place of uvicorn's cycle; each connection has one of it."""

    def __init__(self) -> None:
        """Be no request yet. Uvicorn's own attributes that are left out belong to its way through ASGI."""
        self.response_complete = True
        self.response_started = self.disconnected = False
        self.keep_alive = True
        self.body = bytearray()
        self.message_event = asyncio.Event()  # for which nobody waits
        self.head: Head | None = None

    def begin(self, head: Head) -> None:
        """Be the request with that head; its body is empty, or not asked for."""
        self.head, self.scope = head, head.scope  # type: ignore[assignment] # less than a whole scope
        self.keep_alive, self.response_complete = True, False


class _Writer:
    """Writes replies as uvicorn would."""

    def __init__(self, server: ServerState) -> None:
        """Put the server's headers before all others; they are another list when they change."""
        self._server = server
        self._last: list[tuple[bytes, bytes]] | None = None
        self._rendered = b""
        self._further: Sequence[tuple[bytes, bytes]] = ()
        self._further_rendered = b""

    def __call__(self, reply: Reply, further: Sequence[tuple[bytes, bytes]], *, last: bool) -> bytes:
        """The bytes of a reply with further headers; the last one of its connection says so."""
        default = self._server.default_headers
        if default is not self._last:
            self._last, self._rendered = default, _lines(default)
        if further is not self._further:  # what is left of a quota is told in the same list until that changes
            self._further, self._further_rendered = further, _lines(further)
        body, more = reply.body, self._further_rendered
        if reply.headers:
            more = _lines(reply.headers) + more
        end = _LAST if last else b""
        return _REPLY % (_STATUS[reply.status], self._rendered, reply.media.encode(), len(body), more, end, body)


class Direct(HttpToolsProtocol):
    """A connection whose small requests are answered without ASGI, where `find` knows their endpoints."""

    def __init__(self, find: Find, guard: Guard, *arguments: Any, **named: Any) -> None:
        """Take uvicorn's arguments after what finds endpoints and what lets requests in."""
        super().__init__(*arguments, **named)
        self.find: Find = find
        self._guard = guard
        self._asking = Asked()
        self._heads = _Heads()
        self._own = _Answering()
        self._whole = b""
        self.arriving = False
        """Whether a request has begun and is not complete."""
        self._rests: asyncio.TimerHandle | None = None
        self._resting_since = 0.0
        self._render = _Writer(self.server_state)

    def answers(self, data: bytes) -> bool:
        """Answer a whole request whose head was sent before; to be asked between requests.

        Args:
            data: what has come.

        Returns:
            Whether it is such a request; if not, nothing was done.
        """
        if not self._free():
            self._whole = b""
            return False
        head, body = self._heads.of(data)
        self._whole = data if head is None else b""
        if head is None:
            return False
        before = self.cycle
        self._own.begin(head)
        if self._asked(head, body):
            self._unset_keepalive_if_required()
            return True
        self.cycle = before
        self._heads.forget(data)  # as many rows again would be read once more only to be too many
        return False

    def on_message_begin(self) -> None:
        """Begin a request, whose scope is made once it is known to be needed."""
        self.arriving = True
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.scope = None  # type: ignore[assignment] # of no request

    def on_headers_complete(self) -> None:
        """Decide by the head how a request is answered."""
        head = self._head()
        if head is None:
            self._begin_cycle()
        else:
            self._own.begin(head)
            self._own.body = bytearray()
            self.cycle, self.scope = self._own, head.scope  # type: ignore[assignment] # less than a whole scope

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self.cycle is self._own:
            self._own.body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer."""
        self.arriving, own = False, self._own
        if self.cycle is not own:
            super().on_message_complete()
        elif own.head is not None and not own.response_complete:
            if self._asked(own.head, bytes(own.body)):
                self._heads.learn(self._whole, own.head)
            else:
                self._begin_cycle()
                self.cycle.body += own.body
                super().on_message_complete()

    def _free(self) -> bool:
        """Whether a request that comes now would be the only one."""
        last: RequestResponseCycle | None = self.cycle
        return (last is None or last.response_complete) and not self.pipeline and not self.transport.is_closing()

    def _head(self) -> Head | None:
        """The head that has come, if its request is answered directly."""
        parser = self.parser
        if parser.get_method() != b"POST" or parser.should_upgrade() or not parser.should_keep_alive():
            return None
        if parser.get_http_version() != "1.1" or not self._free():
            return None
        return _head(self.find, self.url, self.headers, self.client)

    def _begin_cycle(self) -> None:
        """Begin what uvicorn begins with a request."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _asked(self, head: Head, body: bytes) -> bool:
        """Ask the endpoint; false where a request takes longer than a turn, and then it is complete for uvicorn."""
        self.cycle = self._own
        asking = self._guard.admitted(head.scope, head.scope["path"])
        if asking is not None:
            self._asking = asking
            if head.endpoint.directly(head.scope, asking, head.query, body, self._answered):
                return True
        self._own.response_complete = True
        return False

    def _answered(self, reply: Reply) -> None:
        own, asking = self._own, self._asking
        own.response_complete = True
        if self._guard.on and own.head is not None:
            self._guard.ended(own.head.scope, asking)
        if self.transport.is_closing():
            return
        self.send(self._render(reply, asking.caller.headers, last=not own.keep_alive))
        if not own.keep_alive:
            self.transport.close()
        if self.pipeline or not own.keep_alive:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self.flow.resume_reading()
            self._rest()

    def send(self, data: bytes) -> None:
        """Write a whole answer."""
        self.transport.write(data)

    def _rest(self) -> None:
        """Close after the keep-alive timeout; one timer for many answers, since each would cost a microsecond."""
        self._resting_since = self.loop.time()
        if self._rests is None:
            self._rests = self.loop.call_later(self.timeout_keep_alive, self._rested)

    def _rested(self) -> None:
        self._rests = None
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._rests = self.loop.call_later(left, self._rested)
        elif self._free() and not self.arriving:  # else the next answer begins anew
            self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._rests is not None:
            self._rests.cancel()
        super().connection_lost(exc)


def _lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
