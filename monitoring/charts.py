"""Where the marks of the report's chart of days lie, in the units of its picture."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from monitoring.verdict import Day, Figure, Status

WIDTH, HEIGHT = 720, 180
_TOP, _BOTTOM = 12, 140
_BARS = 34
"""The height of the longest bar of rows, below the lines."""
_ROOM = 0.1
"""What lies above and below the lines, of their range."""


class Mark(NamedTuple):
    """A day: its bar of rows, its status, and what is said of it."""

    left: float
    width: float
    top: float
    height: float
    status: Status
    title: str


class Dot(NamedTuple):
    """The true figure of a day, and the ends of its interval."""

    x: float
    y: float
    low: float
    high: float


class Chart(NamedTuple):
    """The days from left to right.

    Attributes:
        marks: a bar of rows a day.
        band, line: of the estimate, as the points of a polygon and of a line.
        dots: the truth where it is known.
        changes: where another version began to answer most rows: the place, and its name.
        ticks: heights of the scale, each with its number.
        first, last: the days at the ends.
    """

    marks: list[Mark]
    band: str
    line: str
    dots: list[Dot]
    changes: list[tuple[float, str]]
    ticks: list[tuple[float, float]]
    first: str
    last: str


def of_days(days: Sequence[Day]) -> Chart | None:
    """The chart of two days or more."""
    if len(days) < 2:
        return None
    step = WIDTH / len(days)
    scale = _Scale([figure for day in days for figure in (day.estimated, day.true) if figure is not None])
    middles = {day.day: (place + 0.5) * step for place, day in enumerate(days)}
    estimated = [(middles[day.day], day.estimated) for day in days if day.estimated is not None]
    most = max(day.rows for day in days) or 1
    upper = [(x, scale.high(figure)) for x, figure in estimated]
    lower = [(x, scale.low(figure)) for x, figure in reversed(estimated)]
    return Chart(
        [_mark(day, place * step, step, day.rows / most) for place, day in enumerate(days)],
        _points([*upper, *lower]),
        _points([(x, scale.place(figure.value)) for x, figure in estimated]),
        [
            Dot(middles[day.day], scale.place(day.true.value), scale.low(day.true), scale.high(day.true))
            for day in days
            if day.true is not None
        ],
        [(middles[after.day] - step / 2, _version(after)) for after in _changes(days)],
        scale.ticks,
        days[0].day,
        days[-1].day,
    )


class _Scale:
    """From figures to heights."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        ends = [end for each in figures for end in (each.value, each.low, each.high) if end is not None]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        room = _ROOM * (high - low) or abs(high) * _ROOM or 1.0
        self._low, self._high = low - room, high + room
        self.ticks = [(self.place(value), value) for value in (low, high)] if high > low else []

    def place(self, value: float) -> float:
        return _BOTTOM - (value - self._low) / (self._high - self._low) * (_BOTTOM - _TOP)

    def low(self, figure: Figure) -> float:
        return self.place(figure.value if figure.low is None else figure.low)

    def high(self, figure: Figure) -> float:
        return self.place(figure.value if figure.high is None else figure.high)


def _mark(day: Day, left: float, step: float, share: float) -> Mark:
    height = max(share * _BARS, 2.0)
    words = day.status.replace("_", " ")
    return Mark(
        left + 0.1 * step, 0.8 * step, HEIGHT - height, height, day.status, f"{day.day}: {day.rows:,} rows, {words}"
    )


def _changes(days: Sequence[Day]) -> list[Day]:
    """The days on which another version than the day before answered most rows."""
    pairs = itertools.pairwise(days)
    return [after for before, after in pairs if _version(before) != _version(after)]


def _version(day: Day) -> str:
    """The version that answered most rows."""
    return max(day.versions, key=lambda version: day.versions[version], default="")


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
