"""What looks wrong about a table although its rows satisfy the contract: sentences for the report and the card."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from problems.base import Problem
from training.data import tables
from training.data.split import SPLITS, SplitParams, missed
from training.evaluation import metrics
from training.learning.targets import Targets
from validation.contract import Kind

_TOO_ALIKE = 0.999
"""The rank correlation, or the area under the ROC curve, from which a column is taken for the target itself."""
_ROWS, _ENOUGH = 20_000, 50


def find(problem: Problem, silver: pd.DataFrame, split: pd.Series, shares: SplitParams) -> list[str]:
    """Suspicions about a table.

    Args:
        problem: whose contract the rows satisfy.
        silver: all rows.
        split: what each of them is for.
        shares: what was wanted of the split.
    """
    return [*_uneven(problem, split, shares), *_counted(problem, silver), *_giveaways(problem, silver)]


def _uneven(problem: Problem, split: pd.Series, shares: SplitParams) -> Iterator[str]:
    time = problem.contract.time
    if time is not None and missed(split, shares):
        parts = ", ".join(f"{name} {(split == name).mean():.0%}" for name in SPLITS)
        yield (
            f"`{time.name}` has too few different values for the shares that were asked for; the table is split into "
            f"{parts}. A finer time would do better."
        )


def _counted(problem: Problem, silver: pd.DataFrame) -> Iterator[str]:
    target = problem.contract.target
    if problem.regression and set(silver[target.name].unique()) == {0, 1}:
        yield (
            f"`{target.name}` is only ever 0 or 1 and is learned as a number. "
            f"Declare it `kind=Kind.FLAG` to have probabilities of two classes."
        )


def _giveaways(problem: Problem, silver: pd.DataFrame) -> Iterator[str]:
    """Columns of numbers by which the rows have the order of the target: its logarithm, its copy in another unit."""
    rows = silver.iloc[metrics.sample(len(silver), _ROWS)]
    actual = pd.Series(Targets(problem, silver).encode(rows), index=rows.index)
    target = problem.contract.target.name
    known = tables.inputs(problem.contract, rows)
    numbers = (column for column in problem.contract.inputs if column.kind in (Kind.INTEGER, Kind.REAL))
    for column in numbers:
        values = pd.Series(known[column.name], index=rows.index).dropna()
        if len(values) < _ENOUGH or values.nunique() < 3 or actual[values.index].nunique() < 2:
            continue
        alike = _likeness(values, actual[values.index], classes=not problem.regression)
        if alike >= _TOO_ALIKE:
            yield (
                f"`{column.name}` gives `{target}` away: it puts rows into nearly the same order ({alike:.4f} of 1). "
                f"If it is known only together with `{target}`, take it out of the contract."
            )


def _likeness(values: pd.Series, actual: pd.Series, *, classes: bool) -> float:
    """How far one column gives another, up or down: rank correlation (Spearman), or the ROC AUC of two classes."""
    if not classes:
        return float(abs(values.rank().corr(actual.rank())))
    [area] = metrics.roc_auc(actual.to_numpy(), values.to_numpy(), np.ones((1, len(values))))
    return float(max(area, 1 - area))
