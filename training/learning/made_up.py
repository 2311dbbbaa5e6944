"""Golden rows that are nobody's: made up from the contract and from the distribution of each column by itself.

Columns are drawn independently of each other, numbers between the deciles and rounded, names only where several rows
had them. Of many such rows those are kept that cover the most of the model: each feature missing, low and high, and
then leaves of its trees that no row before has reached.
"""

import math
from typing import Any

import lightgbm as lgb
import numpy as np

from model.features import FeatureMatrix
from model.model import Model
from model.reference import SEVERAL, Reference
from validation.contract import Column, Kind
from validation.decode import to_arrays
from validation.decode_rows import RowDecoder
from validation.errors import TableError
from validation.values import written

_TRIED, _FEWEST, _CELLS = 2_000, 100, 500_000
"""How many candidates are made: fewer for a table with more than a few hundred columns."""
_MISSING = 0.1
"""The share of rows that lack a value of a column in which training saw missing ones."""
_STEPS = 3
"""Numbers are rounded to a thousandth of their range, or finer by less than ten times."""


def rows(model: Model, reference: Reference, count: int) -> list[dict[str, Any]]:
    """Rows as requests carry them, none of which was taken from a table.

    Args:
        model: whose contract they satisfy, and whose features and leaves they cover.
        reference: what training saw of each column.
        count: how many.

    Raises:
        TableError: the contract takes none of the rows that were made up.
    """
    problem, contract = model.problem, model.problem.contract
    candidates = _candidates(model, reference)
    decoded = RowDecoder(contract, model.fitted.vocabularies).decode(candidates)
    if not decoded.inputs:
        first = decoded.errors[0]
        raise TableError(
            f"No row made up from the columns of '{problem.name}' satisfies its contract; the first has "
            f"{first.column}: {first.message}. Look at the bounds and choices of that column."
        )
    matrix = FeatureMatrix(problem, model.fitted)(to_arrays(contract.inputs, decoded.inputs))
    leaves = [_leaves(text, matrix) for text in model.boosters.values()]
    kept = _widest(_regions(matrix), np.hstack(leaves), count)
    return [candidates[decoded.positions[place]] for place in kept]


def _candidates(model: Model, reference: Reference) -> list[dict[str, Any]]:
    contract = model.problem.contract
    random = np.random.default_rng(0)
    count = max(min(_TRIED, _CELLS // len(contract.inputs)), _FEWEST)
    values = {}
    for column in contract.inputs:
        drawn = _drawn(column, reference, model.fitted.vocabularies.get(column.name, []), random.random(count))
        missing = random.random(count) < _MISSING  # drawn for every column, so that one does not change the others
        if column.nullable and reference.columns[column.name].missing > 0:
            drawn = [None if lacks else value for value, lacks in zip(drawn, missing.tolist(), strict=True)]
        values[column.name] = drawn
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _drawn(column: Column, reference: Reference, vocabulary: list[str], places: np.ndarray) -> list[Any]:
    """Values of one column, as requests carry them, at `places`: ranks from 0 to 1, shape (values,)."""
    if column.kind in (Kind.CATEGORY, Kind.FLAG):
        names = _names(column, reference, vocabulary)
        return [names[int(place * len(names))] if names else None for place in places.tolist()]
    deciles = reference.deciles(column)
    if not deciles:
        return [None] * len(places)
    numbers = np.interp(places, np.linspace(0, 1, len(deciles)), deciles).tolist()
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return [written(column.kind, math.floor(number)) for number in numbers]
    if column.kind is Kind.INTEGER:
        return [round(number) for number in numbers]
    return [_rounded(number, deciles[0], deciles[-1]) for number in numbers]


def _names(column: Column, reference: Reference, vocabulary: list[str]) -> list[Any]:
    """Names, or flags, that several training rows had; all choices or the vocabulary where there are none."""
    counts = reference.counts(column)
    if column.kind is Kind.FLAG:
        return [name == "true" for name in sorted(counts)]
    common = sorted(name for name, rows in counts.items() if rows >= SEVERAL)
    return common or list(column.choices or vocabulary)


def _rounded(number: float, low: float, high: float) -> float:
    if not 0 < high - low < math.inf:
        return number
    digits = _STEPS - math.floor(math.log10(high - low))
    return min(max(round(number, digits), low), high)


def _regions(matrix: np.ndarray) -> np.ndarray:
    """Which part of each feature's values a row is in: 0 missing, 1 the lower half of the range, 2 the upper."""
    missing = np.isnan(matrix)
    empty = missing.all(axis=0)
    low = np.where(empty, 0.0, np.where(missing, np.inf, matrix).min(axis=0))
    high = np.where(empty, 0.0, np.where(missing, -np.inf, matrix).max(axis=0))
    upper = np.where(missing, -np.inf, matrix) > low / 2 + high / 2
    regions: np.ndarray = np.where(missing, 0, 1 + upper)
    return regions


def _leaves(text: str, matrix: np.ndarray) -> np.ndarray:
    """The leaf of each tree that each row falls into, shape (rows, trees)."""
    leaves = np.asarray(lgb.Booster(model_str=text).predict(matrix, pred_leaf=True, num_threads=1))
    return leaves.reshape(len(matrix), -1).astype(np.int64)


def _widest(regions: np.ndarray, leaves: np.ndarray, count: int) -> list[int]:
    """Rows chosen one after the other, each for the regions, and then the leaves, that the rows before do not cover."""
    parts = np.hstack([regions, leaves])
    weights = np.where(np.arange(parts.shape[1]) < regions.shape[1], leaves.shape[1] + 1, 1)
    columns = np.arange(parts.shape[1])
    reached = np.zeros((parts.shape[1], int(parts.max()) + 1), dtype=bool)
    kept: list[int] = []
    for _ in range(min(count, len(parts))):
        gains = ~reached[columns, parts] @ weights
        gains[kept] = -1
        kept.append(int(gains.argmax()))
        reached[columns, parts[kept[-1]]] = True
    return sorted(kept)
