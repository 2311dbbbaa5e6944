"""Rows that arrive together are predicted together, and nobody waits for anybody.

A request's rows are put down, and `loop.call_soon` predicts all that were put down in the same turn of the event
loop. There is no timer: a lone request is predicted at once.
"""

import asyncio
from collections.abc import Callable

import numpy as np

from validation.decode import Records

PART = 256
"""As many rows of a large request are worked on in one turn of the event loop: a millisecond or two."""


class Batcher:
    """Merges the rows of concurrent requests to one model; to be used on one event loop."""

    def __init__(
        self,
        score: Callable[[Records], np.ndarray],
        observe: Callable[[float], object] = lambda rows: None,
        *,
        merge: bool = True,
    ) -> None:
        """Use `score` for merged rows, whose first axis is the rows, and let `observe` know how many they are.

        Without `merge`, each request's rows are scored by themselves.
        """
        self._score = score
        self._observe = observe
        self._merge = merge
        self._waiting: list[tuple[Records, asyncio.Future[np.ndarray]]] = []

    async def score(self, records: Records) -> np.ndarray:
        """The scores of a request's rows, part by part, so that a large request does not hold up the others."""
        if len(records) <= PART:
            return await self.submit(records)
        parts = [await self.submit(records[start : start + PART]) for start in range(0, len(records), PART)]
        return np.concatenate(parts)

    def submit(self, records: Records) -> "asyncio.Future[np.ndarray]":
        """The scores of these rows, in their order, shape (rows,)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[np.ndarray] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((records, future))
        return future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in [waiting] if self._merge else [[one] for one in waiting]:
            self._observe(sum(len(records) for records, _ in batch))
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
