"""A second booster that estimates the size of a regression's errors, so that intervals are wider for hard rows."""

import lightgbm as lgb
import numpy as np
import pandas as pd

from model.features import FeatureMatrix
from problems.base import Problem
from training.learning.boost import Part, histograms
from training.learning.growing import boost
from training.learning.params import TrainParams

_ROUNDS, _LEAVES = 60, 15
_FOLDS = 10
_NO_ERROR = 1e-6
"""Smaller shares of the targets' deviation are rounding; LightGBM gives up on trees of them."""
ENOUGH_ERRORS = 20_000
"""With so many errors the rest of the folds is left out, since each costs another training."""


def learn(
    params: TrainParams, matrix: FeatureMatrix, features: np.ndarray, errors: np.ndarray, deviation: float
) -> lgb.Booster:
    """Train a small booster on the size of errors; calibration corrects what it gets wrong.

    Args:
        params: of the first booster.
        matrix: what made the features.
        features: the model matrix, shape (rows, features).
        errors: of rows that its booster did not learn from, shape (rows,); NaN where there is none.
        deviation: the standard deviation of the targets, in the unit of the errors.
    """
    sizes = np.abs(errors)
    finite = np.isfinite(sizes)
    features, sizes = features[finite], sizes[finite]
    floor = max(float(np.quantile(sizes, 0.01)), 1e-9 * float(sizes.max()), _NO_ERROR * deviation, 1e-12)
    settings = {**histograms(len(matrix.names)), **params.booster}
    settings |= {"objective": "gamma", "num_leaves": _LEAVES, "seed": params.seed}
    return boost(settings, _ROUNDS, matrix, Part(features, sizes + floor))


def folds_of(problem: Problem, rows: pd.DataFrame) -> np.ndarray:
    """The fold of each row, shape (rows,); rows with equal inputs share one, so that no target leaks between folds."""
    inputs = rows[[column.name for column in problem.contract.inputs]]
    folds: np.ndarray = (pd.util.hash_pandas_object(inputs, index=False) % _FOLDS).to_numpy()
    return folds
