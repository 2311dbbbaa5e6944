"""Rows to begin with, made of what the service says: the contract's example, and others like it."""

from datetime import date
from typing import Any

from ui.described import Column, Model, Row

MOST = 3
_VARIED = 2
_UNKNOWN = "unknown"


def rows(model: Model) -> list[Row]:
    """Different rows that the contract allows: its own example, and others in the columns that matter most.

    More columns than two would soon contradict each other: the service has no rows to give away, and knows no rules
    between columns.
    """
    example = {column.name: _example(model, column) for column in model.inputs}
    varied = sorted(model.inputs, key=lambda column: -model.importance.get(column.name, 0.0))[:_VARIED]
    found: list[Row] = []
    for places in range(MOST):
        moved = {c.name: _moved(model, c, example[c.name], places) for c in varied}
        if (row := {**example, **moved}) not in found:
            found.append(row)
    return found


def _example(model: Model, column: Column) -> Any:
    """The contract's, or else what is common in the training data."""
    spread = model.spread(column)
    if column.example is not None or column.nullable:
        return column.example
    if column.kind == "category":
        # where no name is told, one that nobody knows: such columns let others pass
        return max(model.names(column), key=lambda name: spread.shares.get(name, 0.0), default=_UNKNOWN)
    if column.kind == "flag":
        return spread.shares.get("true", 0.0) > 0.5
    if not spread.deciles:
        return None
    middle = spread.deciles[len(spread.deciles) // 2]
    return round(middle) if column.kind == "integer" else middle


def _moved(model: Model, column: Column, value: Any, places: int) -> Any:
    """A value so many names or deciles further."""
    spread, names = model.spread(column), model.names(column)
    if not places:
        return value
    if column.kind == "category":
        return names[(_place(names, value) + places) % len(names)] if names else value
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
