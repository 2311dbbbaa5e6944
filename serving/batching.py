"""Micro-batching without a delay: rows that arrive together are predicted together.

`submit` queues a request's rows, and `loop.call_soon` predicts what was queued in the same iteration of the event loop,
as many requests as fit into a turn. There is no timer: a lone request is predicted at once.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property

import numpy as np

from validation.decode import Records


class Batcher:
    """Merges the rows of concurrent requests to one model; to be used on one event loop."""

    def __init__(self, score: Callable[[Records], np.ndarray], part: Callable[[], int], *, merge: bool = True) -> None:
        """Score merged rows with `score`.

        Args:
            score: scores rows, shape (rows, outputs).
            part: how many rows may be scored in a turn of the event loop now.
            merge: whether the rows of several requests are scored together.
        """
        self._score = score
        self._part = part
        self._merge = merge
        self._waiting: list[tuple[Records, asyncio.Future[np.ndarray]]] = []

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # a system call before Python 3.12

    def submit(self, records: Records) -> "asyncio.Future[np.ndarray]":
        """The scores of these rows in their order, shape (rows, outputs); no more rows than a turn may have."""
        future: asyncio.Future[np.ndarray] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((records, future))
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

    def _answer(self, waiting: list[tuple[Records, asyncio.Future[np.ndarray]]]) -> None:
        merged = waiting[0][0] if len(waiting) == 1 else [record for records, _ in waiting for record in records]
        try:
            scores = self._score(merged)
        except Exception as error:  # noqa: BLE001 any error is passed on to the callers, who would wait for ever otherwise
            if len(waiting) > 1:
                for request in waiting:  # one by one, so that a row that cannot be scored fails its own request only
                    self._answer([request])
            elif not waiting[0][1].done():
                waiting[0][1].set_exception(error)
            return
        start = 0
        for records, future in waiting:
            end = start + len(records)
            if not future.done():  # cancelled, if the caller has gone
                future.set_result(scores[start:end])
            start = end
