"""How the target depends on a column, group by group, with intervals; and how much of it the column tells by itself."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from problems.base import Problem
from training.data import classes
from training.data.tables import target as target_of
from training.evaluation import binned
from training.evaluation.binned import Bins
from training.evaluation.pairs import cramer
from training.learning.metrics import NORMAL_95, wilson
from training.learning.privacy import FEWEST
from validation.errors import TableError

MOST_CLASSES = 5
"""So many classes are told apart, the most common ones; all others are one."""


@dataclass(frozen=True)
class Target:
    """What is predicted, of each row.

    Attributes:
        what: the figure that is shown of a group, in words.
        values: numbers, of two classes 1.0 for the positive one, of more the place of the class; NaN where unknown.
        names: of several classes; empty otherwise.
        rate: whether the values are 0 and 1.
    """

    what: str
    values: np.ndarray
    names: list[str]
    rate: bool = False


@dataclass(frozen=True)
class Level:
    """The mean of the target in a group, with its 95 % interval; or of several classes the share of each."""

    rows: int
    mean: float
    low: float
    high: float
    shares: tuple[float, ...] = ()


def target(problem: Problem, rows: pd.DataFrame) -> Target | None:
    """The target of rows; None if they have not two values of it."""
    column = problem.contract.target
    if column.continuous:
        values = binned.numbers(column, target_of(problem.contract, rows))
        unit = f", {column.unit}" if column.unit else ""
        return (
            Target(f"mean {column.name}{unit}", values, []) if len(np.unique(values[~np.isnan(values)])) > 1 else None
        )
    known = rows[rows[column.name].notna()]
    try:
        found = classes.of(problem, known)
        if len(found.names) < 2 or known.empty:
            return None
        places = pd.Series(found.encode(known), index=known.index).reindex(rows.index).to_numpy()
    except TableError:
        return None
    if len(found.names) == 2:
        return Target(f"share of {column.name} = {found.names[1]}", places, [], rate=True)
    return _several(column.name, places, found.names)


def _several(name: str, places: np.ndarray, names: tuple[str, ...]) -> Target:
    counts = np.bincount(places[~np.isnan(places)].astype(int), minlength=len(names))
    most = MOST_CLASSES + 1 if len(names) == MOST_CLASSES + 1 else MOST_CLASSES
    common = sorted(np.argsort(-counts, kind="stable")[:most])
    order = np.full(len(names), float(len(common)))
    order[common] = np.arange(len(common))
    shown = [names[place] for place in common]
    codes = np.where(np.isnan(places), np.nan, order[np.nan_to_num(places).astype(int)])
    return Target(f"share of each {name}", codes, [*shown, *([binned.OTHERS] if len(names) > len(common) else [])])


def levels(found: Target, places: np.ndarray, groups: int) -> list[Level | None]:
    """The target of each group; None for groups of fewer than `FEWEST` rows with a target.

    Args:
        found: the target of each row.
        places: the group of each row, -1 for none; shape (rows,).
        groups: how many there are.
    """
    there = ~np.isnan(found.values) & (places >= 0)
    of_group = pd.Series(found.values[there]).groupby(places[there])
    values = {int(str(place)): group.to_numpy() for place, group in of_group}
    return [_level(found, values[place]) if len(values.get(place, ())) >= FEWEST else None for place in range(groups)]


def _level(found: Target, values: np.ndarray) -> Level:
    rows, mean = len(values), float(values.mean())
    if found.names:
        shares = np.bincount(values.astype(int), minlength=len(found.names)) / rows
        return Level(rows, mean, mean, mean, tuple(shares.tolist()))
    if not found.rate:
        arm = NORMAL_95 * float(values.std(ddof=1)) / rows**0.5
        return Level(rows, mean, mean - arm, mean + arm)
    [low], [high] = wilson(np.array([mean]), np.array([rows])).tolist()
    return Level(rows, mean, low, high)


def told(found: Target, bins: Bins) -> float:
    """How much of the target a column tells by itself, from 0 to 1: a missing value is a group too.

    Of numbers and of two classes the share of the variance between groups, without what chance adds (epsilon squared,
    Kelley, "An unbiased correlation ratio measure", 1935); of several classes the square of Cramér's V.
    """
    there = ~np.isnan(found.values)
    places, values = bins.places[there] + 1, found.values[there]
    if found.names:
        return cramer(places, values.astype(int)) ** 2
    counts = np.bincount(places)
    used, rows = counts > 0, len(values)
    whole = float(((values - values.mean()) ** 2).sum())
    if used.sum() < 2 or rows <= used.sum() or whole == 0:
        return 0.0
    means = np.bincount(places, values)[used] / counts[used]
    within = max(whole - float((counts[used] * (means - values.mean()) ** 2).sum()), 0.0)
    return max(1 - within / (rows - int(used.sum())) * (rows - 1) / whole, 0.0)
