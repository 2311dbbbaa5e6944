"""A client that asks at a fixed rate however long answers take, as many strangers would."""

import asyncio
import time
from typing import NamedTuple

from benchmarks.options import PORT

_READY = 64
"""As many connections are there before the first request, and more when they are needed."""
_PATIENCE = 60.0
"""Seconds until an answer is given up."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer(NamedTuple):
    """One request, timed from when it was due."""

    status: int
    """0 if the connection broke or nothing came."""
    seconds: float
    ended: float
    """Seconds after the first request was due."""


def post(path: str, body: str) -> bytes:
    """A request as it goes through the socket."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
    return f"{head}{len(body.encode())}\r\n\r\n{body}".encode()


class Crowd:
    """Keep-alive connections to a port of loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def __aenter__(self) -> "Crowd":
        self._idle = [await self._connect() for _ in range(_READY)]
        return self

    async def __aexit__(self, *raised: object) -> None:
        for _, writer in self._idle:
            writer.close()
            await writer.wait_closed()

    async def _connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=2**20)

    async def _free(self) -> Connection:
        """A connection that nobody uses and that the server did not close, as it does with idle ones."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await self._connect()

    async def ask(self, request: bytes) -> int:
        """The status of the answer, once all of it is there."""
        connection = reader, writer = await self._free()
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return 0
        self._idle.append(connection)
        return int(head.split()[1])

    async def offer(self, request: bytes, rate: float, seconds: float) -> "list[asyncio.Task[Answer]]":
        """Begin `rate` requests a second for so long; returns when the last was begun, whatever is answered."""
        start = time.perf_counter()

        async def one(due: float) -> Answer:
            status = await self.ask(request)
            now = time.perf_counter()
            return Answer(status, now - start - due, now - start)

        begun = []
        for number in range(int(rate * seconds)):
            due = number / rate
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            begun.append(asyncio.create_task(one(due)))
        return begun

    async def until_good(self, request: bytes, since: float) -> float:
        """Seconds from `since` on time.perf_counter's clock until this request is answered well."""
        while await self.ask(request) != 200:
            await asyncio.sleep(0.01)
        return time.perf_counter() - since


class Offered(NamedTuple):
    """What came of an open loop."""

    answers: list[Answer]
    recovery: list[float]
    """Seconds after its last request until each of the probes was answered well."""


async def overload(request: bytes, rate: float, seconds: float, probes: list[bytes], port: int = PORT) -> Offered:
    """Offer requests at a rate, and then ask the probes, one beside the other, until they are answered."""
    async with Crowd(port) as crowd:
        begun = await crowd.offer(request, rate, seconds)
        stopped = time.perf_counter()
        recovery = await asyncio.gather(*(crowd.until_good(probe, stopped) for probe in probes))
        return Offered(await asyncio.gather(*begun), list(recovery))
