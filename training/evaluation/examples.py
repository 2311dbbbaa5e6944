"""Example rows that hang together and are nobody's: the middles of groups of rows that are alike.

A column's own typical value may contradict that of another: 30 months at 74 a month are not 351 in all. So an example
is the middle of `FEWEST` rows that are alike in every column: of numbers the median, of names the most common one, if
so many rows have it.
Statistical agencies publish such middles in place of rows (microaggregation; Domingo-Ferrer and Mateo-Sanz, "Practical
data-oriented microaggregation for statistical disclosure control", 2002).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from model.predictor import Predictor
from training.data import tables
from training.evaluation import shifted
from training.learning import tasks
from training.learning.metrics import sample
from training.learning.privacy import FEWEST
from validation.contract import Column, Kind
from validation.decode import Columns, to_arrays
from validation.values import written

_MOST_ROWS, _MOST_CELLS, _CENTRES = 20_000, 1_000_000, 60
_LEVELS = (0.5, 0.1, 0.9)
"""Which answers the examples have, among those to all rows: a middle one first, then a low and a high one.

The contract's own example takes the place of the first, if its values go together.
"""
_BAND = 0.08
_NEARLY_ALL = 0.95
_STEPS = 3
"""Numbers are rounded to a thousandth of what most rows range over, or finer by less than ten times."""


def find(predictor: Predictor, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Examples as requests carry them, with different answers; fewer where rows are too few or too unlike.

    Args:
        predictor: the model, which answers each of them without a warning.
        rows: silver rows that it learned from.
    """
    contract = predictor.contract
    most = max(_MOST_CELLS // len(contract.inputs), 5 * FEWEST)
    some = rows.iloc[sample(len(rows), min(_MOST_ROWS, most))]
    if len(some) < 5 * FEWEST:
        return []
    answered, scores = tables.ask(predictor, some)
    some = some.iloc[answered]
    arrays, every = tables.inputs(contract, some), tables.inputs(contract, rows)
    near, ranks = _Near(contract.inputs, arrays), _ranks(predictor, scores)
    stated = contract.example()
    found = [stated] if _hangs_together(predictor, stated, arrays) else []
    for level in _LEVELS[len(found) :]:
        groups = near.groups(np.flatnonzero(np.abs(ranks - level) <= _BAND))
        middles = (_middle(contract.inputs, tables.inputs(contract, some.iloc[group]), every) for group in groups)
        good = (row for row in middles if row is not None and row not in found and _is_clean(predictor, row))
        found += [row for row in [next(good, None)] if row is not None]
    return found


def _hangs_together(predictor: Predictor, stated: dict[str, Any], arrays: Columns) -> bool:
    """Whether a row is as like its nearest rows as rows of the table are, nearly all of them."""
    if not _is_clean(predictor, stated):
        return False
    inputs = predictor.contract.inputs
    own = to_arrays(inputs, predictor.decode([stated]).inputs)
    near = _Near(inputs, {name: np.concatenate([values, own[name]]) for name, values in arrays.items()})
    rows = np.arange(len(arrays[inputs[0].name]))
    usual = [near.nearest(int(place), rows)[0] for place in sample(len(rows), _CENTRES)]
    return near.nearest(len(rows), rows)[0] <= float(np.quantile(usual, _NEARLY_ALL))


def _ranks(predictor: Predictor, scores: np.ndarray) -> np.ndarray:
    """The rank of each row's answer from 0 to 1, of several classes that of the mean place; shape (rows,)."""
    judged = tasks.of_outcome(predictor.outcome).judged(scores)
    level = judged if judged.ndim == 1 else judged @ np.arange(judged.shape[1])
    ranks: np.ndarray = pd.Series(level).rank(method="first", pct=True).to_numpy()
    return ranks


class _Near:
    """How unlike rows are: the sum over columns of the difference of ranks, or of whether names differ (Gower)."""

    def __init__(self, inputs: tuple[Column, ...], arrays: Columns) -> None:
        self._names = [pd.factorize(arrays[column.name])[0] for column in inputs if column.kind is Kind.CATEGORY]
        self._ranks = [
            pd.Series(tables.floats(column, arrays[column.name])).rank(pct=True).fillna(-1.0).to_numpy()
            for column in inputs
            if column.kind is not Kind.CATEGORY
        ]

    def groups(self, band: np.ndarray) -> Iterator[np.ndarray]:
        """Groups of `FEWEST` of some rows, those that are most alike first.

        Args:
            band: the places of the rows, shape (rows,).
        """
        if len(band) < FEWEST:
            return
        found = [self.nearest(int(centre), band) for centre in band[sample(len(band), _CENTRES)]]
        yield from (group for _, group in sorted(found, key=lambda one: one[0]))

    def nearest(self, centre: int, others: np.ndarray) -> tuple[float, np.ndarray]:
        """The `FEWEST` of some rows that are most like one, and how unlike they are on average.

        Args:
            centre: the place of the one.
            others: the places of the rows, shape (rows,).
        """
        unlike = np.zeros(len(others))
        for codes in self._names:
            unlike += codes[others] != codes[centre]
        for ranks in self._ranks:
            unlike += np.abs(ranks[others] - ranks[centre])
        closest = np.argsort(unlike, kind="stable")[:FEWEST]
        return float(unlike[closest].mean()), others[closest]


def _middle(inputs: tuple[Column, ...], group: Columns, every: Columns) -> dict[str, Any] | None:
    """The middle of a group as requests carry it; None if it is a row that few have, or has a name that few have."""
    row: dict[str, Any] = {}
    equal = np.ones(len(every[inputs[0].name]), dtype=bool)
    for column in inputs:
        values, all_values = group[column.name], every[column.name]
        if column.kind is Kind.CATEGORY:
            names = pd.Series(values, dtype=object).mode(dropna=False).tolist()
            value, same = names[0], pd.isna(all_values) if names[0] is None else all_values == names[0]
            if same.sum() < FEWEST:
                return None
        else:
            value, same = _number(column, tables.floats(column, values), tables.floats(column, all_values))
        row[column.name] = value
        equal &= same
    return None if 0 < equal.sum() < FEWEST else row


def _number(column: Column, values: np.ndarray, every: np.ndarray) -> tuple[Any, np.ndarray]:
    """The median of a number, flag or time as requests carry it, and which of all rows have it, shape (rows,)."""
    known = np.sort(values[~np.isnan(values)])
    if 2 * len(known) <= len(values):
        return None, np.isnan(every)
    if column.kind is Kind.FLAG:
        flag = bool(known.mean() > 0.5)
        return flag, every == float(flag)
    middle = float(np.median(known / 2) * 2)  # the mean of two of the largest numbers would be infinite
    if (every == middle).sum() < FEWEST:
        middle = _rounded(column, middle, every)
    if shifted.is_time(column):
        return written(column.kind, middle), every == middle
    return (round(middle) if column.kind is Kind.INTEGER else middle), every == middle


def _rounded(column: Column, value: float, every: np.ndarray) -> float:
    """A number that stands for more than one row: by a step that suits what most rows range over."""
    if column.kind in (Kind.DATE, Kind.INTEGER):
        return float(round(value))
    low, high = np.nanquantile(every, (0.05, 0.95))
    step = math.floor(math.log10(high - low)) - _STEPS if high > low else 0
    near = round(value, -step)
    bounded = near if column.ge is None else max(near, column.ge)
    return bounded if column.le is None else min(bounded, column.le)


def _is_clean(predictor: Predictor, row: dict[str, Any]) -> bool:
    """Whether the model answers a row, and without a warning."""
    decoded = predictor.decode([row])
    return not decoded.errors and not decoded.warnings
