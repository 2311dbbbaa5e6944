"""Prediction sets: the classes that a row may be of, such that a stated share of the sets has the right one."""

import msgspec
import numpy as np

ALL = 2.0
"""A mass that no sum of probabilities reaches: all classes are in each set."""


class Sets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answered class, and then the most probable ones, until their probabilities reach `mass`.

    Adaptive prediction sets (Romano, Sesia and Candès, "Classification with Valid and Adaptive Coverage", 2020) without
    their random part, and with the answered class first: so a set is never empty and always has the answer in it.

    Attributes:
        coverage: the share of rows whose set has their class: what was asked for, or more where sets cannot be smaller.
            Where rows are too few to say, all classes are in each set, and it is what was asked for.
        mass: the conformal quantile of the probability that comes before a row's class, on the calibration split; `ALL`
            where that has too few rows.
    """

    coverage: float
    mass: float

    def members(self, shares: np.ndarray, answered: np.ndarray) -> np.ndarray:
        """Which classes are in the set of each row, shape (rows, classes); arguments as those of `before`."""
        inside: np.ndarray = before(shares, answered) <= self.mass
        return inside


def before(shares: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """The probability of the classes that come before each class, shape (rows, classes).

    Args:
        shares: the probabilities of the classes, shape (rows, classes).
        answered: the place of the answered class, shape (rows,).
    """
    rows = np.arange(len(shares))
    rank = shares.copy()
    rank[rows, answered] = np.inf
    order = np.argsort(-rank, axis=1, kind="stable")
    ranked = np.take_along_axis(shares, order, axis=1)
    sums = np.zeros_like(ranked)
    np.cumsum(ranked[:, :-1], axis=1, out=sums[:, 1:])
    ahead = np.empty_like(sums)
    np.put_along_axis(ahead, order, sums, axis=1)
    return ahead
