"""The metrics of predictions, with bootstrap intervals.

Each metric is a function of means over rows, so a resample is a vector of weights and all of them are one matrix
product. The same draws serve every predictor: their differences are paired.
"""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from model.loss import Loss, log_loss
from model.metrics import Score, Scores
from training.digits import rounded

Statistics = Callable[[np.ndarray, np.ndarray], np.ndarray]
Metrics = Callable[[np.ndarray], dict[str, np.ndarray]]
Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], Scores]

ACTUAL, MODEL, BEFORE, COVERED = "actual", "model", "before", "covered"
"""Columns of the evaluation's table: targets, the model's predictions, its probabilities before calibration, and
whether its intervals or sets have the target."""
LEVELS = (0.025, 0.975)
ECE_BINS = 10
NORMAL_95 = 1.96
"""So many standard deviations about its mean a normal distribution has 95 % of its values."""
MOST_EXPLAINED = 1_000
"""How many rows are explained: SHAP values are slow, and more rows show nothing new."""
BITS = 32
"""Nine digits."""
_CELLS = 1 << 18
"""How many weights become doubles at once: one resample at a time takes eight times as long, all of them gigabytes."""


def draws(rows: int, resamples: int, seed: int) -> np.ndarray:
    """How often each row is in each bootstrap resample (Efron, 1979); shape (resamples, rows)."""
    random = np.random.default_rng(seed)
    weights = np.empty((resamples, rows), dtype=np.uint8)  # no row is drawn more than 255 times
    for resample in weights:
        resample[:] = np.bincount(random.integers(0, rows, rows), minlength=rows)
    return weights


def sample(rows: int, most: int) -> np.ndarray:
    """Places of at most `most` rows, in their order, the same every time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def interval(value: float, resampled: np.ndarray) -> Score:
    """A value with its 95 % percentile interval; None where it is not defined, as R² of a constant target."""
    defined = resampled[np.isfinite(resampled)]
    low, high = np.quantile(defined, LEVELS) if len(defined) else (np.nan, np.nan)
    numbers = rounded(np.array([value, low, high]), BITS).tolist()
    return Score(*(number if np.isfinite(number) else None for number in numbers))


def _regression_rows(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    error = np.abs(actual - predicted)
    nonzero = actual != 0
    relative = np.divide(error, np.abs(actual), out=np.zeros_like(error), where=nonzero)
    centred = actual - actual.mean()
    within = error <= 0.1 * np.abs(actual)
    return np.column_stack([error**2, error, relative, nonzero, np.abs(actual), centred, centred**2, within])


def _regression(means: np.ndarray) -> dict[str, np.ndarray]:
    squared, error, relative, nonzero, size, centred, spread, within = means.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "rmse": np.sqrt(squared),
            "mae": error,
            "r2": _defined(1 - squared / (spread - centred**2), spread - centred**2 > 0),
            "mape": _defined(relative / nonzero, nonzero > 0),
            "wmape": _defined(error / size, size > 0),
            "within_10_percent": within,
        }


def _defined(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where, values, np.nan)


def _binary_rows(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.column_stack([log_loss(actual, predicted), (predicted - actual) ** 2, gaps(actual, predicted)])


def gaps(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """What each row adds to the calibration error of each bin of probabilities, shape (rows, ECE_BINS)."""
    bins = np.minimum((predicted * ECE_BINS).astype(int), ECE_BINS - 1)
    differences: np.ndarray = np.where(bins[:, None] == np.arange(ECE_BINS), (predicted - actual)[:, None], 0.0)
    return differences


def _binary(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"log_loss": means[:, 0], "brier": means[:, 1], "ece": np.abs(means[:, 2:]).sum(axis=1)}


def roc_auc(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under the ROC curve under each row of weights, ties counted half; shape (resamples,)."""
    order = np.argsort(predicted, kind="stable")
    starts = np.flatnonzero(np.diff(predicted[order], prepend=-np.inf))
    positives = actual[order] > 0
    areas = np.full(len(weights), np.nan)
    for place, resample in enumerate(weights):  # all at once would take gigabytes for a million rows
        drawn = resample[order].astype(np.float64)
        positive = np.add.reduceat(drawn * positives, starts)
        negative = np.add.reduceat(drawn * ~positives, starts)
        pairs = positive.sum() * negative.sum()
        if pairs > 0:
            areas[place] = positive @ (np.cumsum(negative) - negative / 2) / pairs
    return areas


def area(actual: np.ndarray, predicted: np.ndarray) -> float:
    """The area under the ROC curve; NaN where all rows are of one class."""
    return float(roc_auc(actual, predicted, np.ones((1, len(actual))))[0])


