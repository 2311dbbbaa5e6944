"""Calibrated probabilities and a decision that costs least: the outcome of a classification."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from model.outcomes.binary import Binary
from training.digits import EXACT, exactly, rounded
from training.learning.params import Costs

_BITS = 20  # six digits of a slope, more than it is accurate to
_CERTAIN = 1e-15


def calibrate(classes: tuple[str, str], costs: Costs, raw: np.ndarray, positive: np.ndarray) -> Binary:
    """Platt scaling on the calibration split; without both classes there, raw scores stay as they are.

    Args:
        classes: the labels, the positive one last.
        costs: of wrong answers.
        raw: the booster's log-odds, shape (rows,).
        positive: whether each row is of the positive class, shape (rows,).
    """
    slope, intercept = 1.0, 0.0
    if 0 < positive.sum() < len(positive) and np.ptp(raw) > 0:
        # nearly without regularisation: the weak penalty keeps the slope finite where the classes are separable
        with exactly():
            fitted = LogisticRegression(C=1e4, **EXACT).fit(raw[:, None], positive > 0)
        coefficients = rounded(np.array([fitted.coef_[0, 0], fitted.intercept_[0]]), _BITS)
        slope, intercept = coefficients.tolist()
    if slope <= 0:  # calibration rows that contradict the model must not turn it around
        slope, intercept = 1.0, 0.0
    return Binary(classes, slope, intercept, costs.threshold)


def before_calibration(outcome: Binary, after: np.ndarray) -> np.ndarray:
    """The booster's own probabilities of the positive class, from calibrated ones; shape (rows,)."""
    clipped = np.clip(after, _CERTAIN, 1 - _CERTAIN)
    odds = np.log(clipped) - np.log1p(-clipped)
    raw: np.ndarray = 1 / (1 + np.exp(-(odds - outcome.intercept) / outcome.slope))
    return raw
