"""The loss that a model was trained on, by which it is judged: one for each objective that the booster may have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

OF_NUMBERS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "gamma", "poisson", "tweedie")
"""The objectives that predict a number."""
PARAMETERS = ("alpha", "fair_c", "tweedie_variance_power")
"""What LightGBM's objectives take besides their name."""
_CERTAIN = 1e-15
_LEAST = 1e-9
"""Smaller predictions of positive numbers count as this."""


@dataclass(frozen=True)
class Loss:
    """A loss by whose mean models are compared.

    Attributes:
        name: what the scores call it.
        rows: actual and predicted values, shape (rows,) each, to the loss of each row.
        squared: whether the score is the root of the mean.
        rank: the quantile of values that has the least mean loss of all constants, or is near it; None for their mean.
        log: whether it compares logarithms.
    """

    name: str
    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]
    squared: bool = False
    rank: float | None = None
    log: bool = False

    def score(self, mean: float) -> float:
        """The value to display for a mean loss."""
        return float(np.sqrt(mean)) if self.squared else mean


def stated(objective: str, booster: Mapping[str, Any], *, log: bool = False) -> dict[str, Any]:
    """The loss as metrics.json has it: its name in the scores, and what `of` takes.

    Args:
        objective: LightGBM's name of what the booster learns.
        booster: LightGBM's parameters.
        log: whether it learns logarithms of the target.
    """
    parameters = {"objective": objective, **{name: booster[name] for name in PARAMETERS if name in booster}}
    parameters |= {"log": True} if log else {}
    return {"name": of(parameters).name, **parameters}


def of(described: Mapping[str, Any]) -> Loss:
    """The loss of an objective and its parameters, defined as LightGBM documents them."""
    alpha, scale = float(described.get("alpha", 0.9)), float(described.get("fair_c", 1.0))

    def pinball(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        above = actual - predicted
        loss: np.ndarray = np.maximum(alpha * above, (alpha - 1) * above)
        return loss

    def huber(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        error = np.abs(actual - predicted)
        loss: np.ndarray = np.where(error <= alpha, error**2 / 2, alpha * (error - alpha / 2))
        return loss

    def fair(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        error = np.abs(actual - predicted) / scale
        loss: np.ndarray = scale**2 * (error - np.log1p(error))
        return loss

    power = float(described.get("tweedie_variance_power", 1.5))
    losses = {
        "regression": Loss("rmse", lambda actual, predicted: (actual - predicted) ** 2, squared=True),
        "regression_l1": Loss("mae", lambda actual, predicted: np.abs(actual - predicted), rank=0.5),
        "huber": Loss("huber", huber, rank=0.5),
        "fair": Loss("fair", fair, rank=0.5),
        "quantile": Loss("pinball", pinball, rank=alpha),
        "mape": Loss("bounded_mape", _relative, rank=0.5),
        "gamma": Loss("gamma_deviance", lambda actual, predicted: _deviance(actual, predicted, 2.0)),
        "poisson": Loss("poisson_deviance", lambda actual, predicted: _deviance(actual, predicted, 1.0)),
        "tweedie": Loss("tweedie_deviance", lambda actual, predicted: _deviance(actual, predicted, power)),
        "binary": Loss("log_loss", log_loss),
        "multiclass": Loss("log_loss", log_loss_of_classes),
    }
    found = losses[described["objective"]]
    return _of_logarithms(found) if described.get("log") else found


def _of_logarithms(loss: Loss) -> Loss:
    """The same loss of the logarithms of positive numbers. Their mean is not that of the numbers: a median is near."""

    def rows(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return loss.rows(np.log(np.maximum(actual, _LEAST)), np.log(np.maximum(predicted, _LEAST)))

    return Loss(f"log_{loss.name}", rows, loss.squared, 0.5 if loss.rank is None else loss.rank, log=True)


def log_loss(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The negative logarithm of the probability of what came about, shape (rows,)."""
    clipped = np.clip(predicted, _CERTAIN, 1 - _CERTAIN)
    loss: np.ndarray = -np.where(actual > 0, np.log(clipped), np.log1p(-clipped))
    return loss


def log_loss_of_classes(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The same of several classes: `actual` are their places, shape (rows,), `predicted` of shape (rows, classes)."""
    shares = np.take_along_axis(predicted, actual.astype(np.intp)[:, None], axis=1)[:, 0]
    loss: np.ndarray = -np.log(np.clip(shares, _CERTAIN, 1 - _CERTAIN))
    return loss


def _deviance(actual: np.ndarray, predicted: np.ndarray, power: float) -> np.ndarray:
    """The unit deviance of Tweedie's family: Poisson's at power 1, gamma's at power 2."""
    mean = np.maximum(predicted, _LEAST)
    ratio = np.maximum(actual, _LEAST) / mean
    if power == 1.0:
        deviance = np.where(actual > 0, actual * np.log(ratio), 0.0) - actual + mean
    elif power == 2.0:
        deviance = ratio - 1 - np.log(ratio)
    else:
        deviance = (
            actual ** (2 - power) / ((1 - power) * (2 - power))
            - actual * mean ** (1 - power) / (1 - power)
            + mean ** (2 - power) / (2 - power)
        )
    loss: np.ndarray = 2 * deviance
    return loss


def _relative(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    loss: np.ndarray = np.abs(actual - predicted) / np.maximum(np.abs(actual), 1)  # as LightGBM has it
    return loss
