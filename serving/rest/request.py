"""The headers, query and body of an HTTP request, read in the same way on every route."""

import urllib.parse
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.types import Receive, Scope

from model.record import Role
from serving import purpose
from serving.bodies import SMALL, Bodies
from serving.rest import compression
from validation.errors import CallerLeft, RequestTooLarge, UnreadableRequest, UnsupportedMedia

T = TypeVar("T")
HEADERS = "boxwood.headers"
"""Where a scope keeps its headers by their names."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Options(msgspec.Struct, frozen=True):
    """What may be asked for beside the rows of a body.

    Attributes:
        partial: a partial answer, where some rows are invalid.
        classes: which classes to explain.
        raw: the rows are as the raw table writes them.
    """

    partial: bool = False
    classes: list[str] = []
    raw: bool = False


class HeadOptions(Options, frozen=True):
    """What the head of a request asks for.

    Attributes:
        role: what the journal is to say of its answers, see `purpose.role_of`.
    """

    role: Role = ""


_NOTHING = HeadOptions()
_PURPOSE = purpose.HEADER.encode()


def headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by their names in lower case; the first of several with one name."""
    by_name: Mapping[bytes, bytes] | None = scope.get(HEADERS)
    if by_name is None:  # one dictionary takes half the time of two walks through the list
        by_name = scope[HEADERS] = dict(reversed(scope["headers"]))
    return by_name


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name, in lower case."""
    return headers(scope).get(name)


def address(scope: Scope) -> str:
    """Where a request comes from: what the first proxy says (X-Forwarded-For), else the connection's other end."""
    forwarded = header(scope, b"x-forwarded-for")
    if forwarded:
        return forwarded.partition(b",")[0].strip().decode("latin-1")
    client = scope.get("client")
    return str(client[0]) if client else ""


def size_of(text: bytes | None) -> int | None:
    """The number of bytes in a header's value; None if it is not a number or too large for a body."""
    return int(text) if text is not None and text.isdigit() and len(text) < 20 else None


def demand_json(scope: Scope) -> None:
    """Raise UnsupportedMedia if the content type is given and is not JSON."""
    media = header(scope, b"content-type")
    if media is None or media == b"application/json":
        return
    media = media.split(b";")[0].strip().lower()
    if media != b"application/json" and not media.endswith(b"+json"):
        name = media.decode("latin-1")[:100]
        raise UnsupportedMedia(
            f"The body is {name}; send application/json (curl: -H 'content-type: application/json')."
        )


def read_options(scope: Scope) -> HeadOptions:
    """What the query and the header of the purpose say; raises UnreadableRequest for an invalid value.

    Other names in the query are ignored.
    """
    query: bytes = scope["query_string"]
    stated = header(scope, _PURPOSE)
    if not query and stated is None:
        return _NOTHING
    values = urllib.parse.parse_qs(query.decode("latin-1"), keep_blank_values=True, errors="replace")
    switches = _switched(values, "partial"), values.get("classes", []), _switched(values, "raw")
    return HeadOptions(*switches, purpose.role_of(stated))


def _switched(values: Mapping[str, list[str]], name: str) -> bool:
    """Whether a parameter of the query is true; raises UnreadableRequest if it is neither that nor false."""
    given = values.get(name, ["false"])
    if len(given) != 1 or given[0] not in ("true", "false"):
        raise UnreadableRequest(f"The query parameter {name} is either true or false, and there once.")
    return given[0] == "true"


async def read_body(scope: Scope, receive: Receive, bodies: Bodies) -> bytes:
    """The whole body, inflated if it was compressed.

    Raises:
        RequestTooLarge: it is above the limit as it was sent, or inflated; raised as early as possible.
        UnsupportedMedia: its encoding is not supported.
        Overloaded: too many bytes of other bodies are arriving.
    """
    encoding = None
    if b"content-encoding" in headers(scope):
        encoding = compression.encoding_of([v for name, v in scope["headers"] if name == b"content-encoding"])
    length = size_of(header(scope, b"content-length"))
    if length is not None and length > bodies.limit:
        raise RequestTooLarge(f"The body of {length} bytes is above the limit of {bodies.limit} bytes.")
    body, more = await _part(receive)
    if not more and encoding is None and len(body) <= min(SMALL, bodies.limit):
        return body  # as most are: complete at once and small, so that nothing has to be counted
    with bodies.reading() as reading:
        reading.add(len(body))
        parts = [body]
        while more:
            body, more = await _part(receive)
            reading.add(len(body))
            parts.append(body)
        body = b"".join(parts)
        return body if encoding is None else await compression.inflated(body, encoding, bodies.limit)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """A part of a body, and whether there is more of it."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerLeft("The connection closed before the body was complete.")
    return message.get("body", b""), message.get("more_body", False)


def without_mark(body: bytes | memoryview) -> bytes | memoryview:
    """A JSON text without the byte order mark that some editors and libraries put before it (RFC 8259, 8.1)."""
    return body[3:] if body[:3] == _BYTE_ORDER_MARK else body


def parsed(decode: Callable[[bytes | memoryview], T], body: bytes | memoryview, hint: str) -> T:
    """A JSON body, decoded by `decode`; raises UnreadableRequest, with the hint, if that fails."""
    try:
        return decode(without_mark(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableRequest(f"{_reason(body, error)}. {hint}") from error


def _reason(body: bytes | memoryview, error: Exception) -> str:
    """Why a body cannot be decoded, for the error message."""
    if not body:
        return "The body is empty"
    if isinstance(error, UnicodeDecodeError):
        return f"The body is not UTF-8 text (byte 0x{error.object[error.start]:02x})"
    if any(name in bytes(body) for name in (b"NaN", b"Infinity")):
        return f"{error}; JSON has no NaN or Infinity, null is a missing value"
    return str(error)
