"""What a regression is judged by."""

from collections.abc import Callable, Mapping

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], float]


def _rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((actual - predicted) ** 2)))


def _mae(actual: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(np.abs(actual - predicted)))


def _r2(actual: np.ndarray, predicted: np.ndarray) -> float:
    spread = float(np.sum((actual - actual.mean()) ** 2))
    return 1.0 - float(np.sum((actual - predicted) ** 2)) / spread if spread else float("nan")


def _mape(actual: np.ndarray, predicted: np.ndarray) -> float:
    known = actual != 0
    return float(np.mean(np.abs((actual - predicted)[known] / actual[known]))) if known.any() else float("nan")


def _wmape(actual: np.ndarray, predicted: np.ndarray) -> float:
    total = float(np.sum(np.abs(actual)))
    return float(np.sum(np.abs(actual - predicted))) / total if total else float("nan")


def _within_10(actual: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(np.abs(actual - predicted) <= 0.1 * np.abs(actual)))


REGRESSION: Mapping[str, Metric] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "mape": _mape,
    "wmape": _wmape,
    "within_10_percent": _within_10,
}
"""RMSE and MAE in the target's unit; MAPE over rows whose target is not 0; wMAPE, the absolute errors' sum over the
targets' sum; and the share of rows predicted within 10 %."""

Scores = dict[str, dict[str, float | None]]


def regression(actual: np.ndarray, predicted: np.ndarray, resamples: int, seed: int) -> Scores:
    """Every metric with a 95 % percentile bootstrap interval (Efron, 1979).

    Args:
        actual: targets, shape (rows,).
        predicted: predictions, shape (rows,).
        resamples: how many times to draw the rows with replacement.
        seed: of the draws.

    Returns:
        For each metric its `value`, `low` and `high`; None where it is not defined, as R² of a constant target.
    """
    draws = np.random.default_rng(seed).integers(0, len(actual), size=(resamples, len(actual)), dtype=np.int32)
    resampled: dict[str, list[float]] = {name: [] for name in REGRESSION}
    for draw in draws:
        drawn = actual[draw], predicted[draw]
        for name, metric in REGRESSION.items():
            resampled[name].append(metric(*drawn))
    return {
        name: {
            "value": _defined(metric(actual, predicted)),
            "low": _defined(float(np.quantile(resampled[name], 0.025))),
            "high": _defined(float(np.quantile(resampled[name], 0.975))),
        }
        for name, metric in REGRESSION.items()
    }


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None
