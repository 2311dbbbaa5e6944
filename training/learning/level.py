"""By how much targets are higher or lower than before, all alike."""

from typing import NamedTuple

import numpy as np


class Level(NamedTuple):
    """What targets of before are multiplied by, and what is added to them, to be where the new ones are."""

    factor: float = 1.0
    shift: float = 0.0

    def __str__(self) -> str:
        return f"{self.factor - 1:+.1%}" if self.factor != 1 else f"{self.shift:+.4g}"

    def of(self, targets: np.ndarray) -> np.ndarray:
        """Targets of before at the new level, shape (rows,)."""
        return targets * self.factor + self.shift


def between(actual: np.ndarray, expected: np.ndarray) -> Level:
    """The level of new targets beside what a model of before expects; shape (rows,) each.

    A factor where all are above 0, which keeps them there; else a shift.
    """
    if min(actual.min(), expected.min()) > 0:
        return Level(factor=float(actual.sum() / expected.sum()))
    return Level(shift=float((actual - expected).mean()))
