"""Which columns say the same: pairs of inputs, by rank correlation where both have an order, else by Cramér's V."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from model.metrics import Tie
from training.data import tables
from training.evaluation import binned
from training.learning.metrics import sample
from training.learning.privacy import FEWEST
from validation.contract import Contract, Kind

MOST_COLUMNS, MOST_ROWS = 60, 20_000
SAME = 0.3
"""The size from which the page on a table has a pair."""
TIED = 0.8
"""The size from which a model's metrics have a pair: of such columns, one hardly changes without the other."""
_MOST_PAIRS = 20
_FEWEST_BOTH = 5 * FEWEST


def strongest(contract: Contract, rows: pd.DataFrame, order: Sequence[str], least: float = SAME) -> list[Tie]:
    """The pairs of at least so great a size, the strongest first and at most `_MOST_PAIRS`.

    Args:
        contract: of the rows.
        rows: of any number; a sample of them is looked at.
        order: the inputs, of which the first `MOST_COLUMNS` are looked at.
        least: the size, without its sign.
    """
    some = rows.iloc[sample(len(rows), MOST_ROWS)]
    arrays = tables.inputs(contract, some)
    columns = {column.name: column for column in contract.inputs}
    asked = [columns[name] for name in order[:MOST_COLUMNS]]
    ranked = {
        column.name: binned.numbers(column, arrays[column.name])
        for column in asked
        if column.kind not in (Kind.CATEGORY, Kind.FLAG)
    }
    places = {column.name: binned.groups(column, arrays[column.name]).places for column in asked}
    named = (name for name in places if name not in ranked)
    pairs = [*_ranks(ranked), *_names(places, set(named))]
    strong = sorted((pair for pair in pairs if abs(pair.size) >= least), key=lambda pair: -abs(pair.size))
    return strong[:_MOST_PAIRS]


def _ranks(columns: Mapping[str, np.ndarray]) -> list[Tie]:
    """Spearman's correlation of each two, over the rows that have both."""
    table = pd.DataFrame(columns)
    found = table.rank().corr(min_periods=_FEWEST_BOTH).to_numpy() if columns else np.empty((0, 0))
    pairs = itertools.combinations(enumerate(columns), 2)
    return [
        Tie(one, other, round(float(found[i, j]), 2), "rank correlation")
        for (i, one), (j, other) in pairs
        if not np.isnan(found[i, j])
    ]


def _names(places: Mapping[str, np.ndarray], named: set[str]) -> list[Tie]:
    """Cramér's V of each two of which one has names, over the rows that have both."""
    pairs = []
    for one, other in itertools.combinations(places, 2):
        there = (places[one] >= 0) & (places[other] >= 0)
        if not {one, other} & named or there.sum() < _FEWEST_BOTH:
            continue
        size = round(cramer(places[one][there], places[other][there]), 2)
        pairs.append(Tie(one, other, size, "Cramér's V"))
    return pairs


def cramer(one: np.ndarray, other: np.ndarray) -> float:
    """Cramér's V of two columns of codes, from 0 to 1, without what chance adds.

    The correction is Bergsma's, "A bias-correction for Cramér's V and Tschuprow's T", 2013.

    Args:
        one: the code of each row, from 0; shape (rows,).
        other: the same of the other column.
    """
    width = int(other.max()) + 1
    table = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width).reshape(-1, width)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    rows, (down, across) = table.sum(), table.shape
    if min(down, across) < 2 or rows < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    phi = float(((table - expected) ** 2 / expected).sum()) / rows
    corrected = max(phi - (down - 1) * (across - 1) / (rows - 1), 0.0)
    fewest = min(down - (down - 1) ** 2 / (rows - 1), across - (across - 1) ** 2 / (rows - 1)) - 1
    return min(float((corrected / fewest) ** 0.5), 1.0) if fewest > 0 else 0.0
