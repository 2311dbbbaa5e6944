"""Similar cases that are nobody's: groups of rows by a small decision tree on the caller's columns.

The tree reads columns that are cut beforehand: numbers and times at round places between quantiles, names in the order
of their mean target. So a group's condition has round numbers and common names in it.
"""

import decimal
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from model.metrics import Fork, Group, Similar
from model.reference import SEVERAL
from training.data import tables
from training.evaluation import binned, shifted
from training.learning import privacy
from training.learning.metrics import sample
from training.learning.privacy import FEWEST
from validation.contract import Column, Contract, Kind
from validation.decode import Columns
from validation.values import written

MOST_BYTES = 16_000
"""No more of JSON than this; a tree of fewer groups is taken where names are long."""
_MOST_GROUPS, _MOST_FORKS_DEEP = (64, 32, 16, 8, 4, 2), 7
_LEAST_SHARE, _LEAST_ROWS, _LEAST_OF_FEW = 0.01, 50, 0.05
"""A group has a hundredth of the rows and 50 of them, or of fewer than 1,000 rows a twentieth: the tree looks for
groups of one class, and finds small ones by chance."""
_MOST_ROWS, _MOST_CELLS = 50_000, 2_000_000
"""The tree is grown on a sample of the rows; all of them are counted."""
_CUTS, _NAMES = 32, 16
_RANKS = 1_000
"""Numbers are learned by their rank, in whole thousandths: a few large ones do not draw all groups to themselves, and
sums of whole numbers are the same on every processor."""
_PERCENTILES = (0.1, 0.5, 0.9)
_ROUNDED = tuple(
    decimal.Context(prec=3, rounding=way)
    for way in (decimal.ROUND_FLOOR, decimal.ROUND_HALF_EVEN, decimal.ROUND_CEILING)
)
"""Outwards, so that a range does not leave out what it was made of."""
_PERIODS = ("Y", "M", "D", "h", "m", "s")


@dataclass(frozen=True)
class _Cut:
    """A column as the tree reads it.

    Attributes:
        name: of the column.
        places: whole numbers from 0, NaN where there is no value; shape (rows,), in 32 bits as the tree has them.
        values: of a number or a time, what divides each place from the next, as requests carry it.
        names: of a category or a flag, those at each place, in order; None stands for all others.
        others: whether rows have such a name.
    """

    name: str
    places: np.ndarray
    values: Sequence[float | str] = ()
    names: Sequence[str | None] = ()
    others: bool = False


def find(contract: Contract, rows: pd.DataFrame, actual: np.ndarray, classes: Sequence[str]) -> Similar | None:
    """Groups of at least `FEWEST` rows; None where the tree finds none that differ, or none that fit.

    Args:
        contract: of the rows.
        rows: silver rows.
        actual: their encoded targets, shape (rows,).
        classes: the labels of a classification; none of a regression.
    """
    if len(rows) < 2 * FEWEST:
        return None
    arrays = tables.inputs(contract, rows)
    ranks: np.ndarray = np.rint(_RANKS * pd.Series(actual).rank(pct=True).to_numpy())
    learned = actual if classes else ranks
    cuts = [_cut(column, arrays, learned) for column in contract.inputs]
    read = np.column_stack([cut.places for cut in cuts])
    for most in _MOST_GROUPS:
        tree = _grown(read, learned, most, classes)
        found = _published(tree, cuts, read, actual, classes)
        if found.forks and len(msgspec.json.encode(found)) <= MOST_BYTES:
            return found
    return None


