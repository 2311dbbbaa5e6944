"""Rows that arrive together are predicted together, and nobody waits for anybody.

A request's rows are put down, and `loop.call_soon` predicts all that were put down in the same turn of the event
loop. There is no timer: a lone request is predicted at once.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property

import numpy as np

from validation.decode import Records

PART = 256
"""As many rows of a large request are worked on in one turn of the event loop: a millisecond or two."""


class Batcher:
    """Merges the rows of concurrent requests to one model; to be used on one event loop."""

    def __init__(self, score: Callable[[Records], np.ndarray], *, merge: bool = True) -> None:
        """Use `score` for merged rows; the first axis of what it returns is the rows.

        Without `merge`, each request's rows are scored by themselves.
        """
        self._score = score
        self._merge = merge
        self._waiting: list[tuple[Records, asyncio.Future[np.ndarray]]] = []

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # a system call before Python 3.12

    def submit(self, records: Records) -> "asyncio.Future[np.ndarray]":
        """The scores of these rows, in their order, shape (rows,)."""
        future: asyncio.Future[np.ndarray] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((records, future))
        return future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in [waiting] if self._merge else [[one] for one in waiting]:
            self._answer(batch)

    def _answer(self, waiting: list[tuple[Records, asyncio.Future[np.ndarray]]]) -> None:
        merged = waiting[0][0] if len(waiting) == 1 else [record for records, _ in waiting for record in records]
        try:
            scores = self._score(merged)
        except Exception as error:  # noqa: BLE001 whatever it was, callers must hear of it rather than wait for ever
            if len(waiting) > 1:
                for one in waiting:  # alone, so that a row that cannot be scored fails nobody else's request
                    self._answer([one])
            elif not waiting[0][1].done():
                waiting[0][1].set_exception(error)
            return
        start = 0
        for records, future in waiting:
            end = start + len(records)
            if not future.done():  # a caller that went away cancelled its own
                future.set_result(scores[start:end])
            start = end
