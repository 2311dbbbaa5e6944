"""Calls that are asked together: what each is told, and for whom none waits."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.quick import Done
from serving.rpc.together import Together


class _Model:
    """Answers all that was asked in a turn of the event loop in the next one, and remembers how many those were."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self._waiting: list[tuple[int, Done[int]]] = []

    def ask(self, number: int, done: Done[int]) -> None:
        """Numbers that divide by 5 fail at once, and by 7 later."""
        if number % 5 == 0:
            raise ValueError(number)
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        self._waiting.append((number, done))

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        self.batches.append(len(waiting))
        for number, done in waiting:
            done(KeyError(number) if number % 7 == 0 else number)


def _asked(together: Together, model: _Model, number: int) -> Awaitable[int]:
    return together.asked(lambda done: model.ask(number, done))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 1_000)), max_size=60))
def test_each_is_told_its_own_answer_whenever_it_comes(calls: list[tuple[int, int]]) -> None:
    async def main() -> list[Any]:
        together, model = Together(), _Model()

        async def call(turns: int, number: int) -> Any:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await _asked(together, model, number)

        return await asyncio.gather(*(call(*each) for each in calls), return_exceptions=True)

    for (_, number), told in zip(calls, asyncio.run(main()), strict=True):
        if number % 5 == 0:
            assert isinstance(told, ValueError)
        elif number % 7 == 0:
            assert isinstance(told, KeyError)
        else:
            assert told == number


def test_who_comes_alone_waits_for_nobody() -> None:
    async def main() -> list[int]:
        together, model = Together(), _Model()
        for number in (1, 2, 3):
            asked = asyncio.ensure_future(_asked(together, model, number))
            await asyncio.sleep(0)
            assert len(model.batches) == number, "the model answers in the next turn"
            assert await asked == number
        return model.batches

    assert asyncio.run(main()) == [1, 1, 1]


def test_callers_that_come_one_a_turn_meet() -> None:
    """As grpc.aio hands them over: without waiting for each other, each would be alone."""

    async def main() -> list[int]:
        together, model = Together(), _Model()

        async def caller() -> None:
            for _ in range(50):
                await _asked(together, model, 1)

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(caller())
                await asyncio.sleep(0)
        return model.batches

    assert max(asyncio.run(main())) >= 10


def test_a_caller_who_leaves_takes_nobody_along() -> None:
    async def main() -> list[Any]:
        together, model = Together(), _Model()
        asked = [asyncio.ensure_future(_asked(together, model, number)) for number in (1, 2, 3)]
        asked[1].cancel()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(told[1], asyncio.CancelledError)
        assert await _asked(together, model, 4) == 4
        return [told[0], told[2]]

    assert asyncio.run(main()) == [1, 3]
