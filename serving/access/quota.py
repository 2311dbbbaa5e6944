"""How many rows a caller may ask for: a second and a day, counted where the caller is answered."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from serving.access.buckets import Bucket, Day
from validation.errors import QuotaExceeded, RequestTooLarge

Header = tuple[bytes, bytes]
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


class Quota(Protocol):
    """What limits a caller; to be used on the event loop."""

    limits: Limits

    def take(self, rows: int) -> None:
        """Take rows; raises QuotaExceeded, and RequestTooLarge for more than there ever are at once."""

    def headers(self) -> list[Header]:
        """What is left, as the IETF's draft "RateLimit header fields for HTTP" writes it (version 10)."""


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
    ) -> None:
        """Allow a share of one in `workers`.

        Args:
            caller: its id, for messages.
            limits: of all workers together.
            workers: how many share them.
            clock: seconds since 1970.
            elapsed: seconds that do not jump.
        """
        self.limits = limits
        self._caller, self._clock, self._elapsed = caller, clock, elapsed
        self._bucket: Bucket | None = None
        if limits.per_second:
            capacity = max(1.0, limits.capacity / workers)
            self._bucket = Bucket(limits.per_second / workers, capacity, elapsed())
        self._day = Day(max(1.0, limits.per_day / workers)) if limits.per_day else None
        parts = (self._bucket and self._bucket.capacity, self._day and self._day.most)
        self._slice = int(min(part for part in parts if part)) // _SLICES
        self._free = self._spent = 0
        """What is left of the slice, and what was taken of it."""
        self._told: list[Header] = []

    def take(self, rows: int) -> None:
        """Take rows of both, or of neither."""
        if rows <= self._free:
            self._free -= rows
            self._spent += rows
            return
        self._settle()
        bucket, day = self._bucket, self._day
        now, today = self._elapsed(), self._clock()
        if day is not None and rows > day.left(today):
            raise used_up(self._caller, self.limits, Day.ends(today), self.headers())
        if bucket is not None and not bucket.take(rows, now):
            demand_possible(rows, int(bucket.capacity))
            raise too_fast(self._caller, self.limits, bucket.wait(rows, now), self.headers())
        if day is not None:
            day.take(rows, today)
        level = self._slice if bucket is None else min(self._slice, int(bucket.level(now)))
        self._free = level if day is None else min(level, int(day.left(today)))

    def _settle(self) -> None:
        """Take what was spent of the slice out of bucket and day; both have it, and may have more since."""
        self._told = []
        if self._spent:
            if self._bucket is not None:
                self._bucket.take(self._spent, self._elapsed())
            if self._day is not None:
                self._day.take(self._spent, self._clock())
        self._free = self._spent = 0

    def headers(self) -> list[Header]:
        """What is left in this process, give or take a slice."""
        if not self._told:
            bucket, day = self._bucket, self._day
            self._told = ratelimit(
                None if bucket is None else (bucket.level(self._elapsed()), bucket.capacity, bucket.rate),
                None if day is None else (day.left(self._clock()), day.most),
                self._clock(),
            )
        return self._told


def ratelimit(second: tuple[float, float, float] | None, day: tuple[float, float] | None, now: float) -> list[Header]:
    """The headers RateLimit-Policy and RateLimit.

    Args:
        second: what the bucket of rows a second has, how much it holds, and what comes in a second.
        day: what is left of the day's rows, and how many there are.
        now: seconds since 1970.
    """
    policies, left = [], []
    if second is not None:
        level, capacity, rate = second
        policies.append(f'"second";q={int(capacity)};w={max(1, math.ceil(capacity / rate))};qu="rows"')
        left.append(f'"second";r={max(0, int(level))};t={math.ceil(max(0.0, capacity - level) / rate)}')
    if day is not None:
        policies.append(f'"day";q={int(day[1])};w=86400;qu="rows"')
        left.append(f'"day";r={max(0, int(day[0]))};t={Day.ends(now)}')
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(left).encode())]


def demand_possible(rows: int, capacity: int) -> None:
    """Raise RequestTooLarge for more rows than may ever be taken at once."""
    if rows > capacity:
        raise RequestTooLarge(
            f"{rows} rows are more than the quota of this caller allows at once, which is {capacity}; send them in "
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
