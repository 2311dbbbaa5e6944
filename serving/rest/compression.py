"""Compressed bodies: requests are inflated up to the limit, and long answers are compressed for who accepts that.

`Content-Encoding` is gzip, or deflate, which is zlib's format by RFC 9110 and a bare stream for some clients.
"""

import asyncio
import functools
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from validation.errors import RequestTooLarge, UnreadableRequest, UnsupportedMedia

ACCEPTED = "gzip, deflate"
"""What bodies of requests may be compressed with."""
LEAST = 4_096
"""Shorter answers are sent as they are: 16 rows cost 75 µs and save less than two packets."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""zlib's names for the formats."""
_LEVEL = 1
"""4,000 rows, 758 kB: level 1 makes 162 kB of them in 3.5 ms, level 6 149 kB in 25 ms."""
_INLINE = 2**17
"""What compresses or inflates in half a millisecond is not worth a thread or a turn."""
_inflating = asyncio.Lock()


def encoding_of(sent: Sequence[bytes]) -> str | None:
    """How a body is compressed, "gzip" or "deflate"; None if it is not.

    Raises:
        UnsupportedMedia: in a way that is not read here, or several times.
    """
    text = b",".join(sent).decode("latin-1").lower()
    named = [one for one in (part.strip() for part in text.split(",")) if one not in ("", "identity")]
    if not named:
        return None
    if len(named) > 1 or named[0] not in ("gzip", "x-gzip", "deflate"):
        what = ", ".join(named)[:100]
        raise UnsupportedMedia(f"The body is encoded as {what}; send it as gzip, deflate, or as it is.", ACCEPTED)
    return named[0].removeprefix("x-")


async def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """What was compressed into `body`.

    A long one is inflated in turns, so that others are answered meanwhile, and one at a time, so that the memory of
    all is bounded by one: the body is read before anything else happens in the worker.

    Raises:
        RequestTooLarge: it would be longer than `limit`; no more than that is inflated.
        UnreadableRequest: it is not of that encoding, cut off, or something stands behind its end.
    """
    first = _Stream(body, encoding, limit)
    if not first.step():
        return first.end()
    del first  # who waits holds nothing that was inflated
    async with _inflating:
        stream = _Stream(body, encoding, limit)
        while stream.step():
            await asyncio.sleep(0)
        return stream.end()


class _Stream:
    """One body, inflated step by step."""

    def __init__(self, body: bytes, encoding: str, limit: int) -> None:
        self._encoding = encoding
        self._stream = zlib.decompressobj(_GZIP if encoding == "gzip" else _ZLIB if _is_zlib(body) else _RAW)
        self._body = memoryview(body)
        self._read = 0
        self._parts: list[bytes] = []
        self._limit = self._left = limit

    def step(self) -> bool:
        """Inflate some more; returns whether there may be more."""
        most = min(_INLINE, self._left + 1)
        source: bytes | memoryview = self._stream.unconsumed_tail
        if not source:
            source = self._body[self._read : self._read + _INLINE]
            self._read += len(source)
        try:
            part = self._stream.decompress(source, most)
        except zlib.error as error:
            said = f"The body is not {self._encoding}, as its Content-Encoding says: {error}."
            raise UnreadableRequest(said) from error
        self._parts.append(part)
        self._left -= len(part)
        if self._left < 0:
            raise RequestTooLarge(f"The body is above the limit of {self._limit} bytes when it is inflated.")
        return not self._stream.eof and (len(part) == most or self._read < len(self._body))

    def end(self) -> bytes:
        """All of it."""
        if not self._stream.eof:
            raise UnreadableRequest(f"The {self._encoding} body is cut off.")
        if behind := len(self._stream.unused_data) + len(self._body) - self._read:
            raise UnreadableRequest(f"{behind} bytes stand behind the end of the {self._encoding} body.")
        return b"".join(self._parts)


def _is_zlib(body: bytes) -> bool:
    """Whether a body begins with zlib's header (RFC 1950, 2.2), which a bare stream practically never does."""
    return len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0


async def compressed(body: bytes, encoding: str) -> bytes:
    """A body as "gzip" or "deflate"; a long one is compressed in a thread, and the event loop goes on."""
    shape = _GZIP if encoding == "gzip" else _ZLIB
    if len(body) <= _INLINE:
        return zlib.compress(body, _LEVEL, shape)
    return await asyncio.get_running_loop().run_in_executor(_thread(), zlib.compress, body, _LEVEL, shape)


@functools.cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "compress")
