"""The values of a column as positions on a line: where they lie, which are round, and how training rows are spread."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ui import texts
from ui.described import Column, Model

TICKS, MOST_TICKS = 5, 7
"""About so many round numbers on an axis from below, and on one from the left."""
_EXACT = 2.0**53
"""Larger integers are not exact as JSON numbers, and no column takes them."""
_FIRST, _LAST = (moment.replace(tzinfo=UTC).timestamp() for moment in (datetime.min, datetime(9999, 12, 31)))
_DAY = 86_400.0
_SECONDS = (1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200)
_DAYS = (1, 2, 5, 10)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200, 2_400, 6_000, 12_000)
_MONTH_DAYS = 30.44


@dataclass(frozen=True)
class Span:
    """The part of a line that a chart shows.

    Attributes:
        low: its left end.
        high: its right end.
        marks: the eleven deciles of the training rows, from the least value to the greatest; empty if nobody says so.
    """

    low: float
    high: float
    marks: Sequence[float] = ()

    def holds(self, at: float) -> bool:
        """Whether a position is within it."""
        return self.low <= at <= self.high

    def trained(self, at: float) -> bool:
        """Whether training rows lie on both sides of a position, as far as anybody knows."""
        return not self.marks or self.marks[0] <= at <= self.marks[-1]

    @property
    def within(self) -> list[float]:
        """The deciles that it shows."""
        return [mark for mark in self.marks if self.holds(mark)]


def curved(column: Column) -> bool:
    """Whether its values have an order and a distance; else they are names."""
    return column.kind in ("integer", "real", "date", "timestamp")


def place(column: Column, value: Any) -> float | None:
    """The position of a value; None for a missing or invalid one."""
    try:
        at = math.nan if value is None else line(column, value)
    except (ValueError, TypeError):
        return None
    return at if math.isfinite(at) else None


def line(column: Column, value: Any) -> float:
    """The position of a value: of numbers themselves, of dates the day, of timestamps the second; raises ValueError."""
    if column.kind == "date":
        return float(date.fromisoformat(value).toordinal())
    return _moment(value).timestamp() if column.kind == "timestamp" else float(value)


def value_at(column: Column, at: float) -> Any:
    """The value at a position, within the column's bounds."""
    match column.kind:
        case "date":
            return date.fromordinal(round(clamped(at, date.min.toordinal(), date.max.toordinal()))).isoformat()
        case "timestamp":
            moment = datetime.fromtimestamp(clamped(at, _FIRST, _LAST), UTC)
            return moment.replace(tzinfo=None).isoformat(timespec="seconds")
        case "integer":
            return round(clamped(clamped(at, -_EXACT, _EXACT), column.ge, column.le))
        case _:
            return clamped(float(f"{at:.10g}"), column.ge, column.le)


def deciles(model: Model, column: Column) -> list[float]:
    """The positions of the training deciles, eleven of them in order; empty if the service does not report them."""
    return [line(column, value) for value in model.spread(column).deciles]


