"""Heads of requests that can be answered without ASGI, and those that a connection has sent before."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from starlette.types import Scope

from serving.bodies import SMALL
from serving.rest.asking import Asking
from serving.rest.request import HEADERS, HeadOptions, size_of
from validation.errors import RequestError

Find = Callable[[bytes], Asking[Any] | None]
"""The endpoint of a path, if it answers or refuses directly."""

_MOST_HEADS, _LONGEST_HEAD = 8, 2_048
"""How many heads a connection remembers, and of how many bytes at most."""
_END = b"\r\n\r\n"
_OTHERWISE = (b"transfer-encoding", b"content-encoding", b"expect", b"origin")
"""Headers of requests that go through ASGI: a body in parts or compressed, and what middleware reads."""


class Head(NamedTuple):
    """The head of a request that can be answered or refused directly.

    Attributes:
        endpoint: what answers.
        scope: what of ASGI's scope protocols read.
        query: what it asks for.
        length: of the body, in bytes.
    """

    endpoint: Asking[Any]
    scope: Scope
    query: HeadOptions
    length: int


def head_of(find: Find, url: bytes, headers: Sequence[tuple[bytes, bytes]], client: object) -> Head | None:
    """The head of a POST request; None if it is to be answered through ASGI.

    Args:
        find: the endpoints that answer or refuse directly.
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
        return Head(endpoint, scope, endpoint.options_of(scope), length)
    except RequestError:
        return None


class Heads:
    """The heads that a connection has sent, by their bytes: the same bytes mean the same."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        """Know none."""
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
