"""The population stability index: how far two samples of one column are apart, and what chance alone makes of it."""

import numpy as np

MUCH = 0.25
"""From here on a shift is called large (Siddiqi, "Credit Risk Scorecards", 2006)."""
PRIOR = 0.5
"""Rows that each bin has beside its own: the logarithm of an empty one would be infinite."""


def index(before: np.ndarray, after: np.ndarray) -> float:
    """The index of two samples.

    Args:
        before: how many rows of one are in each bin, shape (bins,).
        after: how many of the other.
    """
    expected, actual = (shares(counts) for counts in (before, after))
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def shares(counts: np.ndarray) -> np.ndarray:
    """The share of each bin, none of them 0; shape (bins,)."""
    raised = counts + PRIOR
    of_all: np.ndarray = raised / raised.sum()
    return of_all


def a_row(before: int, after: int) -> float:
    """What the index of samples of these sizes is a multiple of, if they are of the same rows.

    That multiple is distributed like chi squared with one degree of freedom less than there are bins (Yurdakul and
    Naranjo, "Statistical properties of the population stability index", 2020).
    """
    return 1 / before + 1 / after


def by_chance(bins: int, before: int, after: int) -> float:
    """Three deviations above the mean index of two samples of the same rows."""
    freedom = bins - 1
    return float((freedom + 3 * np.sqrt(2 * freedom)) * a_row(before, after))