def span(model: Model, column: Column, now: Any) -> Span:
    """The part of a column's line on which training rows are.

    A few extreme values do not decide its ends: these lie at most as far beyond the first and the ninth decile as those
    are from each other. Of a normal distribution that is all rows, of an exponential one 99 %. The value of `now` is
    shown too, unless that would make it more than half as wide again.
    """
    marks = deciles(model, column)
    if not marks:
        low, high = _ends(column, now if place(column, now) is not None else None)
    else:
        first, last = marks[len(marks) // 10], marks[-1 - len(marks) // 10]
        room = (last - first) or (marks[-1] - marks[0])
        low, high = max(marks[0], first - room), min(marks[-1], last + room)
    if low == high:
        low, high = low - 0.5, high + 0.5
    at, more = place(column, now), (high - low) / 2
    if at is not None and low - more <= at <= high + more:
        low, high = min(low, at), max(high, at)
    return Span(low, high, marks)


def rank(marks: Sequence[float], at: float) -> float:
    """The share of training rows below a position, from 0 to 1, interpolated between quantiles at even ranks.

    Beyond them it goes on, so that farther is more: by 1 for each width of their range.
    """
    first, last = marks[0], marks[-1]
    if at < first:
        return (at - first) / ((last - first) or 1.0)
    if at > last:
        return 1 + (at - last) / ((last - first) or 1.0)
    below, above = bisect_left(marks, at), bisect_right(marks, at)
    steps = len(marks) - 1
    if below < above:  # the middle of all quantiles that are equal to it
        return (below + above - 1) / 2 / steps
    return (below - 1 + (at - marks[below - 1]) / (marks[below] - marks[below - 1])) / steps


def quantile(share: float, ordered: Sequence[float]) -> float:
    """The number below which a share of numbers in order lies, interpolated."""
    at = share * (len(ordered) - 1)
    below = min(int(at), max(len(ordered) - 2, 0))
    after = ordered[min(below + 1, len(ordered) - 1)]
    return ordered[below] + (at - below) * (after - ordered[below])


def ticks(column: Column, low: float, high: float, about: int = MOST_TICKS) -> list[tuple[float, str]]:
    """Positions of round values between two positions, and their texts: days, months or years of times."""
    rough = (high - low) / about
    timed = column.kind in ("date", "timestamp")
    if timed and rough > max(_DAYS) * _day(column):
        months = next((each for each in _MONTHS if each * _MONTH_DAYS * _day(column) >= rough), _MONTHS[-1])
        return _monthly(column, low, high, months)
    width = step(column, rough)
    return [
        (at, _of_time(column, at, width) if timed else _plain(column, at, width)) for at in multiples(width, low, high)
    ]


def step(column: Column, rough: float) -> float:
    """A round step of a column's values, not below `rough`: of times whole days, hours or minutes."""
    if column.kind == "date":
        return float(next((days for days in _DAYS if days >= rough), math.ceil(rough)))
    if column.kind == "timestamp":
        steps = (*_SECONDS, *(days * _DAY for days in _DAYS))
        return float(next((each for each in steps if each >= rough), math.ceil(rough / _DAY) * _DAY))
    return round_step(rough, whole=column.kind == "integer")


def _day(column: Column) -> float:
    """The length of a day on the line of dates or timestamps."""
    return _DAY if column.kind == "timestamp" else 1.0


def round_step(rough: float, *, whole: bool = False) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `rough`; at least 1 for whole numbers."""
    if whole and rough <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def multiples(step: float, low: float, high: float) -> list[float]:
    """The multiples of a step from `low` to `high`."""
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def clamped(value: float, low: float | None, high: float | None) -> float:
    """The value, clamped to the bounds."""
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _plain(column: Column, value: float, step: float) -> str:
    """A round number with as many decimals as its step has; whole ones may be years, which are not grouped."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    grouped = column.kind == "real" or abs(value) >= 10_000
    return f"{value + 0.0:,.{decimals}f}" if grouped else f"{value + 0.0:.{decimals}f}"


def _of_time(column: Column, at: float, step: float) -> str:
    text = str(value_at(column, at))
    if column.kind == "date" or step >= _DAY:
        return text[:10]
    return text[5:16].replace("T", " ") if step >= 60 else text[11:]


def _monthly(column: Column, low: float, high: float, months: int) -> list[tuple[float, str]]:
    """The first days of every so many months: "2021-04", or "2021" where only years are shown."""
    first = date.fromisoformat(str(value_at(column, low))[:10])
    number = -(-(first.year * 12 + first.month - 1) // months) * months
    found: list[tuple[float, str]] = []
    while number // 12 <= date.max.year:
        day = date(number // 12, number % 12 + 1, 1).isoformat()
        at = line(column, day)
        if at > high:
            break
        if at >= low:
            found.append((at, day[:4] if months % 12 == 0 else day[:7]))
        number += months
    return found


def _ends(column: Column, now: Any) -> tuple[float, float]:
    """The range without training data from the service: the column's bounds, or a range around the value."""
    if column.kind in ("date", "timestamp"):
        middle = line(column, now or column.example or date.today().isoformat())
        half_a_year = 183.0 if column.kind == "date" else 183 * _DAY
        return middle - half_a_year, middle + half_a_year
    middle = float(now if now is not None else column.example or 0)
    around = max(abs(middle), 1.0)
    low = column.ge if column.ge is not None else middle - around
    return low, column.le if column.le is not None else max(middle, low) + around


def text_at(column: Column, at: float) -> str:
    """The value at a position, for people."""
    value = value_at(column, at)
    return texts.with_unit(value, column.unit) if column.kind == "real" else texts.of_column(column, value)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
