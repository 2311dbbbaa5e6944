"""Stratified cross-validation of the whole training: each row is judged once, by a model that did not see it."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from model.predictor import Predictor
from problems.base import Problem
from training import metrics, tables
from training.split import CALIBRATION, TRAIN, VALIDATION, SplitParams, assign, shuffled
from training.targets import Targets
from training.train import TrainParams, learn
from training.workspace import counted, say
from validation.errors import TableError


def cross_validate(
    problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame, folds: int, resamples: int
) -> dict[str, Any]:
    """Judge a classification by folds; calibration happens inside each, on rows that its test does not have.

    Returns:
        The metrics of all rows together with bootstrap intervals, and the ROC AUC of each fold.

    Raises:
        TableError: there are too few rows of a class.
    """
    aims = Targets(problem, silver)
    actual = aims.encode(silver)
    rare = int(min(actual.sum(), len(actual) - actual.sum()))
    if rare < folds:
        raise TableError(f"The rarer class has {counted(rare, 'row')}; each fold needs one at least.")
    predicted = np.full(len(silver), np.nan)
    areas = []
    for known, asked in StratifiedKFold(folds, shuffle=True, random_state=shares.seed).split(silver, actual):
        predictor = _taught(problem, how, shares, silver.iloc[known])
        answered, answers = tables.ask(predictor, silver.iloc[asked])
        places = asked[answered]
        predicted[places] = answers[:, 0]
        [area] = metrics.roc_auc(actual[places], predicted[places], np.ones((1, len(places))))
        if np.isnan(area):
            raise TableError("The rows of a fold that the model answers are all of one class.")
        areas.append(float(area))
    judged = ~np.isnan(predicted)
    weights = metrics.draws(int(judged.sum()), resamples, shares.seed)
    scores = metrics.binary(actual[judged], predicted[judged], weights)
    say("evaluate", f"{folds}-fold cross-validation: ROC AUC {np.mean(areas):.4f}")
    return {"folds": folds, "roc_auc_of_folds": areas, "mean_roc_auc": float(np.mean(areas)), "scores": scores}


def _taught(problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame) -> Predictor:
    """A model of these rows; their last part, which would be the test, trains too."""
    labels = assign(shuffled(problem, silver, shares.seed), shares)
    inner = labels.where(labels.isin([VALIDATION, CALIBRATION]), TRAIN)
    learned, _ = learn(problem, how, {part: silver[inner == part] for part in (TRAIN, VALIDATION, CALIBRATION)})
    return learned.predictor(problem)
