"""Example rows, derived from the service's description: the contract's example, and variations of it."""

from datetime import date
from typing import Any

from ui.described import Column, Model, Row

MOST = 3
_VARIED = 2
_UNKNOWN = "unknown"


def rows(model: Model) -> list[Row]:
    """Different rows that the contract allows: its example, and variations in the most important columns.

    Only two columns are varied. More would soon contradict each other, since the service publishes no rows and no rules
    between columns.
    """
    example = {column.name: _example(model, column) for column in model.inputs}
    varied = sorted(model.inputs, key=lambda column: -model.importance.get(column.name, 0.0))[:_VARIED]
    examples: list[Row] = []
    for distance in range(MOST):
        changed = {c.name: _moved(model, c, example[c.name], distance) for c in varied}
        if (row := {**example, **changed}) not in examples:
            examples.append(row)
    return examples


def _example(model: Model, column: Column) -> Any:
    """The contract's example value, or a common one of the training data."""
    spread = model.spread(column)
    if column.example is not None or column.nullable:
        return column.example
    if column.kind == "category":
        # without any known name an unknown one, which such columns accept
        return max(model.names(column), key=lambda name: spread.shares.get(name, 0.0), default=_UNKNOWN)
    if column.kind == "flag":
        return spread.shares.get("true", 0.0) > 0.5
    if not spread.deciles:
        return None
    middle = spread.deciles[len(spread.deciles) // 2]
    return round(middle) if column.kind == "integer" else middle


def _moved(model: Model, column: Column, value: Any, distance: int) -> Any:
    """The value that is `distance` steps of names or deciles further."""
    spread, names = model.spread(column), model.names(column)
    if not distance:
        return value
    if column.kind == "category":
        return names[(_place(names, value) + distance) % len(names)] if names else value
    if column.kind == "flag":
        return bool(value) ^ bool(distance % 2)
    if len(spread.deciles) < 3 or value is None:
        return value
    inner = spread.deciles[1:-1]  # without the minimum and the maximum
    nearest = min(range(len(inner)), key=lambda place: abs(_measure(inner[place]) - _measure(value)))
    moved = inner[(nearest + 3 * distance) % len(inner)]
    return round(moved) if column.kind == "integer" else moved


def _place(choices: tuple[str, ...], value: Any) -> int:
    return choices.index(value) if value in choices else -1


def _measure(value: Any) -> float:
    """A number or an ISO date as a float, to compare distances."""
    return float(date.fromisoformat(value[:10]).toordinal()) if isinstance(value, str) else float(value)
