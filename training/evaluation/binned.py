"""A column cut into groups of `FEWEST` rows at least, for what is published of a table and of a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.data import tables
from training.evaluation import shifted
from training.learning import privacy
from training.learning.privacy import FEWEST
from validation.contract import Column, Kind
from validation.values import written

_BARS, _GROUPS, _NAMES = 24, 10, 10
_IN_TAIL = 0.005
OTHERS = "others"


@dataclass(frozen=True)
class Bins:
    """Groups of rows, in order.

    Attributes:
        places: the group of each row, -1 for rows without a value; shape (rows,).
        labels: the groups in words.
        edges: where numbers or times are cut, one more than groups; empty for names. The first and the last group have
            the rows beyond the ends too.
    """

    places: np.ndarray
    labels: list[str]
    edges: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How many rows each group has."""
        return np.bincount(self.places[self.places >= 0], minlength=len(self.labels))


NONE = Bins(np.empty(0, dtype=int), [], np.empty(0))


def numbers(column: Column, values: np.ndarray) -> np.ndarray:
    """Finite numbers and times as floats, NaN where there is none; shape (rows,). See `tables.floats`."""
    found = tables.floats(column, values)
    return np.where(np.isfinite(found), found, np.nan)


def ends(known: np.ndarray) -> tuple[float, float]:
    """The means of the least and of the greatest values of a sorted array: of `FEWEST`, or of half a percent."""
    rows = max(FEWEST, int(len(known) * _IN_TAIL))
    return privacy.several(known, slice(None, rows)), privacy.several(known, slice(-rows, None))


def evenly(column: Column, values: np.ndarray) -> Bins:
    """Groups of equal width for a histogram, joined where they have few rows; of few different values one each.

    Args:
        column: of numbers or times.
        values: as `numbers` has them.
    """
    known = np.sort(values[~np.isnan(values)])
    if len(known) < FEWEST:
        return _none(values)
    distinct = np.unique(known)
    low, high = ends(known)
    if len(distinct) <= _BARS:
        gap = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
        edges = np.concatenate([[distinct[0] - gap / 2], _middles(distinct), [distinct[-1] + gap / 2]])
    elif low < high:
        edges = np.linspace(low, high, _BARS + 1)
    else:
        edges = np.array([low - 0.5, low + 0.5])
    return _cut(column, values, edges)


def equally(column: Column, values: np.ndarray) -> Bins:
    """Groups of about as many rows each, for what depends on the column; arguments as those of `evenly`."""
    known = np.sort(values[~np.isnan(values)])
    if len(known) < FEWEST:
        return _none(values)
    inner = np.unique(np.quantile(known, np.linspace(0, 1, _GROUPS + 1)[1:-1], method="higher"))
    low, high = ends(known)
    inner = inner[(inner > known[0]) & (inner > low) & (inner < high)]
    few = np.unique(known)
    if len(few) <= _GROUPS:
        inner = _middles(few)
    return _cut(column, values, np.array([min(low, *inner, high), *inner, max(low, *inner, high)]))


def named(values: Sequence[object] | np.ndarray, most: int = _NAMES) -> Bins:
    """The most common names, each with `FEWEST` rows at least, and all others together if those have as many.

    Args:
        values: texts, None where there is none; shape (rows,).
        most: how many names.
    """
    codes, names = pd.factorize(np.asarray(values, dtype=object), sort=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    common = order[counts[order] >= FEWEST][:most]
    rest = int(counts.sum() - counts[common].sum())
    place_of = np.full(len(names) + 1, len(common) if rest >= FEWEST else -1)
    place_of[common] = np.arange(len(common))
    place_of[-1] = -1  # of rows without a value, whose code is -1
    labels = [*(str(names[place]) for place in common), *([OTHERS] if rest >= FEWEST else [])]
    return Bins(place_of[codes], labels, np.empty(0))


def groups(column: Column, values: np.ndarray) -> Bins:
    """The groups of any column by which other columns differ, from the arrays that features take."""
    if column.kind is Kind.CATEGORY:
        return named(values)
    if column.kind is Kind.FLAG:
        return named(flags(values))
    return equally(column, numbers(column, values))


def flags(values: np.ndarray) -> np.ndarray:
    """Flags (1, 0, NaN) as the texts "true" and "false", and None."""
    texts: np.ndarray = np.array(["false", "true", None], dtype=object)[
        np.where(np.isnan(values), 2, np.nan_to_num(values)).astype(int)
    ]
    return texts


def shown(column: Column, value: float) -> str:
    """A number or time, as `numbers` has it, for people."""
    if shifted.is_time(column):
        return written(column.kind, int(value))[:10]
    if not math.isfinite(value):
        return "\N{EN DASH}"
    value = float(round(value)) if column.kind is Kind.INTEGER else value
    size = abs(value)
    if size >= 1000 and size < 1e9:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == round(value) and size < 1000 else f"{value:.4g}"


def _middles(rising: np.ndarray) -> np.ndarray:
    """What is between each number and the next; the sum of two may be beyond the largest float."""
    middles: np.ndarray = rising[1:] / 2 + rising[:-1] / 2
    return middles


def _none(values: np.ndarray) -> Bins:
    return Bins(np.full(len(values), -1), [], np.empty(0))


def _cut(column: Column, values: np.ndarray, edges: np.ndarray) -> Bins:
    """Rows by where their values lie; neighbours are joined until each has `FEWEST` rows."""
    there = ~np.isnan(values)
    inner = edges[1:-1]
    counts = np.bincount(np.searchsorted(inner, values[there], side="right"), minlength=len(edges) - 1)
    borders, rows = [], 0
    for place, count in enumerate(counts[:-1]):
        rows += int(count)
        if rows >= FEWEST and counts[place + 1 :].sum() >= FEWEST:
            borders.append(inner[place])
            rows = 0
    joined = np.array([edges[0], *borders, edges[-1]])
    places = np.where(there, np.searchsorted(joined[1:-1], np.nan_to_num(values), side="right"), -1)
    return Bins(places, _ranges(column, values, places, joined), joined)


def _ranges(column: Column, values: np.ndarray, places: np.ndarray, edges: np.ndarray) -> list[str]:
    """Each group in words: its value where it has one, else from where to where."""
    labels = []
    for place in range(len(edges) - 1):
        distinct = np.unique(values[places == place])
        if len(distinct) == 1:
            labels.append(shown(column, float(distinct[0])))
        elif column.kind is Kind.INTEGER and len(edges) > 2 and 0 < place < len(edges) - 2:
            labels.append(
                f"{shown(column, math.ceil(edges[place]))} to {shown(column, math.ceil(edges[place + 1]) - 1)}"
            )
        else:
            labels.append(f"{shown(column, edges[place])} to {shown(column, edges[place + 1])}")
    return labels
