"""TLS handshakes over HTTP: each has little time, only so many are under way at once, and all are counted.

The server would give a handshake a minute, and knows of no connection until it is over: neither the limit of
connections nor that of a request's time applies.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any

from serving.settings import Settings
from serving.telemetry import instruments
from validation.errors import Overloaded

_LONGEST_SECONDS = 10
DONE, FAILED, UNFINISHED, REFUSED = "done", "failed", "unfinished", "refused"


def seconds(settings: Settings) -> int:
    """How long a handshake may take."""
    return min(_LONGEST_SECONDS, settings.max_request_seconds)


class Handshakes:
    """Those of a worker; to be used on its event loop."""

    def __init__(self, settings: Settings) -> None:
        """Let as many be under way as there may be connections."""
        self._most = settings.max_connections
        self._under_way = 0

    def begin(self) -> None:
        """Count one more; raises Overloaded if that is too many."""
        if self._under_way >= self._most:
            self._count(REFUSED)
            raise Overloaded(f"{self._most} handshakes are under way.")
        self._under_way += 1

    def end(self, outcome: str) -> None:
        """Count how one ended."""
        self._under_way -= 1
        self._count(outcome)

    @staticmethod
    def _count(outcome: str) -> None:
        instruments().handshakes.labels(outcome).inc()


class Handshake(ssl.SSLObject):
    """A connection that tells how its handshake ended, once it has begun among others."""

    _among: Handshakes | None = None

    def begin(self, among: Handshakes) -> None:
        """Begin; raises Overloaded."""
        among.begin()
        self._among = among
        self._loop = asyncio.get_running_loop()

    def do_handshake(self) -> None:
        """Go on as far as what has arrived allows."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            self._end(FAILED)
            raise
        self._end(DONE)

    def _end(self, outcome: str) -> None:
        if self._among is not None:
            among, self._among = self._among, None
            among.end(outcome)

    def __del__(self) -> None:
        """The connection is gone; not told at once, since the collector may run while something is being counted."""
        if self._among is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._among.end, UNFINISHED)


def loop_of(limit: int) -> Callable[..., Callable[[], asyncio.AbstractEventLoop]]:
    """A factory as uvicorn has it, whose event loops give handshakes so many seconds."""
    import uvloop  # the supervisor, which imports this module too, has no use for it

    class Loop(uvloop.Loop):
        async def create_server(self, *arguments: Any, ssl: Any = None, **named: Any) -> Any:
            limits = {} if ssl is None else {"ssl_handshake_timeout": limit}
            return await super().create_server(*arguments, ssl=ssl, **{**limits, **named})

    return lambda **_: Loop
