"""Buckets and days: what is taken never exceeds what they promise, whoever asks for what and when."""

import math
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from serving.access.buckets import Bucket, Day

asked = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), max_size=60)
"""Pauses in seconds, and how much is asked for after each."""


@given(rate=st.floats(0.1, 100), capacity=st.integers(1, 50), asked=asked)
def test_no_stretch_of_time_gets_more_than_its_rate_and_the_capacity(
    rate: float, capacity: int, asked: list[tuple[float, int]]
) -> None:
    bucket = Bucket(rate, capacity, 0.0)
    times = list(accumulate(pause for pause, _ in asked))
    taken = [(now, amount) for now, (_, amount) in zip(times, asked, strict=True) if bucket.take(amount, now)]
    for first, (begin, _) in enumerate(taken):
        for last in range(first, len(taken)):
            total = sum(amount for _, amount in taken[first : last + 1])
            assert total <= rate * (taken[last][0] - begin) + capacity + 1e-6


@given(rate=st.floats(0.1, 100), capacity=st.integers(1, 50), asked=asked)
def test_what_is_refused_is_there_after_the_wait_and_not_before(
    rate: float, capacity: int, asked: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(rate, capacity, 0.0), 0.0
    for pause, amount in asked:
        now += pause
        if bucket.take(amount, now):
            continue
        wait = bucket.wait(amount, now)
        if amount > capacity:
            assert wait == math.inf
            continue
        assert bucket.level(now + wait * 0.99) < amount
        now += wait + 1e-6
        assert bucket.take(amount, now)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(1.0, 5, 100.0)
    assert bucket.take(5, 100.0)
    assert not bucket.take(1, 50.0)
    assert not bucket.take(1, 100.5)
    assert bucket.take(1, 101.0)


@given(most=st.integers(1, 100), asked=st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 60)), max_size=40))
def test_no_day_gets_more_than_its_amount(most: int, asked: list[tuple[int, int]]) -> None:
    day, now, by_date = Day(most), 1_800_000_000, dict[int, int]()
    for pause, amount in asked:
        now += pause
        date = now // 86_400
        fits = by_date.get(date, 0) + amount <= most
        assert day.take(amount, now) is fits
        if fits:
            by_date[date] = by_date.get(date, 0) + amount
        assert day.left(now) == most - by_date.get(date, 0)
        assert (now + Day.ends(now)) % 86_400 == 0
