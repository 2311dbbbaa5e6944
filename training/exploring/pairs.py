"""Which columns say the same: pairs of inputs, by rank correlation where both have an order, else by Cramér's V."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from training.data import tables
from training.exploring import binned, relation
from training.learning.metrics import sample
from validation.contract import Contract, Kind

MOST_COLUMNS, MOST_ROWS = 60, 20_000
SAME, _TOLD = 0.3, 20
"""The size from which a pair is told, and how many are."""
_FEWEST_BOTH = 5 * binned.FEWEST


class Pair(NamedTuple):
    """Two columns: the measure's size from -1 to 1 (from 0 of Cramér's V), and its name."""

    one: str
    other: str
    size: float
    measure: str


def strongest(contract: Contract, rows: pd.DataFrame, order: list[str]) -> list[Pair]:
    """The pairs of at least `SAME`, the strongest first.

    Args:
        contract: of the rows.
        rows: those that are shown; a sample of them is looked at.
        order: the inputs, of which the first `MOST_COLUMNS` are looked at.
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
    strong = sorted((pair for pair in pairs if abs(pair.size) >= SAME), key=lambda pair: -abs(pair.size))
    return strong[:_TOLD]


def _ranks(columns: Mapping[str, np.ndarray]) -> list[Pair]:
    """Spearman's correlation of each two, over the rows that have both."""
    table = pd.DataFrame(columns)
    found = table.rank().corr(min_periods=_FEWEST_BOTH).to_numpy() if columns else np.empty((0, 0))
    pairs = itertools.combinations(enumerate(columns), 2)
    return [
        Pair(one, other, float(found[i, j]), "rank correlation")
        for (i, one), (j, other) in pairs
        if not np.isnan(found[i, j])
    ]


def _names(places: Mapping[str, np.ndarray], named: set[str]) -> list[Pair]:
    """Cramér's V of each two of which one has names, over the rows that have both."""
    pairs = []
    for one, other in itertools.combinations(places, 2):
        there = (places[one] >= 0) & (places[other] >= 0)
        if not {one, other} & named or there.sum() < _FEWEST_BOTH:
            continue
        pairs.append(Pair(one, other, relation.cramer(places[one][there], places[other][there]), "Cramér's V"))
    return pairs
