"""Who asks again too soon is refused unread, and loses nothing of its share by that."""

from hypothesis import given
from hypothesis import strategies as st

from serving.access.backoff import LONGEST, Backoff
from serving.access.caller import Asked, Caller, Usage
from serving.access.quota import Limits, LocalQuota
from validation.errors import QuotaExceeded

KIND = ("v1", "predict", "flights", "1")


class Offender:
    """A caller with a quota, whose clock the test moves."""

    def __init__(self, limits: Limits) -> None:
        self.now = 1_800_000_000.0
        quota = LocalQuota("a", limits, clock=lambda: self.now, elapsed=lambda: self.now)
        self._caller = Caller("a", Usage("a"), quota=quota)
        self._caller.backoff = Backoff(lambda: self.now)
        self.read = 0

    def ask(self, rows: int, size: int, kind: tuple[str, ...] = KIND) -> QuotaExceeded | None:
        """Ask for rows in so many bytes, 0 if nobody knows; returns the error."""
        asked, read = Asked(self._caller), self.read
        try:
            if size:
                asked.sends(kind, size)
            self.read = read + 1
            asked.take(rows)
        except QuotaExceeded as error:
            assert asked.rows == (rows if self.read > read else 0)
            return error
        return None


@given(per_second=st.integers(50, 500), rows=st.integers(5, 50), times=st.integers(2, 20))
def test_who_asks_for_many_times_its_share_gets_all_of_it_and_little_more_is_read(
    per_second: int, rows: int, times: int
) -> None:
    offender, patient = Offender(Limits(per_second)), Offender(Limits(per_second))
    taken = would = 0
    for place in range(10 * per_second * times // rows):
        offender.now = patient.now = 1_800_000_000.0 + place * rows / per_second / times
        taken += offender.ask(rows, 100 * rows) is None
        would += patient.ask(rows, 0) is None  # what has no size is read
    assert abs(taken - would) <= 1
    assert offender.read <= 3 * taken + 1  # one that is refused for each that is let in, and one too soon by a rounding


def test_what_is_refused_unread_is_told_the_same_with_the_time_that_is_left() -> None:
    offender = Offender(Limits(10, 20))
    assert offender.ask(20, 2_000) is None
    first = offender.ask(20, 2_000)
    assert first is not None
    assert first.seconds == 2
    offender.now += 0.9
    again = offender.ask(20, 2_000)
    assert again is not None
    assert offender.read == 2
    assert (str(again), again.seconds, again.left) == (str(first), 2, first.left)
    offender.now += 0.2  # more than a second has passed: it is read again
    later = offender.ask(20, 2_000)
    assert later is not None
    assert offender.read == 3
    assert str(later) == "The caller 'a' may ask for 10 rows a second, and has. Send this again in 1 seconds."
    offender.now += 0.9
    assert offender.ask(20, 2_000) is None


def test_smaller_bodies_and_those_of_another_kind_are_read() -> None:
    offender = Offender(Limits(10, 20))
    assert offender.ask(15, 1_500) is None
    assert offender.ask(10, 1_000) is not None
    assert offender.ask(5, 500) is None
    assert offender.ask(1, 1_000, ("grpc",)) is not None
    assert offender.read == 4
    assert offender.ask(1, 1_000) is not None  # which is as large as what had ten
    assert offender.read == 4
    offender.now += LONGEST
    assert offender.ask(1, 1_000) is None


@given(sizes=st.lists(st.integers(1, 30), min_size=30, max_size=200))
def test_however_sizes_are_mixed_few_are_read_and_the_smallest_never_starve(sizes: list[int]) -> None:
    """For who sends what it was refused in turns: the largest are not read once more for each small one."""
    offender = Offender(Limits(1, 30))
    assert offender.ask(30, 3_000) is None
    begun = offender.now
    for place, rows in enumerate(sizes):
        offender.ask(rows, 100 * rows)
        offender.now = begun + 0.9 * place / len(sizes)
    assert offender.read <= 1 + len(set(sizes))
    offender.now = begun + 1.1
    assert offender.ask(1, 100) is None


def test_who_has_no_quota_is_always_read() -> None:
    asked = Asked(Caller("a", Usage("a")))
    asked.sends(KIND, 10)
    asked.take(1_000_000)
    assert asked.sent is None
