"""Rows to begin with, made of what the service says: the contract's example, and others like it."""

from datetime import date
from typing import Any

from ui.described import Column, Model, Row, Spread

MOST = 3


def rows(model: Model) -> list[Row]:
    """Different rows that the contract allows; the first is its own example.

    In the others every column has moved on by as many places as every other: to the next name, the next decile of what
    training saw. So columns that go together (two cities, a distance and a duration) still do.
    """
    found: list[Row] = []
    for places in range(MOST):
        row = {column.name: _moved(column, model.spread(column), places) for column in model.inputs}
        if row not in found:
            found.append(row)
    return found


def _moved(column: Column, spread: Spread, places: int) -> Any:
    value = column.example
    if not places:
        return value
    if column.choices:
        return column.choices[(_place(column.choices, value) + places) % len(column.choices)]
    if column.kind == "flag":
        return bool(value) ^ bool(places % 2)
    if len(spread.deciles) < 3 or value is None:
        return value
    inner = spread.deciles[1:-1]  # neither the least nor the greatest there ever was
    nearest = min(range(len(inner)), key=lambda place: abs(_measure(inner[place]) - _measure(value)))
    moved = inner[(nearest + 3 * places) % len(inner)]
    return round(moved) if column.kind == "integer" else moved


def _place(choices: tuple[str, ...], value: Any) -> int:
    return choices.index(value) if value in choices else -1


def _measure(value: Any) -> float:
    """A number or an ISO date as something to be near to."""
    return float(date.fromisoformat(value[:10]).toordinal()) if isinstance(value, str) else float(value)
