"""An open-loop client: it sends at a fixed rate however long answers take, as many independent callers would."""

import asyncio
import time
from typing import NamedTuple

from benchmarks.options import PORT

_READY = 64
"""So many connections are opened before the first request, and more when they are needed."""
_PATIENCE = 60.0
"""The timeout of an answer in seconds."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Answer(NamedTuple):
    """One request, timed from when it was due."""

    status: int
    """0 if the connection broke or the answer timed out."""
    seconds: float
    ended: float
    """Seconds after the first request was due."""


def post(path: str, body: str, key: str = "") -> bytes:
    """The bytes of an HTTP request, with an API key if there is one."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    head += f"x-api-key: {key}\r\n" if key else ""
    return f"{head}content-length: {len(body.encode())}\r\n\r\n{body}".encode()


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
        """An unused connection that the server has not closed for being idle, or a new one."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await self._connect()

    async def ask(self, request: bytes) -> int:
        """Send a request; returns the status after the whole answer was received."""
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
        """Start `rate` requests a second for so long; returns when the last was started, and waits for no answer."""
        start = time.perf_counter()

        async def timed(due: float) -> Answer:
            status = await self.ask(request)
            now = time.perf_counter()
            return Answer(status, now - start - due, now - start)

        begun = []
        for number in range(int(rate * seconds)):
            due = number / rate
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            begun.append(asyncio.create_task(timed(due)))
        return begun

    async def until_good(self, request: bytes, since: float) -> float:
        """Seconds from `since`, by time.perf_counter, until this request is answered with 200."""
        while await self.ask(request) != 200:
            await asyncio.sleep(0.01)
        return time.perf_counter() - since


class Offered(NamedTuple):
    """The results of an open loop."""

    answers: list[Answer]
    recovery: list[float]
    """Seconds after its last request until each of the probes was answered with 200."""


async def overload(request: bytes, rate: float, seconds: float, probes: list[bytes], port: int = PORT) -> Offered:
    """Send requests at a rate, and then all probes at the same time, until they are answered with 200."""
    async with Crowd(port) as crowd:
        begun = await crowd.offer(request, rate, seconds)
        stopped = time.perf_counter()
        recovery = await asyncio.gather(*(crowd.until_good(probe, stopped) for probe in probes))
        return Offered(await asyncio.gather(*begun), list(recovery))
