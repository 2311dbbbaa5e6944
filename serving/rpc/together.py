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

    There is no timer. A call that comes while no other is unanswered is asked at once. Among others it waits as many
    turns as calls were asked together before it, while gRPC hands over theirs.
    """

    def __init__(self) -> None:
        """Have nobody waiting."""
        self._waiting: list[tuple[Ask[Any], asyncio.Future[Any]]] = []
        self._unanswered = 0
        self._last = 1
        self._turns = 0

    def asked(self, ask: Ask[Any]) -> "asyncio.Future[Any]":
        """What `ask` tells, or the error that it raises or tells."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self._last == 1 and not self._unanswered:
            self._ask(ask, future)
        else:
            if not self._waiting:
                self._turns = min(self._last, _MOST_TURNS)
                loop.call_soon(self._turn, loop)
            self._waiting.append((ask, future))
        return future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turns -= 1
        if self._turns:
            loop.call_soon(self._turn, loop)
            return
        waiting, self._waiting = self._waiting, []
        self._last = len(waiting)
        for ask, future in waiting:
            self._ask(ask, future)

    def _ask(self, ask: Ask[Any], future: "asyncio.Future[Any]") -> None:
        self._unanswered += 1
        try:
            ask(functools.partial(self._tell, future))
        except Exception as error:  # noqa: BLE001 whoever waits is told of it
            self._tell(future, error)

    def _tell(self, future: "asyncio.Future[Any]", told: Any) -> None:
        self._unanswered -= 1
        settle(future, told)
