"""How many rows a caller may ask for: a second and a day, counted where the caller is answered."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from serving.access.buckets import Bucket, Day
from serving.access.ratelimit import Header, RateLimit
from validation.errors import QuotaExceeded, RequestTooLarge

_SLICES = 64
"""So many slices a bucket has, and a day; with fewer rows than that, each request is looked at by itself."""


class Limits(NamedTuple):
    """How many rows a caller may ask for; 0 is no limit."""

    per_second: int = 0
    burst: int = 0
    """The most at once; the rows of one second if it is 0."""
    per_day: int = 0

    @property
    def capacity(self) -> int:
        """What the bucket of `per_second` holds."""
        return self.burst or self.per_second

    @property
    def most(self) -> int:
        """The most rows of one request, where there is a limit."""
        return min(limit for limit in (self.capacity, self.per_day) if limit)


class Quota(Protocol):
    """What limits a caller; to be used on the event loop."""

    limits: Limits

    def take(self, rows: int) -> None:
        """Take rows; raises QuotaExceeded, and RequestTooLarge for more than there ever are at once."""

    def headers(self) -> list[Header]:
        """What is left; see `RateLimit`."""

    def changed(self, limits: Limits) -> "Quota":
        """This quota with other limits: of them is taken what was taken before. May be called in any thread."""


class LocalQuota:
    """Counts in this process, which has a share of the caller's rows.

    Looking at clocks and buckets for each request would take as long as a key does. So it is done for a slice of rows
    at a time: what was seen to be there stays there, since nobody else takes it.
    """

    def __init__(
        self,
        caller: str,
        limits: Limits,
        workers: int = 1,
        *,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
        before: "LocalQuota | None" = None,
    ) -> None:
        """Allow a share of one in `workers`.

        Args:
            caller: its id, for messages.
            limits: of all workers together.
            workers: how many share them.
            clock: seconds since 1970.
            elapsed: seconds that do not jump.
            before: the quota in whose place this one is, with what was taken of it.
        """
        self.limits = limits
        self._caller, self._workers, self._clock, self._elapsed = caller, workers, clock, elapsed
        self._before = before
        self._bucket: Bucket | None = None
        if limits.per_second:
            capacity = max(1.0, limits.capacity / workers)
            self._bucket = Bucket(limits.per_second / workers, capacity, elapsed())
        self._day = Day(max(1.0, limits.per_day / workers)) if limits.per_day else None
        parts = (self._bucket and self._bucket.capacity, self._day and self._day.most)
        self._most = int(min(part for part in parts if part))
        self._slice = self._most // _SLICES
        self._free = self._spent = 0
        """What is left of the slice, and what was taken of it."""
        bucket = self._bucket
        self._ratelimit = RateLimit(
            bucket.rate if bucket else 0.0, bucket.capacity if bucket else 0.0, self._day.most if self._day else 0.0
        )
        self._told: list[Header] = []

    def changed(self, limits: Limits) -> "LocalQuota":
        """See `Quota`. The other one looks at this one when it is first asked, since only the event loop may."""
        older = self._before  # read once: the event loop may follow it meanwhile
        before = self if older is None else older  # nobody has asked this one
        return LocalQuota(self._caller, limits, self._workers, clock=self._clock, elapsed=self._elapsed, before=before)

    def take(self, rows: int) -> None:
        """Take rows of both, or of neither."""
        if rows <= self._free:
            self._free -= rows
            self._spent += rows
            return
        self._settle()
        demand_possible(rows, self._most)
        bucket, day = self._bucket, self._day
        now, today = self._elapsed(), self._clock()
        if day is not None and rows > day.left(today):
            raise used_up(self._caller, self.limits, Day.ends(today), self.headers())
        if bucket is not None and not bucket.take(rows, now):
            raise too_fast(self._caller, self.limits, bucket.wait(rows, now), self.headers())
        if day is not None:
            day.take(rows, today)
        level = self._slice if bucket is None else min(self._slice, int(bucket.level(now)))
        self._free = level if day is None else min(level, int(day.left(today)))

    def _settle(self) -> None:
        """Take what was spent of the slice out of bucket and day; both have it, and may have more since."""
        self._told = []
        before, self._before = self._before, None
        if before is not None:
            self._follow(before)
        if self._spent:
            if self._bucket is not None:
                self._bucket.take(self._spent, self._elapsed())
            if self._day is not None:
                self._day.take(self._spent, self._clock())
        self._free = self._spent = 0

    def _follow(self, before: "LocalQuota") -> None:
        """Begin with what is left of a quota with other limits."""
        before._settle()
        if self._bucket is not None and before._bucket is not None:
            now = self._elapsed()
            self._bucket.lower(before._bucket.level(now), now)
        if self._day is not None and before._day is not None:
            now = self._clock()
            self._day.take(min(before._day.used(now), self._day.most), now)

    def headers(self) -> list[Header]:
        """What is left in this process, give or take a slice."""
        if not self._told:
            if self._before is not None:
                self._settle()
            bucket, day, now = self._bucket, self._day, self._clock()
            level = 0.0 if bucket is None else bucket.level(self._elapsed())
            self._told = self._ratelimit.headers(level, 0.0 if day is None else day.left(now), now)
        return self._told


def demand_possible(rows: int, most: int) -> None:
    """Raise RequestTooLarge for more rows than may ever be taken at once."""
    if rows > most:
        raise RequestTooLarge(
            f"{rows} rows are more than the quota of this caller ever allows at once, which is {most}; send them in "
            "parts."
        )


def too_fast(caller: str, limits: Limits, seconds: float, headers: list[Header]) -> QuotaExceeded:
    """The error of more rows a second than are allowed."""
    reason = f"The caller '{caller}' may ask for {limits.per_second} rows a second, and has."
    return QuotaExceeded(reason, seconds, headers)


def used_up(caller: str, limits: Limits, seconds: int, headers: list[Header]) -> QuotaExceeded:
    """The error of more rows a day than are allowed."""
    reason = f"The caller '{caller}' may ask for {limits.per_day} rows a day, and fewer are left."
    return QuotaExceeded(reason, seconds, headers, "The next day begins at midnight (UTC).")