def _grown(
    read: np.ndarray, learned: np.ndarray, most: int, classes: Sequence[str]
) -> DecisionTreeClassifier | DecisionTreeRegressor:
    """A tree of at most so many groups; the best forks come first, so that one of fewer groups is a part of it."""
    some = sample(len(read), min(_MOST_ROWS, max(_MOST_CELLS // read.shape[1], 2 * FEWEST)))
    kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
    tree = kind(
        max_leaf_nodes=most,
        max_depth=_MOST_FORKS_DEEP,
        min_samples_leaf=math.ceil(max(FEWEST, _LEAST_SHARE * len(some), min(_LEAST_ROWS, _LEAST_OF_FEW * len(some)))),
        random_state=0,
    )
    return tree.fit(read[some], learned[some])


def _published(
    tree: DecisionTreeClassifier | DecisionTreeRegressor,
    cuts: Sequence[_Cut],
    read: np.ndarray,
    actual: np.ndarray,
    classes: Sequence[str],
) -> Similar:
    """The tree without rows: its forks, and what became of those in each group."""
    grown, leaf_of_row = tree.tree_, tree.apply(read)
    leaves = np.flatnonzero(grown.children_left < 0)
    inner = np.flatnonzero(grown.children_left >= 0)
    place_of = {int(node): place for place, node in enumerate(inner)}
    place_of |= {int(node): -1 - place for place, node in enumerate(leaves)}
    forks = []
    for node in inner.tolist():
        sides = place_of[int(grown.children_left[node])], place_of[int(grown.children_right[node])]
        missing_left = bool(grown.missing_go_to_left[node])
        forks.append(_fork(cuts[grown.feature[node]], float(grown.threshold[node]), sides, missing_left))
    return Similar(forks, [_group(actual[leaf_of_row == leaf], classes) for leaf in leaves], len(actual))


def _fork(cut: _Cut, threshold: float, sides: tuple[int, int], missing_left: bool) -> Fork:
    """A fork of the tree, which goes left up to a place, in the words of requests."""
    left, right = sides
    if math.isinf(threshold):
        return Fork(cut.name, right, left, missing=True)
    place = math.floor(threshold)
    if not cut.names:
        return Fork(cut.name, left, right, below=cut.values[place], missing=missing_left)
    lefts, rights = cut.names[: place + 1], cut.names[place + 1 :]
    listed = (None not in lefts) if cut.others else len(lefts) <= len(rights)
    names = [name for name in (lefts if listed else rights) if name is not None]
    return Fork(cut.name, *(sides if listed else (right, left)), names=names, missing=missing_left == listed)


def _group(actual: np.ndarray, classes: Sequence[str]) -> Group:
    if classes:
        counts = np.bincount(actual.astype(np.intp), minlength=len(classes)).tolist()
        return Group(len(actual), classes={label: count for label, count in zip(classes, counts, strict=True) if count})
    ordered = np.sort(actual)
    low, middle, high = (_about(ordered, *each) for each in zip(_PERCENTILES, _ROUNDED, strict=True))
    return Group(len(actual), low, middle, high)


def _about(ordered: np.ndarray, share: float, rounded: decimal.Context) -> float:
    """About a quantile of numbers in order: the mean of several."""
    first = min(max(round(share * (len(ordered) - 1)) - SEVERAL // 2, 0), len(ordered) - SEVERAL)
    return float(rounded.create_decimal(f"{privacy.several(ordered, slice(first, first + SEVERAL)):.12g}"))


def _cut(column: Column, arrays: Columns, learned: np.ndarray) -> _Cut:
    values = arrays[column.name]
    if column.kind in (Kind.CATEGORY, Kind.FLAG):
        return _names(column, binned.flags(values) if column.kind is Kind.FLAG else values, learned)
    numbers = binned.numbers(column, values)
    known = np.sort(numbers[~np.isnan(numbers)])
    borders = _borders(column, known) if len(known) else []
    places = np.searchsorted(borders, numbers, side="right").astype(np.float32)
    stated = [written(column.kind, border) if shifted.is_time(column) else border for border in borders]
    return _Cut(column.name, np.where(np.isnan(numbers), np.float32(np.nan), places), values=stated)


def _names(column: Column, values: np.ndarray, learned: np.ndarray) -> _Cut:
    """The common names, and all others as one, in the order of their mean target: no other order has better forks."""
    groups = binned.named(values, _NAMES)
    common = [label for label in groups.labels if label != binned.OTHERS]
    labels = [*groups.labels, None]  # the last of rows whose names are too few for a group of others
    known = np.array([value is not None for value in values])
    of_label = np.array([common.index(label) if label in common else len(common) for label in labels])
    places = of_label[np.where(groups.places < 0, len(labels) - 1, groups.places)]
    rows = np.bincount(places[known], minlength=len(common) + 1)
    means = np.bincount(places[known], learned[known], minlength=len(common) + 1) / np.maximum(rows, 1)
    order = np.argsort(np.where(rows > 0, means, np.inf), kind="stable")
    return _Cut(
        column.name,
        np.where(known, np.argsort(order).astype(np.float32)[places], np.float32(np.nan)),
        names=[[*common, None][place] for place in order],
        others=bool(rows[-1]),
    )


def _borders(column: Column, known: np.ndarray) -> list[float]:
    """Round places between neighbouring quantiles of numbers in order; between the numbers, where those are few."""
    parts = np.unique(known)
    if len(parts) > _CUTS:
        parts = np.unique(np.quantile(known, np.linspace(0, 1, _CUTS + 1), method="nearest"))
    neighbours = itertools.pairwise(parts.tolist())
    if shifted.is_time(column):
        begun = (_first_of_period(column.kind, int(below), int(above)) for below, above in neighbours)
        return [border for border in begun if border is not None]
    return [_roundest(below, above) for below, above in neighbours]


def _roundest(below: float, above: float) -> float:
    """A number of few digits that is above one and at most another."""
    if below < 0 <= above:
        return 0.0
    floors = (decimal.Context(prec=digits, rounding=decimal.ROUND_FLOOR) for digits in itertools.count(1))
    numbers = (float(floor.create_decimal(repr(above))) for floor in floors)
    return next(number for number in numbers if number > below)


def _first_of_period(kind: Kind, below: int, above: int) -> float | None:
    """The beginning of the longest period that begins after one time and not after another; None within a second."""
    unit = "D" if kind is Kind.DATE else "us"
    first, last = np.array([below, above]).astype(f"datetime64[{unit}]")
    begins = (last.astype(f"datetime64[{period}]").astype(f"datetime64[{unit}]") for period in _PERIODS)
    return next((float(begin.astype(np.int64)) for begin in begins if begin > first), None)
