"""One column varied with all others fixed: the rows to ask for, and the points of their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ui.described import Column, Model, Row

POINTS = 41
"""The number of points of a curve."""
MOST_CHOICES = 40
_EXACT = 2.0**53
"""Larger integers are not exact as JSON numbers, and no column takes them."""
_FIRST, _LAST = (moment.replace(tzinfo=UTC).timestamp() for moment in (datetime.min, datetime(9999, 12, 31)))


@dataclass(frozen=True)
class Point:
    """The answer for one value; `at` is its position on the axis."""

    value: Any
    at: float
    answer: dict[str, Any] | None


def values(model: Model, column: Column, now: Any) -> list[Any]:
    """The values to try: over the range of the training data, and the row's own value `now`.

    Choices keep their order, without the rarest of very many; numbers and dates are evenly spaced.
    """
    spread = model.spread(column)
    missing: list[Any] = [None] if column.nullable else []
    if not curved(column):
        names: list[Any] = [False, True] if column.kind == "flag" else list(model.names(column))
        if len(names) > MOST_CHOICES:
            most_common = sorted(names, key=lambda name: -spread.shares.get(name, 0.0))[:MOST_CHOICES]
            names = [name for name in names if name in most_common]
        return [*names, *missing, *([now] if now not in (*names, *missing) else [])]
    current = [] if (place := _place(column, now)) is None else [place]
    ends = [_line(column, end) for end in (*spread.deciles[:1], *spread.deciles[-1:])] or _ends(
        column, now if current else None
    )
    low, high = min(ends + current), max(ends + current)
    places = [low + (high - low) * step / (POINTS - 1) for step in range(POINTS)]
    tried = {place: value_at(column, place) for place in sorted({*places, *current})}
    tried.update(dict.fromkeys(current, now))
    invalid = [now] if now is not None and not current else []  # the service reports what is wrong with it
    return [*dict.fromkeys(tried.values()), *missing, *invalid]


def curved(column: Column) -> bool:
    """Whether the answers form a curve over numeric values; else there is a bar for each."""
    return column.kind in ("integer", "real", "date", "timestamp")


def rows(row: Row, column: Column, tried: Sequence[Any]) -> list[Row]:
    """Copies of the row, one for each value."""
    return [{**row, column.name: value} for value in tried]


def points(column: Column, tried: Sequence[Any], answers: Sequence[dict[str, Any] | None]) -> list[Point]:
    """The values with their answers; those of a curve are sorted by position."""
    unordered = [
        Point(value, at if curved(column) and (at := _place(column, value)) is not None else place, answer)
        for place, (value, answer) in enumerate(zip(tried, answers, strict=True))
    ]
    return sorted(unordered, key=lambda point: point.at) if curved(column) else unordered


def _ends(column: Column, now: Any) -> list[float]:
    """The range without training data from the service: the column's bounds, or a range around the value."""
    if column.kind in ("date", "timestamp"):
        middle = _line(column, now or column.example or date.today().isoformat())
        half_a_year = 183.0 if column.kind == "date" else 183 * 86_400.0
        return [middle - half_a_year, middle + half_a_year]
    middle = float(now if now is not None else column.example or 0)
    around = max(abs(middle), 1.0)
    low = column.ge if column.ge is not None else middle - around
    return [low, column.le if column.le is not None else max(middle, low) + around]


def _place(column: Column, value: Any) -> float | None:
    """The position of a value on the axis; None for a missing or invalid one."""
    try:
        return None if value is None else _line(column, value)
    except (ValueError, TypeError):
        return None


def _line(column: Column, value: Any) -> float:
    if column.kind == "date":
        return float(date.fromisoformat(value).toordinal())
    return _moment(value).timestamp() if column.kind == "timestamp" else float(value)


def value_at(column: Column, at: float) -> Any:
    """The value at a position on the axis."""
    match column.kind:
        case "date":
            return date.fromordinal(round(_clamped(at, date.min.toordinal(), date.max.toordinal()))).isoformat()
        case "timestamp":
            moment = datetime.fromtimestamp(_clamped(at, _FIRST, _LAST), UTC)
            return moment.replace(tzinfo=None).isoformat(timespec="seconds")
        case "integer":
            return round(_clamped(_clamped(at, -_EXACT, _EXACT), column.ge, column.le))
        case _:
            return _clamped(float(f"{at:.10g}"), column.ge, column.le)


def _clamped(value: float, low: float | None, high: float | None) -> float:
    """The value, clamped to the bounds."""
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
