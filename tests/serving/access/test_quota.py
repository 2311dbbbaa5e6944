"""A quota that is looked at a slice at a time keeps the law of its buckets to the row."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from serving.access.quota import Limits, LocalQuota
from validation.errors import QuotaExceeded, RequestTooLarge

asked = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 60)), max_size=80)


@given(per_second=st.integers(1, 2_000), burst=st.integers(0, 2_000), per_day=st.integers(0, 5_000), asked=asked)
def test_no_stretch_of_time_gets_more_rows_than_its_rate_and_the_burst_and_no_day_more_than_its_rows(
    per_second: int, burst: int, per_day: int, asked: list[tuple[float, int]]
) -> None:
    now = [86_400.0 * 20_000 - 30]  # half a minute before midnight
    limits = Limits(per_second, burst, per_day)
    quota = LocalQuota("a", limits, clock=lambda: now[0], elapsed=lambda: now[0])
    taken: list[tuple[float, int]] = []
    for pause, rows in asked:
        now[0] += pause
        try:
            quota.take(rows)
        except (QuotaExceeded, RequestTooLarge):
            continue
        taken.append((now[0], rows))
    sums = [0, *accumulate(rows for _, rows in taken)]
    for first, (begin, _) in enumerate(taken):
        for last in range(first, len(taken)):
            most = limits.capacity + per_second * (taken[last][0] - begin)
            assert sums[last + 1] - sums[first] <= most + 1e-3
    by_date: dict[int, int] = {}
    for when, rows in taken:
        by_date[int(when) // 86_400] = by_date.get(int(when) // 86_400, 0) + rows
    assert not per_day or max(by_date.values(), default=0) <= per_day


@given(per_second=st.integers(1, 2_000), asked=asked)
def test_who_stays_below_the_rate_is_never_refused(per_second: int, asked: list[tuple[float, int]]) -> None:
    now = [1_800_000_000.0]
    quota = LocalQuota("a", Limits(per_second, 60 + per_second), clock=lambda: now[0], elapsed=lambda: now[0])
    for _, rows in asked:
        quota.take(rows)
        now[0] += 1.02 * rows / per_second


@given(
    before=st.tuples(st.integers(1, 2_000), st.integers(1, 2_000)),
    after=st.tuples(st.integers(1, 2_000), st.integers(1, 2_000)),
    taken=st.lists(st.integers(1, 60), max_size=30),
)
def test_other_limits_begin_with_what_is_left_of_those_before(
    before: tuple[int, int], after: tuple[int, int], taken: list[int]
) -> None:
    now = 1_800_000_000.0
    quota = LocalQuota("a", Limits(1, *before), clock=lambda: now, elapsed=lambda: now)
    used = 0
    for rows in taken:
        try:
            quota.take(rows)
        except (QuotaExceeded, RequestTooLarge):
            continue
        used += rows
    changed = quota.changed(Limits(1, *after))
    left = max(0, min(before[0] - used, after[0], after[1] - used))
    got = 0
    while True:
        try:
            changed.take(1)
        except (QuotaExceeded, RequestTooLarge):
            break
        got += 1
    assert got == left
