"""Calls that are read within a few turns of the event loop are asked in one, so that they are answered together.

gRPC hands each call to the event loop in turns of its own, where HTTP reads all connections in one. Answering a batch
costs little more than answering a row: a call of 24 that are asked together takes a third of the time of one alone.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any

from serving.batching import settle
from serving.quick import Done

_MOST_TURNS = 8
"""So many turns a call waits for others at most; with more, callers wait longer than batches save."""

Waiting = tuple[Any, Done[Any]]
"""What a call asks for, and what is to be told of the answer."""


class Together:
    """Asks for calls; to be used on one event loop.

    There is no timer. A call that comes alone is asked at once. One that comes in the turn of another, or after some
    that were asked together, waits as many turns as those were calls, while gRPC hands over others.
    """

    def __init__(self, ask: Callable[[Sequence[Waiting]], None]) -> None:
        """Have nobody waiting; `ask` tells each its answer."""
        self._ask_all = ask
        self._waiting: list[Waiting] = []
        self._alone = True
        """Whether none was asked in this turn."""
        self._last = 1
        self._turns = 0

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # a system call before Python 3.12

    def asked(self, question: object) -> "asyncio.Future[Any]":
        """What is told of the answer to a question."""
        future = self._loop.create_future()
        asked = question, functools.partial(settle, future)
        if self._last == 1 and self._alone:
            self._ask([asked])
        else:
            if not self._waiting:
                self._turns = min(self._last, _MOST_TURNS)
                self._loop.call_soon(self._turn)
            self._waiting.append(asked)
        return future

    def _turn(self) -> None:
        self._turns -= 1
        if self._turns:
            self._loop.call_soon(self._turn)
            return
        waiting, self._waiting = self._waiting, []
        self._last = len(waiting)
        self._ask(waiting)

    def _ask(self, waiting: Sequence[Waiting]) -> None:
        self._alone = False
        self._loop.call_soon(self._next)
        try:
            self._ask_all(waiting)
        except Exception as error:  # noqa: BLE001 whoever waits is told of it
            for _, done in waiting:
                done(error)

    def _next(self) -> None:
        self._alone = True
