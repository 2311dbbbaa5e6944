"""One column varied and all others held: the rows to ask for, and what their answers look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ui.described import Column, Model, Row

POINTS = 41
"""Of a curve."""
MOST_CHOICES = 40
_EXACT = 2.0**53
"""Integers beyond are not exact in JSON's numbers, and no column takes them."""
_FIRST, _LAST = (moment.replace(tzinfo=UTC).timestamp() for moment in (datetime.min, datetime(9999, 12, 31)))


@dataclass(frozen=True)
class Point:
    """The answer for one value; `at` is where it stands on a line."""

    value: Any
    at: float
    answer: dict[str, Any] | None


def values(model: Model, column: Column, now: Any) -> list[Any]:
    """The values to try: all over what training saw, and the one that the row has now.

    Choices stay in their order, without the rarest of very many; numbers and dates are evenly spaced.
    """
    spread = model.spread(column)
    missing: list[Any] = [None] if column.nullable else []
    if not curved(column):
        names: list[Any] = [False, True] if column.kind == "flag" else list(model.names(column))
        if len(names) > MOST_CHOICES:
            often = sorted(names, key=lambda name: -spread.shares.get(name, 0.0))[:MOST_CHOICES]
            names = [name for name in names if name in often]
        return [*names, *missing, *([now] if now not in (*names, *missing) else [])]
    here = [] if (place := _place(column, now)) is None else [place]
    ends = [_line(column, end) for end in (*spread.deciles[:1], *spread.deciles[-1:])] or _ends(
        column, now if here else None
    )
    low, high = min(ends + here), max(ends + here)
    places = [low + (high - low) * step / (POINTS - 1) for step in range(POINTS)]
    tried = {place: value_at(column, place) for place in sorted({*places, *here})}
    tried.update(dict.fromkeys(here, now))
    odd = [now] if now is not None and not here else []  # the service says what is wrong with it
    return [*dict.fromkeys(tried.values()), *missing, *odd]


def curved(column: Column) -> bool:
    """Whether the values lie on a line, and answers on a curve; else there is a bar each."""
    return column.kind in ("integer", "real", "date", "timestamp")


def rows(row: Row, column: Column, tried: Sequence[Any]) -> list[Row]:
    """The row with each of the values."""
    return [{**row, column.name: value} for value in tried]


def points(column: Column, tried: Sequence[Any], answers: Sequence[dict[str, Any] | None]) -> list[Point]:
    """The values with their answers, in the order of a line where they lie on one."""
    found = [
        Point(value, at if curved(column) and (at := _place(column, value)) is not None else place, answer)
        for place, (value, answer) in enumerate(zip(tried, answers, strict=True))
    ]
    return sorted(found, key=lambda point: point.at) if curved(column) else found


def _ends(column: Column, now: Any) -> list[float]:
    """Where the service does not say what training saw: the bounds, or something around the value."""
    if column.kind in ("date", "timestamp"):
        middle = _line(column, now or column.example or date.today().isoformat())
        half_a_year = 183.0 if column.kind == "date" else 183 * 86_400.0
        return [middle - half_a_year, middle + half_a_year]
    middle = float(now if now is not None else column.example or 0)
    around = max(abs(middle), 1.0)
    low = column.ge if column.ge is not None else middle - around
    return [low, column.le if column.le is not None else max(middle, low) + around]


def _place(column: Column, value: Any) -> float | None:
    """Where a value stands on the line; None for one that stands nowhere."""
    try:
        return None if value is None else _line(column, value)
    except (ValueError, TypeError):
        return None


def _line(column: Column, value: Any) -> float:
    if column.kind == "date":
        return float(date.fromisoformat(value).toordinal())
    return _moment(value).timestamp() if column.kind == "timestamp" else float(value)


def value_at(column: Column, at: float) -> Any:
    """The value at a place of the line."""
    match column.kind:
        case "date":
            return date.fromordinal(round(_held(at, date.min.toordinal(), date.max.toordinal()))).isoformat()
        case "timestamp":
            moment = datetime.fromtimestamp(_held(at, _FIRST, _LAST), UTC)
            return moment.replace(tzinfo=None).isoformat(timespec="seconds")
        case "integer":
            return round(_held(_held(at, -_EXACT, _EXACT), column.ge, column.le))
        case _:
            return _held(float(f"{at:.10g}"), column.ge, column.le)


def _held(value: float, low: float | None, high: float | None) -> float:
    """The value, or the bound that it lies beyond."""
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
