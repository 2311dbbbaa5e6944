"""Columns whose test rows are not like those that the model learned from."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from model import psi
from validation.contract import Column, Contract, Kind

_BINS, _NAMES = 10, 20
_TOLD = 3


def find(contract: Contract, before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    """A sentence about the inputs and the target that changed most, if any changed much.

    Args:
        contract: of the rows.
        before: silver rows that the model learned from.
        after: those that it is judged on.
    """
    asked = [column for column in (*contract.inputs, contract.target) if not is_time(column)]
    both = {column.name: stability(column, before[column.name], after[column.name]) for column in asked}
    indexes = {name: index for name, (index, by_chance) in both.items() if index > psi.MUCH + by_chance}
    shifted = sorted(indexes, key=lambda name: -indexes[name])
    if shifted:
        told = ", ".join(f"`{name}` ({indexes[name]:.2f})" for name in shifted[:_TOLD])
        more = f" and {len(shifted) - _TOLD} more" if len(shifted) > _TOLD else ""
        yield (
            f"The test rows are unlike those that the model learned from in {told}{more}, by the population stability "
            f"index, of which {psi.MUCH} is much: scores and coverage here are those of another kind of rows."
        )


def is_time(column: Column) -> bool:
    """Times after those before are what a split in time is for."""
    return column.kind in (Kind.DATE, Kind.TIMESTAMP)


def stability(column: Column, before: pd.Series, after: pd.Series) -> tuple[float, float]:
    """The population stability index of two columns of shape (rows,) each, and what chance alone may make of it.

    Numbers are cut at deciles of the rows before.
    """
    numbers = column.kind in (Kind.INTEGER, Kind.REAL)
    places, bins = _deciles(before, after) if numbers else _common(before, after)
    counts = [np.bincount(place, minlength=bins) for place in places]
    return psi.index(*counts), psi.by_chance(bins, len(before), len(after))


def _deciles(before: pd.Series, after: pd.Series) -> tuple[list[np.ndarray], int]:
    """The tenth of each value, missing ones by themselves, and how many there are."""
    known, later = (column.to_numpy(dtype=float, na_value=np.nan) for column in (before, after))
    ranks = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.array([]) if np.isnan(known).all() else np.unique(np.nanquantile(known, ranks))
    missing = len(edges) + 1
    return [
        np.where(np.isnan(values), missing, np.searchsorted(edges, values, side="left")) for values in (known, later)
    ], missing + 1


def _common(before: pd.Series, after: pd.Series) -> tuple[list[np.ndarray], int]:
    """The place of each name among the most common ones; others and missing ones have one each."""
    common = before.value_counts().index[:_NAMES]
    others, missing = len(common), len(common) + 1
    return [
        np.where(column.isna(), missing, np.where(column.isin(common), common.get_indexer(pd.Index(column)), others))
        for column in (before, after)
    ], missing + 1
