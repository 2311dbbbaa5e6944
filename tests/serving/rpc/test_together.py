"""Calls that are asked together: what each is told, and for whom none waits."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.quick import Done
from serving.rpc.together import Together


class _Model:
    """Answers calls, and remembers how many it was asked for at a time."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def ask(self, asked: Sequence[tuple[int, Done[int]]]) -> None:
        """Numbers that divide by 5 fail with all that were asked after them, by 7 alone, and by 3 are told later."""
        self.batches.append(len(asked))
        for number, done in asked:
            if number % 5 == 0:
                raise ValueError(number)
            if number % 3 == 0:
                asyncio.get_running_loop().call_soon(done, number)
            else:
                done(KeyError(number) if number % 7 == 0 else number)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 1_000)), max_size=60))
def test_each_is_told_its_own_answer_whenever_it_comes(calls: list[tuple[int, int]]) -> None:
    async def main() -> list[Any]:
        model = _Model()
        together = Together(model.ask)

        async def call(turns: int, number: int) -> Any:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await together.asked(number)

        return await asyncio.gather(*(call(*each) for each in calls), return_exceptions=True)

    for (_, number), told in zip(calls, asyncio.run(main()), strict=True):
        if isinstance(told, ValueError):
            assert told.args[0] % 5 == 0, "of those that were asked together, one fails all that were not told before"
        elif number % 7 == 0 and number % 3:
            assert isinstance(told, KeyError)
        else:
            assert told == number
            assert number % 5


def test_who_comes_alone_waits_for_nobody() -> None:
    async def main() -> list[int]:
        model = _Model()
        together = Together(model.ask)
        for number in (1, 2, 4):
            before = len(model.batches)
            asked = together.asked(number)
            assert len(model.batches) == before + 1, "in the same turn"
            assert await asked == number
            await asyncio.sleep(0)
        return model.batches

    assert asyncio.run(main()) == [1, 1, 1]


def test_callers_that_come_one_a_turn_meet() -> None:
    """As grpc.aio hands them over: without waiting for each other, each would be alone."""

    async def main() -> list[int]:
        model = _Model()
        together = Together(model.ask)

        async def caller() -> None:
            for _ in range(50):
                await together.asked(1)

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(caller())
                await asyncio.sleep(0)
        return model.batches

    assert max(asyncio.run(main())) >= 10


def test_a_caller_who_leaves_takes_nobody_along() -> None:
    async def main() -> list[Any]:
        model = _Model()
        together = Together(model.ask)
        asked = [together.asked(number) for number in (1, 2, 3)]
        asked[1].cancel()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(told[1], asyncio.CancelledError)
        assert await together.asked(4) == 4
        return [told[0], told[2]]

    assert asyncio.run(main()) == [1, 3]
