"""What the page draws of a verdict: traffic and performance by day."""

from collections.abc import Sequence
from typing import NamedTuple

from ui.charts import Axis, value_axis
from ui.texts import number
from ui.watched import Day, Figure, Verdict

WORDS = {"ok": "As before", "changed": "Changed", "alarm": "Alarm", "too_few_rows": "Too few rows"}
"""Each status of a verdict, for people."""
_LABELS = 6


class Point(NamedTuple):
    """A figure of a day, and where the day is from 0 to 1."""

    at: float
    day: Day
    figure: Figure


class Line(NamedTuple):
    """A figure over days, in stretches of days in a row that have it."""

    name: str
    stretches: Sequence[Sequence[Point]]


class Traffic(NamedTuple):
    """The answers of a day: their number, that divided by the most of a day, and whether a version began on it."""

    day: Day
    share: float
    began: Sequence[str]


class Chart(NamedTuple):
    """Lines over days, with the axis of their values and the days that are written below."""

    y: Axis
    lines: Sequence[Line]
    days: Sequence[tuple[float, str]]


def traffic(verdict: Verdict) -> list[Traffic]:
    """The answers of each day."""
    most = max((day.rows for day in verdict.days), default=0) or 1
    known: set[str] = set()
    bars = []
    for place, day in enumerate(verdict.days):
        began = [version for version in day.versions if version not in known] if place else []
        known.update(day.versions)
        bars.append(Traffic(day, day.rows / most, began))
    return bars


def performance(verdict: Verdict) -> Chart | None:
    """The main measure over days, as estimated and in truth; None of fewer than two days."""
    days = verdict.days
    if len(days) < 2:
        return None
    lines = [
        Line("estimated", _stretches(days, [day.estimated for day in days])),
        Line("true", _stretches(days, [day.true for day in days])),
    ]
    figures = [point.figure for line in lines for stretch in line.stretches for point in stretch]
    numbers = [value for figure in figures for value in (figure.low, figure.value, figure.high) if value is not None]
    if not numbers:
        return None
    step = max((len(days) - 1) // (_LABELS - 1), 1)
    labels = [(_at(place, days), days[place].day[5:]) for place in range(0, len(days), step)]
    return Chart(value_axis(numbers, number), lines, labels)


def bar(psi: float, threshold: float) -> float:
    """The length of a column's bar, from 0 to 1; it ends at twice the threshold."""
    return min(psi / (2 * threshold), 1.0)


def _at(place: int, days: Sequence[Day]) -> float:
    return place / (len(days) - 1)


def _stretches(days: Sequence[Day], figures: Sequence[Figure | None]) -> list[list[Point]]:
    stretches: list[list[Point]] = [[]]
    for place, (day, figure) in enumerate(zip(days, figures, strict=True)):
        if figure is not None:
            stretches[-1].append(Point(_at(place, days), day, figure))
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]
