"""The batcher: what comes in one turn of the loop is scored together, and everybody gets their own."""

import asyncio
from typing import Any

import numpy as np
import pytest

from serving.batching import Batcher
from validation.decode import Records


class Counting:
    """A score that is the first value of each row, and remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, records: Records) -> np.ndarray:
        self.sizes.append(len(records))
        return np.array([record[0] for record in records], dtype=float)


def rows(*values: float) -> list[tuple[Any, ...]]:
    return [(value,) for value in values]


def test_one_turn_is_one_batch() -> None:
    score = Counting()

    async def main() -> list[list[float]]:
        batcher = Batcher(score)
        futures = [batcher.submit(rows(1.0)), batcher.submit(rows(2.0, 3.0)), batcher.submit(rows())]
        first = [(await future).tolist() for future in futures]
        return [*first, (await batcher.submit(rows(4.0))).tolist()]

    assert asyncio.run(main()) == [[1.0], [2.0, 3.0], [], [4.0]]
    assert score.sizes == [3, 1]


def test_without_merging_each_request_is_a_batch() -> None:
    score = Counting()

    async def main() -> list[list[float]]:
        batcher = Batcher(score, merge=False)
        return [scores.tolist() for scores in await asyncio.gather(*map(batcher.submit, [rows(1.0), rows(2.0, 3.0)]))]

    assert asyncio.run(main()) == [[1.0], [2.0, 3.0]]
    assert score.sizes == [1, 2]


def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    async def main() -> list[float]:
        batcher = Batcher(Counting())
        gone, stays = batcher.submit(rows(1.0)), batcher.submit(rows(2.0))
        gone.cancel()
        answer: list[float] = (await stays).tolist()
        return answer

    assert asyncio.run(main()) == [2.0]


def test_a_row_that_cannot_be_scored_fails_its_own_request_only() -> None:
    def picky(records: Records) -> np.ndarray:
        if any(record[0] is None for record in records):
            raise ValueError("None")
        return Counting()(records)

    async def main() -> list[str]:
        batcher = Batcher(picky)
        futures = [batcher.submit(rows(1.0)), batcher.submit([(None,)]), batcher.submit(rows(2.0))]
        return [str(answer) for answer in await asyncio.gather(*futures, return_exceptions=True)]

    assert asyncio.run(main()) == ["[1.]", "None", "[2.]"]


def test_a_failing_model_tells_everybody() -> None:
    def fail(records: Records) -> np.ndarray:
        raise RuntimeError("no")

    async def main() -> list[str]:
        batcher = Batcher(fail)
        answers = await asyncio.gather(batcher.submit(rows(1.0)), batcher.submit(rows(2.0)), return_exceptions=True)
        return [str(answer) for answer in answers]

    assert asyncio.run(main()) == ["no", "no"]


def test_it_needs_an_event_loop() -> None:
    with pytest.raises(RuntimeError):
        Batcher(Counting()).submit(rows(1.0))
