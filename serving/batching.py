"""Micro-batching without a delay: rows that arrive together are predicted together.

`add` queues a request's rows, and `loop.call_soon` predicts what was queued in the same iteration of the event loop, as
many requests as fit into a turn. There is no timer: a lone request is predicted at once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, Generic, Protocol, TypeVar

from validation.decode import Records


class Scored(Protocol):
    """What came of rows, by their places."""

    def __getitem__(self, rows: slice, /) -> Any: ...


S = TypeVar("S", bound=Scored)
T = TypeVar("T")
Done = Callable[[S | Exception], None]
"""Takes what came of a request's rows, or why there is nothing."""
_log = logging.getLogger("boxwood.batching")


class Batcher(Generic[S]):
    """Merges the rows of concurrent requests to one model; to be used on one event loop."""

    def __init__(self, score: Callable[[Records], S], part: Callable[[], int], *, merge: bool = True) -> None:
        """Score merged rows with `score`.

        Args:
            score: scores rows; what it returns is sliced by rows.
            part: how many rows may be scored in a turn of the event loop now.
            merge: whether the rows of several requests are scored together.
        """
        self._score = score
        self._part = part
        self._merge = merge
        self._waiting: list[tuple[Records, Done[S]]] = []

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # a system call before Python 3.12

    def add(self, records: Records, done: Done[S]) -> None:
        """Score rows, no more than a turn may have.

        Args:
            records: the rows.
            done: is called with their scores in their order, or with an error.
        """
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((records, done))

    def submit(self, records: Records) -> "asyncio.Future[S]":
        """The scores of rows, see `add`."""
        future: asyncio.Future[S] = self._loop.create_future()
        self.add(records, partial(settle, future))
        return future

    def _flush(self) -> None:
        count = self._count()
        waiting, self._waiting = self._waiting[:count], self._waiting[count:]
        if self._waiting:
            self._loop.call_soon(self._flush)
        for batch in [waiting] if self._merge else [[request] for request in waiting]:
            self._answer(batch)

    def _count(self) -> int:
        """How many of the waiting requests fit into a turn; at least one."""
        room = self._part()
        for count, (records, _) in enumerate(self._waiting):
            room -= len(records)
            if room < 0:
                return max(1, count)
        return len(self._waiting)

    def _answer(self, waiting: Sequence[tuple[Records, Done[S]]]) -> None:
        merged = waiting[0][0] if len(waiting) == 1 else [record for records, _ in waiting for record in records]
        try:
            scores = self._score(merged)
        except Exception as error:  # noqa: BLE001 any error is passed on to the callers, who would wait for ever otherwise
            if len(waiting) > 1:
                for request in waiting:  # one by one, so that a row that cannot be scored fails its own request only
                    self._answer([request])
            else:
                self._tell(waiting[0][1], error)
            return
        start = 0
        for records, done in waiting:
            end = start + len(records)
            self._tell(done, scores[start:end])
            start = end

    @staticmethod
    def _tell(done: Done[S], scores: S | Exception) -> None:
        try:
            done(scores)
        except Exception:  # noqa: BLE001 of one caller: the others get their scores
            _log.exception("error")


def settle(future: "asyncio.Future[T]", result: T | Exception) -> None:
    """Give a future its result, unless whoever waited for it has gone."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
