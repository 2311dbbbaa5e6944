"""Calibrated probabilities, the decision that costs least, and prediction sets: the outcome of a classification."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from model.outcomes import Binary, Multiclass
from model.outcomes.multiclass import softmax
from model.outcomes.sets import ALL, Sets, before
from training.digits import EXACT, exactly, rounded, rounded_up

_BITS = 20  # six digits of a slope, more than it is accurate to
_CERTAIN = 1e-15


def of_two(
    classes: tuple[str, str], threshold: float, coverage: float, raw: np.ndarray, positive: np.ndarray
) -> Binary:
    """Platt scaling on the calibration split; without both classes there, raw scores stay as they are.

    Args:
        classes: the labels, the positive one last.
        threshold: the probability from which the positive class is the answer.
        coverage: of the prediction sets.
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
    outcome = Binary(classes, slope, intercept, threshold)
    scores = outcome.scores(raw, raw, {})
    sets = conformal_sets(coverage, outcome.shares(scores), outcome.answered(scores), positive)
    return Binary(classes, slope, intercept, threshold, sets)


def of_several(
    classes: Sequence[str],
    costs: tuple[tuple[float, ...], ...] | None,
    coverage: float,
    raw: np.ndarray,
    actual: np.ndarray,
) -> Multiclass:
    """One slope and an intercept a class on the calibration split, see `model.outcomes.multiclass`.

    Args:
        classes: the labels.
        costs: what each answer costs, by the class that is right and the one that is answered; None if all the same.
        coverage: of the prediction sets.
        raw: the booster's raw scores, shape (rows, classes).
        actual: the places of the classes of the rows, shape (rows,).
    """
    slope, *intercepts = rounded(_scaling(raw, actual.astype(np.intp)), _BITS).tolist()
    if slope <= 0:  # as with two classes
        slope, intercepts = 1.0, [0.0] * len(classes)
    outcome = Multiclass(tuple(classes), slope, tuple(intercepts), costs, Sets(coverage, ALL))
    shares = outcome.scores(raw, raw, {})
    sets = conformal_sets(coverage, shares, outcome.answered(shares), actual)
    return Multiclass(tuple(classes), slope, tuple(intercepts), costs, sets)


def _scaling(raw: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """The slope, and the intercept of each class, that have the least log loss; shape (classes + 1,).

    A penalty as of one row for each keeps them near those that change nothing, where a class has few rows or all rows
    are answered rightly.
    """
    rows, classes = raw.shape
    start = np.concatenate([[1.0], np.zeros(classes)])
    hits = np.eye(classes)[actual]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        shares = softmax(values[0] * raw + values[1:])
        beyond = shares - hits
        gradient = np.concatenate([[(beyond * raw).sum()], beyond.sum(axis=0)]) + (values - start)
        surprise = -np.log(np.maximum(shares[np.arange(rows), actual], 1e-300)).sum()
        return float(surprise + ((values - start) ** 2).sum() / 2), gradient

    def curvature(values: np.ndarray) -> np.ndarray:
        shares = softmax(values[0] * raw + values[1:])
        centred = shares * (raw - (shares * raw).sum(axis=1, keepdims=True))
        hessian = np.eye(classes + 1)
        hessian[0, 0] += (centred * raw).sum()
        hessian[0, 1:] = hessian[1:, 0] = centred.sum(axis=0)
        hessian[1:, 1:] += np.diag(shares.sum(axis=0)) - shares.T @ shares
        return hessian

    found: np.ndarray = minimize(loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-9}).x
    return found


def conformal_sets(coverage: float, shares: np.ndarray, answered: np.ndarray, actual: np.ndarray) -> Sets:
    """Prediction sets that cover a share of rows like these.

    They state what the calibration rows show, in whole percents, where that is more than asked: a set is never less
    than the answer, which may be right more often, and rows with equal probabilities are in or out together.

    Args:
        coverage: the share that is asked for.
        shares: the probabilities of the calibration rows, shape (rows, classes).
        answered: the places of the answered classes, shape (rows,).
        actual: those of the right ones, shape (rows,).
    """
    ahead = np.take_along_axis(before(shares, answered), actual.astype(np.intp)[:, None], axis=1)[:, 0]
    place = int(np.ceil((len(ahead) + 1) * coverage))
    if place > len(ahead):  # too few rows to promise it with less than all classes
        return Sets(coverage, ALL)
    # upwards: many rows may have the same probabilities, and the quantile is theirs
    mass = rounded_up(float(np.sort(ahead)[place - 1]), _BITS)
    reached = np.floor(100 * (ahead <= mass).sum() / (len(ahead) + 1)) / 100
    return Sets(max(coverage, float(reached)), mass)


def before_two(outcome: Binary, after: np.ndarray) -> np.ndarray:
    """The booster's own probabilities of the positive class, from calibrated ones; shape (rows,)."""
    clipped = np.clip(after, _CERTAIN, 1 - _CERTAIN)
    odds = np.log(clipped) - np.log1p(-clipped)
    raw: np.ndarray = 1 / (1 + np.exp(-(odds - outcome.intercept) / outcome.slope))
    return raw


def before_several(outcome: Multiclass, after: np.ndarray) -> np.ndarray:
    """The booster's own probabilities of the classes, from calibrated ones; shape (rows, classes)."""
    logits = np.log(np.maximum(after, 1e-300))
    return softmax((logits - np.array(outcome.intercepts)) / outcome.slope)
