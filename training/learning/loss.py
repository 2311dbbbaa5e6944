"""The loss that a model was trained on, by which it is judged: one for each objective that the booster may have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

OF_NUMBERS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
"""The objectives whose raw score is the value; gamma, poisson and tweedie have its logarithm."""
PARAMETERS = ("alpha", "fair_c")
"""What LightGBM's objectives take besides their name."""
_CERTAIN = 1e-15


@dataclass(frozen=True)
class Loss:
    """A loss by whose mean models are compared.

    Attributes:
        name: what the scores call it.
        rows: actual and predicted values, shape (rows,) each, to the loss of each row.
        squared: whether the score is the root of the mean.
        rank: the quantile of values that has the least mean loss of all constants, or is near it; None for their mean.
    """

    name: str
    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]
    squared: bool = False
    rank: float | None = None

    def score(self, mean: float) -> float:
        """The value to display for a mean loss."""
        return float(np.sqrt(mean)) if self.squared else mean


def stated(objective: str, booster: Mapping[str, Any]) -> dict[str, Any]:
    """The loss as metrics.json has it: its name in the scores, and what `of` takes.

    Args:
        objective: LightGBM's name of what the booster learns.
        booster: LightGBM's parameters.
    """
    parameters = {"objective": objective, **{name: booster[name] for name in PARAMETERS if name in booster}}
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

    losses = {
        "regression": Loss("rmse", lambda actual, predicted: (actual - predicted) ** 2, squared=True),
        "regression_l1": Loss("mae", lambda actual, predicted: np.abs(actual - predicted), rank=0.5),
        "huber": Loss("huber", huber, rank=0.5),
        "fair": Loss("fair", fair, rank=0.5),
        "quantile": Loss("pinball", pinball, rank=alpha),
        "mape": Loss("bounded_mape", _relative, rank=0.5),
        "binary": Loss("log_loss", log_loss),
        "multiclass": Loss("log_loss", log_loss_of_classes),
    }
    return losses[described["objective"]]


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


def _relative(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    loss: np.ndarray = np.abs(actual - predicted) / np.maximum(np.abs(actual), 1)  # as LightGBM has it
    return loss
