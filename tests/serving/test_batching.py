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


def most() -> int:
    """How many rows a turn may take."""
    return 4


def test_one_turn_is_one_batch() -> None:
    score = Counting()

    async def main() -> list[list[float]]:
        batcher = Batcher(score, most)
        futures = [batcher.submit(rows(1.0)), batcher.submit(rows(2.0, 3.0)), batcher.submit(rows())]
        first = [(await future).tolist() for future in futures]
        return [*first, (await batcher.submit(rows(4.0))).tolist()]

    assert asyncio.run(main()) == [[1.0], [2.0, 3.0], [], [4.0]]
    assert score.sizes == [3, 1]


@pytest.mark.parametrize("merge", [True, False])
def test_a_turn_takes_what_it_may_and_others_come_between(merge: bool) -> None:
    score = Counting()
    turns: list[int] = []

    def work(records: Records) -> np.ndarray:
        turns.append(ticks[0])
        return score(records)

    ticks = [0]

    async def main() -> list[float]:
        def tick() -> None:
            ticks[0] += 1
            loop.call_soon(tick)

        loop = asyncio.get_running_loop()
        loop.call_soon(tick)
        batcher = Batcher(work, most, merge=merge)
        asked = [rows(0.0, 1.0, 2.0), rows(3.0, 4.0), rows(5.0), rows(6.0), rows(*map(float, range(7, 13))), rows(13.0)]
        return [value for scores in await asyncio.gather(*map(batcher.submit, asked)) for value in scores.tolist()]

    assert asyncio.run(main()) == list(range(14))
    assert score.sizes == ([3, 4, 6, 1] if merge else [3, 2, 1, 1, 6, 1])  # what is larger than a turn is alone in it
    assert len(set(turns)) == 4


def test_without_merging_each_request_is_a_batch() -> None:
    score = Counting()

    async def main() -> list[list[float]]:
        batcher = Batcher(score, most, merge=False)
        return [scores.tolist() for scores in await asyncio.gather(*map(batcher.submit, [rows(1.0), rows(2.0, 3.0)]))]

    assert asyncio.run(main()) == [[1.0], [2.0, 3.0]]
    assert score.sizes == [1, 2]


def test_a_cancelled_caller_leaves_the_others_alone() -> None:
    async def main() -> list[float]:
        batcher = Batcher(Counting(), most)
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
        batcher = Batcher(picky, most)
        futures = [batcher.submit(rows(1.0)), batcher.submit([(None,)]), batcher.submit(rows(2.0))]
        return [str(answer) for answer in await asyncio.gather(*futures, return_exceptions=True)]

    assert asyncio.run(main()) == ["[1.]", "None", "[2.]"]


def test_a_failing_model_tells_everybody() -> None:
    def fail(records: Records) -> np.ndarray:
        raise RuntimeError("no")

    async def main() -> list[str]:
        batcher = Batcher(fail, most)
        answers = await asyncio.gather(batcher.submit(rows(1.0)), batcher.submit(rows(2.0)), return_exceptions=True)
        return [str(answer) for answer in answers]

    assert asyncio.run(main()) == ["no", "no"]


def test_it_needs_an_event_loop() -> None:
    with pytest.raises(RuntimeError):
        Batcher(Counting(), most).submit(rows(1.0))
