"""Example rows, as the service publishes them: the values of each go together."""

from typing import Any

from ui.described import Column, Model, Row

MOST = 3
_UNKNOWN = "unknown"


def rows(model: Model) -> list[Row]:
    """Different rows that the contract allows, the form's first one before the others.

    A service whose model was evaluated by earlier code publishes the contract's example alone. To vary its columns here
    would contradict the others: nothing that a service says tells which of them hang together.
    """
    first = {column.name: _example(model, column) for column in model.inputs}
    others = [row for row in model.examples if row.keys() == first.keys() and row != first]
    return [first, *others][:MOST]


def _example(model: Model, column: Column) -> Any:
    """The published value, or a common one of the training data where the contract says none."""
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
