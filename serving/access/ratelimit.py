"""What is left of a quota, as the IETF's draft "RateLimit header fields for HTTP" writes it (version 10)."""

import math

from serving.access.buckets import Day

Header = tuple[bytes, bytes]


class RateLimit:
    """The headers RateLimit-Policy and RateLimit; the same list as before while the numbers in it are the same."""

    __slots__ = ("_capacity", "_day", "_numbers", "_policy", "_rate", "_told")

    def __init__(self, rate: float, capacity: float, day: float) -> None:
        """Tell of a bucket and of a day.

        Args:
            rate: what comes into the bucket in a second; 0 where there is none.
            capacity: the most that is in it.
            day: the rows of a day; 0 where there are as many as anybody likes.
        """
        self._rate, self._capacity, self._day = rate, capacity, day
        policies = []
        if rate:
            policies.append(f'"second";q={int(capacity)};w={max(1, math.ceil(capacity / rate))};qu="rows"')
        if day:
            policies.append(f'"day";q={int(day)};w=86400;qu="rows"')
        self._policy = b"ratelimit-policy", ", ".join(policies).encode()
        self._numbers: tuple[int, ...] = ()
        self._told: list[Header] = []

    def headers(self, level: float, left: float, now: float) -> list[Header]:
        """The headers for so many rows in the bucket, and `left` of the day; `now` is seconds since 1970."""
        full = math.ceil(max(0.0, self._capacity - level) / self._rate) if self._rate else 0
        numbers = max(0, int(level)), full, max(0, int(left)), Day.ends(now) if self._day else 0
        if numbers != self._numbers:
            self._numbers = numbers
            parts = [f'"second";r={numbers[0]};t={full}'] if self._rate else []
            parts += [f'"day";r={numbers[2]};t={numbers[3]}'] if self._day else []
            self._told = [self._policy, (b"ratelimit", ", ".join(parts).encode())]
        return self._told
