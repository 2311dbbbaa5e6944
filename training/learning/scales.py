"""What a regression's booster learns of its target: the target as it is, its logarithm, or a mean by its logarithm."""

from typing import NamedTuple

import numpy as np

from training.learning.params import LOG, TrainParams
from validation.errors import TableError

BY_LOGARITHM = ("gamma", "poisson", "tweedie")
"""LightGBM's objectives whose raw score is the logarithm of the mean; all but gamma take zeros."""
_SMALLEST = 1e-300


class Scale(NamedTuple):
    """How targets, raw scores and errors belong together.

    Attributes:
        learned_log: whether the booster learns logarithms of targets.
        log: whether raw scores are logarithms of values.
        ratio: whether errors are those of logarithms, so that intervals are factors.
    """

    learned_log: bool = False
    log: bool = False
    ratio: bool = False

    def learned(self, actual: np.ndarray) -> np.ndarray:
        """The targets as the booster learns them, shape (rows,)."""
        return np.log(np.maximum(actual, _SMALLEST)) if self.learned_log else actual

    def errors(self, actual: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """How far raw scores are from targets, shape (rows,): by logarithms where `ratio`, else in their unit."""
        errors: np.ndarray = self._compared(actual) - (np.exp(raw) if self.log and not self.ratio else raw)
        return errors

    def deviation(self, actual: np.ndarray) -> float:
        """The standard deviation of targets, shape (rows,), in the unit of `errors`."""
        return float(np.std(self._compared(actual)))

    def _compared(self, actual: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(actual, _SMALLEST)) if self.ratio else actual


AS_IT_IS = Scale()


def of(params: TrainParams, objective: str) -> Scale:
    """The scale of these parameters; `objective` is LightGBM's where they name none."""
    objective = str(params.booster.get("objective", objective))
    if params.target == LOG:
        return Scale(learned_log=True, log=True, ratio=True)
    return Scale(log=objective in BY_LOGARITHM, ratio=objective == "gamma")


def demand(scale: Scale, target: str, actual: np.ndarray) -> None:
    """Raise TableError if targets are too small for the scale: logarithms are of numbers above 0."""
    least = float(actual.min(initial=np.inf))
    if scale.log and (least < 0 or (scale.ratio and least == 0)):
        wanted = "above 0" if scale.ratio else "0 at least"
        raise TableError(
            f"The target '{target}' goes down to {least:g}; `target: log` and the objectives {', '.join(BY_LOGARITHM)} "
            f"learn logarithms, and here need numbers that are {wanted}. Take another objective, or have `ge` in the "
            "contract put these rows into quarantine."
        )
