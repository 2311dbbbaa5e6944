"""Requests that are answered straight from their connection: no task, no ASGI scope, no messages.

What answers is the endpoint that answers through ASGI too; only the way to it is shorter. A head that a connection has
sent before is not parsed again. A request that is refused by its head alone, since its caller is not let in, has asked
for too much or would wait too long, is not read: its body is dropped as it arrives.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from serving.access.caller import Asked
from serving.rest.asking import READ, Read
from serving.rest.exchange import Reply
from serving.rest.guard import Guard
from serving.rest.heads import Find, Head, Heads, head_of
from serving.rest.upgrades import Upgradeless
from validation.errors import RequestError

_REPLY = b"HTTP/1.1 %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b"
_LAST = b"connection: close\r\n"
_STATUS = {status.value: f"{status.value} {status.phrase}".encode() for status in HTTPStatus}


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
        self.asking = Asked()
        self.refusal: RequestError | None = None

    def begin(self, head: Head, asking: Asked, refusal: RequestError | None) -> None:
        """Be the request with that head; with a refusal its body is dropped."""
        self.head, self.scope = head, head.scope  # type: ignore[assignment] # less than a whole scope
        self.asking, self.refusal = asking, refusal
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


class Direct(Upgradeless):
    """A connection whose small requests are answered without ASGI, where `find` knows their endpoints."""

    def __init__(self, find: Find, guard: Guard, *arguments: Any, **named: Any) -> None:
        """Take uvicorn's arguments after what finds endpoints and what lets requests in."""
        super().__init__(*arguments, **named)
        self.find: Find = find
        self._guard = guard
        self._heads = Heads()
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
        if not self._ready():
            self._whole = b""
            return False
        head, body = self._heads.of(data)
        self._whole = data if head is None else b""
        if head is None:
            return False
        before = self.cycle
        if self._begun(head) and self._asked(head, body) is None:
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
        if head is None or not self._begun(head):
            self._begin_cycle()
        else:
            self._own.body = bytearray()
            self.scope = head.scope  # type: ignore[assignment] # less than a whole scope

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        own = self._own
        if self.cycle is not own:
            super().on_body(body)
        elif own.refusal is None:
            own.body += body

    def on_message_complete(self) -> None:
        """Answer."""
        self.arriving, own = False, self._own
        if self.cycle is not own:
            super().on_message_complete()
        elif own.head is not None and not own.response_complete:
            read = self._asked(own.head, bytes(own.body))
            if read is None:
                self._heads.learn(self._whole, own.head)
            else:
                self._begin_cycle()
                self.cycle.keep_alive = own.keep_alive  # the server may have begun to end meanwhile
                self.scope[READ] = read  # type: ignore[literal-required] # for `Asking.answer`
                self.cycle.body += own.body
                super().on_message_complete()

    def _free(self) -> bool:
        """Whether a request that comes now would be the only one."""
        last: RequestResponseCycle | None = self.cycle
        return (last is None or last.response_complete) and not self.pipeline and not self.transport.is_closing()

    def _ready(self) -> bool:
        """Whether one could be answered directly: a client that leaves answers lying waits for room, as ASGI does."""
        return self._free() and not self.flow.write_paused

    def _head(self) -> Head | None:
        """The head that has come, if its request is answered directly."""
        parser = self.parser
        if parser.get_method() != b"POST" or not parser.should_keep_alive():
            return None
        if parser.get_http_version() != "1.1" or not self._ready():
            return None
        return head_of(self.find, self.url, self.headers, self.client)

    def _begin_cycle(self) -> None:
        """Begin what uvicorn begins with a request."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _begun(self, head: Head) -> bool:
        """Begin to answer a request, or to refuse it; false where neither is done here."""
        asking = self._guard.admitted(head.scope, head.scope["path"])
        if asking is None:
            return False
        refusal = head.endpoint.refusal(asking, head.length)
        if refusal is None and not head.endpoint.direct:
            return False
        self.cycle = self._own
        self._own.begin(head, asking, refusal)
        return True

    def _asked(self, head: Head, body: bytes) -> Read[Any] | None:
        """Answer, or return what was read where that takes longer than a turn; then it is complete for uvicorn."""
        own, endpoint = self._own, head.endpoint
        if own.refusal is not None:
            self._answered(endpoint.refused(head.scope, own.asking, own.refusal))
            return None
        read = endpoint.directly(head.scope, own.asking, head.query, body, self._answered)
        if read is not None:
            own.response_complete = True
        return read

    def _answered(self, reply: Reply) -> None:
        own = self._own
        asking = own.asking
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
