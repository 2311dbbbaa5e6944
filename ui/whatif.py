"""Columns varied with all others fixed: the rows to ask for, and the points of their answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ui import lines
from ui.described import Column, Model, Row

POINTS = 41
"""The number of points of a curve."""
MOST_CHOICES = 40
DOWN, ACROSS = 9, 6
"""About so many values of the first and the second of two columns."""


@dataclass(frozen=True)
class Point:
    """The answer for one value; `at` is its position on the axis."""

    value: Any
    at: float
    answer: dict[str, Any] | None


def values(model: Model, column: Column, now: Any) -> list[Any]:
    """The values to try: over the range of most training rows, and the row's own value `now`.

    Choices keep their order, without the rarest of very many; numbers and dates are evenly spaced.
    """
    missing: list[Any] = [None] if column.nullable else []
    if not lines.curved(column):
        return _with(_names(model, column, MOST_CHOICES) + missing, now)
    current = [] if (at := lines.place(column, now)) is None else [at]
    span = lines.span(model, column, now)
    places = [span.low + (span.high - span.low) * step / (POINTS - 1) for step in range(POINTS)]
    tried = {place: lines.value_at(column, place) for place in sorted({*places, *current})}
    tried.update(dict.fromkeys(current, now))
    invalid = [now] if now is not None and not current else []  # the service reports what is wrong with it
    return [*dict.fromkeys(tried.values()), *missing, *invalid]


def few(model: Model, column: Column, now: Any, about: int) -> list[Any]:
    """About so many values, for two columns at a time: round ones or the common names, and the row's own."""
    if not lines.curved(column):
        return _with(_names(model, column, about), now)
    span = lines.span(model, column, now)
    tried = dict.fromkeys(lines.value_at(column, at) for at, _ in lines.ticks(column, span.low, span.high, about))
    return sorted(_with(list(tried), now), key=lambda value: _order(column, value))


def pairs(row: Row, columns: Sequence[Column], tried: Sequence[Sequence[Any]]) -> list[Row]:
    """Copies of the row for all values of two columns, those of the second beside each other."""
    (one, other), (down, across) = columns, tried
    return [{**row, one.name: first, other.name: second} for first in down for second in across]


def rows(row: Row, column: Column, tried: Sequence[Any]) -> list[Row]:
    """Copies of the row, one for each value."""
    return [{**row, column.name: value} for value in tried]


def points(column: Column, tried: Sequence[Any], answers: Sequence[dict[str, Any] | None]) -> list[Point]:
    """The values with their answers; those of a curve are sorted by position."""
    unordered = [
        Point(value, at if lines.curved(column) and (at := lines.place(column, value)) is not None else place, answer)
        for place, (value, answer) in enumerate(zip(tried, answers, strict=True))
    ]
    return sorted(unordered, key=lambda point: point.at) if lines.curved(column) else unordered


def _names(model: Model, column: Column, most: int) -> list[Any]:
    """The names of a category in their order, only the most common of very many; of a flag both values."""
    names: list[Any] = [False, True] if column.kind == "flag" else list(model.names(column))
    shares = model.spread(column).shares
    common = sorted(names, key=lambda name: -shares.get(name, 0.0))[:most]
    return [name for name in names if name in common]


def _order(column: Column, value: Any) -> float:
    """What comes first on the line; missing and invalid values come last."""
    at = lines.place(column, value)
    return math.inf if at is None else at


def _with(values: list[Any], now: Any) -> list[Any]:
    return values if now in values else [*values, now]
