"""How much was taken, and when there is more: a bucket that fills steadily, and a day that begins anew."""

import math

_DAY = 86_400


class Bucket:
    """A token bucket: in any `t` seconds no more than `rate * t + capacity` is taken.

    The source is RFC 2697's bucket with one colour: it fills at a steady rate up to its capacity, and what is taken has
    to be in it.
    """

    __slots__ = ("_at", "_level", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        """Begin full.

        Args:
            rate: what comes in a second.
            capacity: the most that is in it.
            now: seconds of a clock that does not go back.
        """
        self.rate, self.capacity = rate, capacity
        self._level, self._at = float(capacity), now

    def level(self, now: float) -> float:
        """What can be taken at once."""
        level = self._level + (now - self._at) * self.rate if now > self._at else self._level
        return level if level < self.capacity else float(self.capacity)

    def take(self, amount: float, now: float) -> bool:
        """Take an amount if all of it is there."""
        level = self.level(now)
        if amount > level:
            return False
        self._level = level - amount
        self._at = max(self._at, now)
        return True

    def lower(self, level: float, now: float) -> None:
        """Have no more than `level` now."""
        self._level, self._at = min(self.level(now), level), max(self._at, now)

    def wait(self, amount: float, now: float) -> float:
        """Seconds until an amount is there, infinite for one above the capacity."""
        if amount > self.capacity:
            return math.inf
        return max(0.0, (amount - self.level(now)) / self.rate)


class Day:
    """An amount for each day of UTC, as bills and people count."""

    __slots__ = ("_date", "_used", "most")

    def __init__(self, most: float) -> None:
        """Allow `most` a day."""
        self.most = most
        self._date, self._used = 0, 0.0

    def left(self, now: float) -> float:
        """What is left of the day; `now` is seconds since 1970."""
        return self.most if int(now) // _DAY != self._date else self.most - self._used

    def used(self, now: float) -> float:
        """What was taken of the day."""
        return self.most - self.left(now)

    def take(self, amount: float, now: float) -> bool:
        """Take an amount if all of it is left."""
        left = self.left(now)
        if amount > left:
            return False
        self._date, self._used = int(now) // _DAY, self.most - left + amount
        return True

    @staticmethod
    def ends(now: float) -> int:
        """Seconds until the next day."""
        return _DAY - int(now) % _DAY