def regression(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
    """RMSE and MAE in the target's unit, R², MAPE (rows with target 0 left out), wMAPE, and the share within 10 %.

    Args:
        actual: targets, shape (rows,).
        predicted: predictions, shape (rows,).
        weights: bootstrap weights, shape (resamples, rows).
    """
    return scored(_regression_rows, _regression, actual, predicted, weights)


def binary(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
    """ROC AUC, log loss, Brier score, and the expected calibration error over ten equal bins.

    Args:
        actual: 1 for the positive class and 0 for the other, shape (rows,).
        predicted: probabilities of the positive class, shape (rows,).
        weights: bootstrap weights, shape (resamples, rows).
    """
    areas = roc_auc(actual, predicted, np.vstack([np.ones(len(actual), weights.dtype), weights]))
    return {
        "roc_auc": interval(areas[0], areas[1:]),
        **scored(_binary_rows, _binary, actual, predicted, weights),
    }


def share(held: np.ndarray, weights: np.ndarray) -> Score:
    """The share of rows of which something holds, with its interval."""
    values = held.astype(np.float64)
    return interval(float(values.mean()), means_of(values[:, None], weights)[:, 0])


def wilson(shares: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The ends of the 95 % score intervals of shares of so many rows (Wilson, 1927), shape (2, groups).

    Args:
        shares: shape (groups,).
        rows: how many rows each is of, above 0; shape (groups,).
    """
    denominator = 1 + NORMAL_95**2 / rows
    centre = (shares + NORMAL_95**2 / (2 * rows)) / denominator
    arm = NORMAL_95 / denominator * np.sqrt(shares * (1 - shares) / rows + (NORMAL_95 / (2 * rows)) ** 2)
    return np.array([np.clip(centre - arm, 0.0, shares), np.clip(centre + arm, shares, 1.0)])


def columns(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Predictions as columns of the evaluation's table: one of that name, or one a class."""
    if values.ndim == 1:
        return {name: values}
    return {f"{name}.{place}": values[:, place] for place in range(values.shape[1])}


def predicted(table: pd.DataFrame, name: str) -> np.ndarray:
    """The predictions in the columns that `columns` made, shape (rows,) or (rows, classes)."""
    if name in table:
        return table[name].to_numpy()
    return table[[column for column in table if re.fullmatch(rf"{name}\.\d+", str(column))]].to_numpy()


def scored(
    rows: Statistics, metrics: Metrics, actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> Scores:
    """Metrics with their intervals.

    Args:
        rows: actual and predicted values to what a row says, shape (rows, statistics).
        metrics: means of these, shape (resamples, statistics), to metrics by name, shape (resamples,) each.
        actual: shape (rows,).
        predicted: shape (rows,) or (rows, classes).
        weights: bootstrap weights, shape (resamples, rows).
    """
    statistics = rows(actual, predicted)
    whole = metrics(statistics.mean(axis=0, keepdims=True))
    resampled = metrics(means_of(statistics, weights))
    if "ece" in resampled and len(resampled["ece"]):
        # the ECE is biased upwards, and more so when resampled: all resamples may be above the estimate itself
        excess = max(float(resampled["ece"].mean() - whole["ece"][0]), 0.0)
        resampled["ece"] = np.maximum(resampled["ece"] - excess, 0.0)
    return {name: interval(values[0], resampled[name]) for name, values in whole.items()}


def means_of(statistics: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means, shape (resamples, statistics); resamples without any of the rows are left out."""
    totals = weights.sum(axis=1, dtype=np.float64)
    some = totals > 0
    kept = weights if some.all() else weights[some]
    sums = np.empty((len(kept), statistics.shape[1]))
    step = max(_CELLS // max(len(statistics), 1), 1)
    for start in range(0, len(kept), step):
        sums[start : start + step] = kept[start : start + step].astype(np.float64) @ statistics
    means: np.ndarray = sums / totals[some][:, None]
    return means


def with_loss(judge: Judge, loss: Loss) -> Judge:
    """The same judge, which scores the loss that was trained on too if that is not one of its metrics."""

    def scores(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
        results = judge(actual, predicted, weights)
        if loss.name not in results:
            losses = loss.rows(actual, predicted)
            results[loss.name] = interval(float(losses.mean()), means_of(losses[:, None], weights)[:, 0])
        return results

    return scores


def number(score: Score) -> float:
    """A score's value; infinite where it is not defined."""
    return float("inf") if score.value is None else score.value
