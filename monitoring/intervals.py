"""Means of losses and their 95 % intervals, also where rows come in groups that are alike.

The infinitesimal jackknife (Jaeckel, 1972; Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982): a
score is linear in its rows near the data, and what each row adds is its influence. It needs no resampling, so that
hundreds of days, slices and versions cost nothing. Sums over groups make it robust to rows that depend on each other
(Liang and Zeger, "Longitudinal Data Analysis Using Generalized Linear Models", 1986).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from model.loss import Loss
from monitoring.verdict import Figure

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A score, and what each row adds to it.

    Attributes:
        value: the score.
        influence: of each row on it, shape (rows,); their mean is 0.
    """

    value: float
    influence: np.ndarray

    def figure(self, groups: np.ndarray | None = None) -> Figure:
        """It with its interval; `groups`, of shape (rows,), are numbers of rows that depend on each other."""
        return around(self.value, error(self.influence, groups), degrees(self.influence, groups))


def score(loss: Loss, losses: np.ndarray) -> Mean:
    """The score of rows with these losses, shape (rows,), of which there is one at least."""
    mean = float(losses.mean())
    slope = 0.5 / np.sqrt(mean) if loss.squared and mean > 0 else 1.0
    return Mean(loss.score(mean), slope * (losses - mean))


def share(hits: np.ndarray) -> Figure:
    """A share of rows with Wilson's interval ("Probable Inference", 1927); `hits` are flags of shape (rows,)."""
    found = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(LEVEL, method="wilson")
    return Figure(float(hits.mean()), float(found.low), float(found.high))


def error(influence: np.ndarray, groups: np.ndarray | None = None) -> float:
    """The standard error of a score, from its influence; infinite of a single row or group."""
    sums = influence if groups is None else np.bincount(groups, influence)
    free = degrees(influence, groups)
    if free < 1:
        return float("inf")
    return float(np.sqrt((sums**2).sum() * (free + 1) / free) / len(influence))


def degrees(influence: np.ndarray, groups: np.ndarray | None = None) -> int:
    """The degrees of freedom of that error: one fewer than groups, or rows."""
    return (len(influence) if groups is None else len(np.unique(groups))) - 1


def around(value: float, standard_error: float, free: int, level: float = LEVEL) -> Figure:
    """A value with its interval by Student's distribution; without ends where the error is not known."""
    if not np.isfinite(standard_error) or free < 1:
        return Figure(value)
    half = float(stats.t.ppf((1 + level) / 2, free)) * standard_error
    return Figure(value, value - half, value + half)
