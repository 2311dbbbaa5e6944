"""Calls that are read within a few turns of the event loop are asked in one, so that their rows are scored together.

gRPC hands each call to the event loop in turns of its own, where HTTP reads all connections in one. Scoring a batch
costs little more than scoring a row: a call of 24 that are asked together takes a third of the time of one alone.
"""

import asyncio
import functools
from typing import Any

from serving.batching import settle
from serving.quick import Ask

_MOST_TURNS = 8
"""So many turns a call waits for others at most; with more, callers wait longer than batches save."""


class Together:
    """Asks for calls; to be used on one event loop.

    There is no timer. A call waits as many turns as calls were asked together before it, less one: where callers come
    one by one it waits for nobody, and among many it waits while gRPC hands over theirs.
    """

    def __init__(self) -> None:
        """Have nobody waiting."""
        self._waiting: list[tuple[Ask[Any], asyncio.Future[Any]]] = []
        self._last = 1
        self._turns = 0

    def asked(self, ask: Ask[Any]) -> "asyncio.Future[Any]":
        """What `ask` tells, or the error that it raises or tells."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._waiting:
            self._turns = min(self._last - 1, _MOST_TURNS)
            loop.call_soon(self._turn, loop)
        self._waiting.append((ask, future))
        return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._turns:
            self._turns -= 1
            loop.call_soon(self._turn, loop)
            return
        waiting, self._waiting = self._waiting, []
        self._last = len(waiting)
        for ask, future in waiting:
            try:
                ask(functools.partial(settle, future))
            except Exception as error:  # noqa: BLE001 whoever waits is told of it
                settle(future, error)
