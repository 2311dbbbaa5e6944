"""How large the errors of a regression are for such rows: a second booster, by which intervals follow difficulty."""

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
    """A small booster of how large the first one's errors are; its own errors are made good by calibration."""
    params, matrix = trained.params, trained.matrix
    features, actual = trained.features[TRAIN], trained.actual[TRAIN]
    settings = settings_of(matrix, objective, params.seed, params.booster)
    folds = _folds(problem, trained.rows[TRAIN])
    wrong = np.abs(_errors(trained.booster, settings, matrix, features, actual, folds))
    judged = np.isfinite(wrong)
    features, wrong = features[judged], wrong[judged]
    floor = max(float(np.quantile(wrong, 0.01)), 1e-9 * max(float(wrong.max()), 1e-300), 1e-12)
    settings = {**histograms(len(matrix.names)), **params.booster}
    settings |= {"objective": "gamma", "num_leaves": _LEAVES, "seed": params.seed}
    return boost(settings, _ROUNDS, dataset(matrix, features, wrong + floor, settings))


def _folds(problem: Problem, rows: pd.DataFrame) -> np.ndarray:
    """Which fold each row is in, shape (rows,); rows with equal inputs are in one, or they would tell each other."""
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
    """What boosters like this one, of as many trees, err by on rows that they did not learn from; shape (rows,).

    Its own errors on these rows are small wherever it learned them by heart, which is where noise is large. NaN for the
    rows of further folds where enough rows have an error: each fold costs another training.
    """
    errors = np.full(len(actual), np.nan)
    for fold in np.unique(folds):
        held_out = folds == fold
        other = booster
        if not held_out.all():
            data = dataset(matrix, inputs[~held_out], actual[~held_out], settings)
            other = boost(settings, max(booster.best_iteration, 1), data)
        errors[held_out] = actual[held_out] - raw_scores(other, inputs[held_out])
        if np.isfinite(errors).sum() >= _ENOUGH_ERRORS:
            break
    return errors
