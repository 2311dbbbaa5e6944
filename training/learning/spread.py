"""A second booster that estimates the size of a regression's errors, so that intervals are wider for hard rows."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from model.features import FeatureMatrix
from problems.base import Problem
from training.data.split import TRAIN
from training.learning.boost import boost, dataset, histograms, raw_scores, settings_of
from training.learning.tasks.base import Trained

_ROUNDS, _LEAVES = 60, 15
_FOLDS, _ENOUGH_ERRORS = 10, 20_000


def learn(problem: Problem, objective: str, trained: Trained) -> lgb.Booster:
    """Train a small booster on the size of the first one's errors; calibration corrects what it gets wrong."""
    params, matrix = trained.params, trained.matrix
    features, actual = trained.features[TRAIN], trained.actual[TRAIN]
    settings = settings_of(matrix, objective, params.seed, params.booster)
    folds = _folds(problem, trained.rows[TRAIN])
    sizes = np.abs(_errors(trained.booster, settings, matrix, features, actual, folds))
    finite = np.isfinite(sizes)
    features, sizes = features[finite], sizes[finite]
    floor = max(float(np.quantile(sizes, 0.01)), 1e-9 * max(float(sizes.max()), 1e-300), 1e-12)
    settings = {**histograms(len(matrix.names)), **params.booster}
    settings |= {"objective": "gamma", "num_leaves": _LEAVES, "seed": params.seed}
    return boost(settings, _ROUNDS, dataset(matrix, features, sizes + floor, settings))


def _folds(problem: Problem, rows: pd.DataFrame) -> np.ndarray:
    """The fold of each row, shape (rows,); rows with equal inputs share one, so that no target leaks between folds."""
    inputs = rows[[column.name for column in problem.contract.inputs]]
    folds: np.ndarray = (pd.util.hash_pandas_object(inputs, index=False) % _FOLDS).to_numpy()
    return folds


def _errors(
    booster: lgb.Booster,
    settings: dict[str, Any],
    matrix: FeatureMatrix,
    inputs: np.ndarray,
    actual: np.ndarray,
    folds: np.ndarray,
) -> np.ndarray:
    """Out-of-fold errors of boosters like this one, with as many trees; shape (rows,).

    Its own errors on these rows are too small where it overfits them, which is where noise is large. Folds are left out
    once enough rows have an error, since each costs another training: their rows stay NaN.
    """
    errors = np.full(len(actual), np.nan)
    for fold in np.unique(folds):
        held_out = folds == fold
        fold_booster = booster
        if not held_out.all():
            data = dataset(matrix, inputs[~held_out], actual[~held_out], settings)
            fold_booster = boost(settings, max(booster.best_iteration, 1), data)
        errors[held_out] = actual[held_out] - raw_scores(fold_booster, inputs[held_out])
        if np.isfinite(errors).sum() >= _ENOUGH_ERRORS:
            break
    return errors
