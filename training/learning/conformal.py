"""Prediction intervals that hold what they say: widths from the calibration split, see `model.outcomes.regression`."""

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from model.outcomes.regression import Regression, Trend
from problems.base import Problem
from training import digits
from training.learning.scales import AS_IT_IS, Scale
from validation.decode import Columns

ENOUGH_ROWS = 100
"""A category's value with at least this many calibration rows gets a factor of its own."""
_FOLDS = 5
_ROUNDS = 50
_CLOSE = 0.002


def calibrate(
    problem: Problem,
    coverage: float,
    trend: Trend | None,
    errors: np.ndarray,
    spread: np.ndarray,
    columns: Columns,
    scale: Scale = AS_IT_IS,
) -> Regression:
    """The outcome of a regression whose intervals cover `coverage` of the calibration rows, and of their groups.

    Args:
        problem: whose target and categories these are.
        coverage: the share of rows to cover.
        trend: growth that was taken out of the targets.
        errors: of the calibration rows, in deflated units, shape (rows,).
        spread: the second booster's estimate of their size, above 0, shape (rows,).
        columns: their inputs.
        scale: of what the booster learned.
    """
    spread = digits.rounded(spread, digits.ANSWERS)
    scores = np.abs(errors) / spread
    names = {column.name: columns[column.name] for column in problem.contract.categories}
    target = problem.contract.target
    low = 0.0 if scale.log and target.ge is None else target.ge
    outcome = Regression(
        coverage, 1.0, _factors(coverage, scores, names), trend, low, target.le, scale.log, scale.ratio
    )
    # the width comes from rows that the factors were not fitted to: many factors overfit their own rows
    unseen = np.empty(len(scores))
    fold = np.arange(len(scores)) % _FOLDS
    for held_out in range(_FOLDS):
        inside = fold == held_out
        names_outside, names_inside = (
            {name: values[rows] for name, values in names.items()} for rows in (~inside, inside)
        )
        refitted = msgspec.structs.replace(outcome, factors=_factors(coverage, scores[~inside], names_outside))
        unseen[inside] = np.abs(errors[inside]) / refitted.difficulty(spread[inside], names_inside)
    return msgspec.structs.replace(outcome, width=quantile(unseen, coverage))


def quantile(scores: np.ndarray, coverage: float) -> float:
    """The conformal quantile: the ⌈(n + 1) coverage⌉-th smallest score, or the largest where there are too few."""
    place = min(int(np.ceil((len(scores) + 1) * coverage)), len(scores))
    return float(np.sort(scores)[place - 1])


def _factors(coverage: float, scores: np.ndarray, categories: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Factors that bring the quantile of each common value to 1, by repeated passes over the columns."""
    groups = {
        (column, str(name)): np.flatnonzero(values == name)
        for column, values in categories.items()
        for name, count in sorted(Counter(value for value in values if value is not None).items())
        if count >= ENOUGH_ROWS  # checked before `values == name`: a column may have a million names
    }
    if not groups or not scores.any():
        return {}
    scaled = scores / quantile(scores, coverage)
    factors = dict.fromkeys(groups, 1.0)
    for _ in range(_ROUNDS):
        worst = 0.0
        for group, rows in groups.items():
            step = quantile(scaled[rows], coverage)
            if step > 0:
                worst = max(worst, abs(float(np.mean(scaled[rows] <= 1)) - coverage))
                factors[group] *= step
                scaled[rows] /= step
        if worst < _CLOSE:
            break
    by_column: dict[str, dict[str, float]] = {}
    for (column, name), factor in factors.items():
        by_column.setdefault(column, {})[name] = factor
    return by_column
