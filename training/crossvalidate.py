"""Cross-validation of the whole training: rows are judged by models that saw neither them nor what came later."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from model.predictor import Predictor
from problems.base import Problem
from training import metrics, tables
from training.split import CALIBRATION, TRAIN, VALIDATION, SplitParams, assign, ordered
from training.targets import Targets
from training.train import TrainParams, learn
from training.workspace import counted, say
from validation.errors import TableError


def cross_validate(
    problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame, folds: int, resamples: int
) -> dict[str, Any]:
    """Judge a classification by folds; calibration happens inside each, on rows that its test does not have.

    Without a time column folds are drawn at random, stratified. With one they are expanding windows: each stretch of
    time is judged by a model of all rows before it, and the first stretch only teaches.

    Returns:
        The metrics of all judged rows with bootstrap intervals, the ROC AUC of each fold, and the time column if any.

    Raises:
        TableError: there are too few rows of a class, or too few different times.
    """
    aims = Targets(problem, silver)
    actual = aims.encode(silver)
    rare = int(min(actual.sum(), len(actual) - actual.sum()))
    if rare < folds:
        raise TableError(f"The rarer class has {counted(rare, 'row')}; each fold needs one at least.")
    predicted = np.full(len(silver), np.nan)
    areas = []
    for known, asked in _folds(problem, silver, actual, folds, shares.seed):
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
    time = problem.contract.time
    return {
        "folds": folds,
        "in_time": time.name if time else None,
        "roc_auc_of_folds": areas,
        "mean_roc_auc": float(np.mean(areas)),
        "scores": scores,
    }


def _folds(
    problem: Problem, silver: pd.DataFrame, actual: np.ndarray, folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each fold the places of the rows that teach and of those that are judged."""
    time = problem.contract.time
    if time is None:
        yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(silver, actual)
        return
    # as many rows in each stretch as equal times allow, which stay together
    earlier = silver[time.name].rank(method="min").to_numpy() - 1
    stretch = (earlier * (folds + 1) // len(silver)).astype(int)
    if len(set(stretch)) <= folds:
        raise TableError(f"'{time.name}' has too few different times for {folds + 1} stretches of them.")
    for later in range(1, folds + 1):
        yield np.flatnonzero(stretch < later), np.flatnonzero(stretch == later)


def _taught(problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame) -> Predictor:
    """A model of these rows; their last part, which would be the test, trains too."""
    labels = assign(ordered(problem, silver, shares.seed), shares)
    inner = labels.where(labels.isin([VALIDATION, CALIBRATION]), TRAIN)
    learned, _ = learn(problem, how, {part: silver[inner == part] for part in (TRAIN, VALIDATION, CALIBRATION)})
    return learned.predictor(problem)
