"""Rows made of what the service publishes of each column: nobody's, and no more than its own distribution says.

Each column is drawn by itself, so what goes together in reality does not go together here. A Latin hypercube (McKay,
Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input Variables", 1979) has each column's
distribution in few rows: one value from each of `count` equally common parts of it.
"""

import random
from itertools import accumulate
from typing import Any

from ui import lines
from ui.described import Column, Model, Row

_UNKNOWN = "unknown"


def rows(model: Model, count: int) -> list[Row]:
    """So many rows, always the same ones of a model."""
    drawn = {
        column.name: [value(model, column, share) for share in _shares(column.name, count)] for column in model.inputs
    }
    return [{name: values[place] for name, values in drawn.items()} for place in range(count)]


def value(model: Model, column: Column, share: float) -> Any:
    """The value below which a share of the training rows lies, or the name of the part of them in which it lies.

    The last part of a column with missing values is None. Of a column of which nothing is published it is the example.
    """
    missing = model.spread(column).missing if column.nullable else 0.0
    if share > 1 - missing:
        return None
    share = share / (1 - missing) if missing < 1 else share
    if lines.curved(column):
        return _quantile(model, column, share)
    names = names_of(model, column)
    if not names:
        return column.example if column.example is not None or column.nullable else _UNKNOWN
    reached = accumulate(part for _, part in names)
    return next((name for (name, _), end in zip(names, reached, strict=True) if share <= end), names[-1][0])


def names_of(model: Model, column: Column) -> list[tuple[Any, float]]:
    """The names of a category or flag with their shares, which add up to 1, the most common first."""
    shares = model.spread(column).shares
    found: list[tuple[Any, float]]
    if column.kind == "flag":
        found = [(flag, shares.get(str(flag).lower(), 0.0)) for flag in (True, False)]
    else:
        found = [(name, shares.get(name, 0.0)) for name in model.names(column)]
    if not any(share for _, share in found):
        found = [(name, 1.0) for name, _ in found]
    total = sum(share for _, share in found)
    return sorted(((name, share / total) for name, share in found if share), key=lambda each: -each[1])


def _quantile(model: Model, column: Column, share: float) -> Any:
    deciles = lines.deciles(model, column)
    return lines.value_at(column, lines.quantile(share, deciles)) if deciles else column.example


def _shares(name: str, count: int) -> list[float]:
    """The middles of equal parts from 0 to 1, in an order of the column's own."""
    shares = [(place + 0.5) / count for place in range(count)]
    random.Random(name).shuffle(shares)  # noqa: S311 no secret depends on it
    return shares
