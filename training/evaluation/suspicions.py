"""What looks wrong about a table although its rows satisfy the contract: sentences for the report and the card."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from problems.base import Problem
from training.data import labelled, tables
from training.data.split import SPLITS, TEST, SplitParams, missed, shares_of
from training.evaluation import shifted
from training.learning import metrics
from training.learning.tasks import Task
from validation.contract import Kind

_TOO_ALIKE = 0.999
"""The rank correlation, or the area under the ROC curve, from which a column is taken for the target itself."""
_ROWS, _ENOUGH = 20_000, 50


def find(task: Task[Any], silver: pd.DataFrame, split: pd.Series, shares: SplitParams) -> list[str]:
    """Suspicions about a table.

    Args:
        task: of the problem whose contract the rows satisfy.
        silver: all rows.
        split: the split of each of them.
        shares: the requested shares of the splits.
    """
    return [
        *_uneven(task.problem, split, shares, newest=bool(labelled.of(silver).any())),
        *task.suspicions(silver),
        *_giveaways(task, silver),
        *shifted.find(task.problem.contract, silver[split != TEST], silver[split == TEST]),
    ]


def _uneven(problem: Problem, split: pd.Series, shares: SplitParams, *, newest: bool) -> Iterator[str]:
    time = problem.contract.time
    if time is not None and not newest and missed(shares_of(split), shares):
        parts = ", ".join(f"{name} {(split == name).mean():.0%}" for name in SPLITS)
        yield (
            f"`{time.name}` has too few different values for the shares that were asked for; the table is split into "
            f"{parts}. A finer time would do better."
        )


def _giveaways(task: Task[Any], silver: pd.DataFrame) -> Iterator[str]:
    """Columns of numbers that order the rows as the target does, like its logarithm or its copy in another unit."""
    problem = task.problem
    rows = silver.iloc[metrics.sample(len(silver), _ROWS)]
    actual = pd.Series(task.encode(rows), index=rows.index)
    target = problem.contract.target.name
    inputs = tables.inputs(problem.contract, rows)
    numbers = (column for column in problem.contract.inputs if column.kind in (Kind.INTEGER, Kind.REAL))
    for column in numbers:
        values = pd.Series(inputs[column.name], index=rows.index).dropna()
        if len(values) < _ENOUGH or values.nunique() < 3 or actual[values.index].nunique() < 2:
            continue
        alike = task.likeness(values, actual[values.index])
        if alike >= _TOO_ALIKE:
            yield (
                f"`{column.name}` gives `{target}` away: it puts rows into nearly the same order ({alike:.4f} of 1). "
                f"If it is known only together with `{target}`, take it out of the contract."
            )
