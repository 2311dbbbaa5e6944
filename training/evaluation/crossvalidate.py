"""Cross-validation of the whole training: rows are judged by models that saw neither them nor what came later."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from model.metrics import CrossValidation
from model.predictor import Predictor
from problems.base import Problem
from training.data import classes, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION, SplitParams, assign, ordered, stretches
from training.learning import metrics, tasks
from training.learning.params import TrainParams
from training.learning.train import learn
from training.workspace import counted, say
from validation.errors import TableError


def cross_validate(
    problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame, folds: int, resamples: int
) -> CrossValidation:
    """Cross-validate a classification; a fold's model is calibrated on rows that it is not judged by.

    Without a time column folds are drawn at random, with the same share of each class, and copies of a row are in one.
    With it they are expanding windows: each stretch of time is judged by a model of all rows before it, and the first
    stretch is only trained on.

    Returns:
        The metrics of all judged rows with bootstrap intervals, the ROC AUC of each fold, and the time column if any.

    Raises:
        TableError: there are too few rows of a class, or too few different times.
    """
    _demand_enough(problem, silver, folds)
    areas: list[float] = []
    actual, predicted = [], []
    for train, test in each_fold(problem, silver, folds, shares.seed):
        predictor = _fitted(problem, how, shares, silver.iloc[train])
        answered, scores = tables.ask(predictor, silver.iloc[test])
        # bounds of classes are those that the fold's model found
        task = tasks.of(problem, silver, predictor.model.fitted.bounds)
        actual.append(task.encode(silver.iloc[test[answered]]))
        predicted.append(task.judged(scores))
        outcome = predictor.outcome
        area = task.judge(outcome, actual[-1], predicted[-1], np.empty((0, len(answered))))["roc_auc"].value
        if area is None:
            raise TableError("The rows of a fold that the model answers are all of one class.")
        areas.append(area)
    judged = np.concatenate(actual)
    weights = metrics.draws(len(judged), resamples, shares.seed)
    scores_of_all = task.judge(outcome, judged, np.concatenate(predicted), weights)
    say("evaluate", f"{folds}-fold cross-validation: ROC AUC {np.mean(areas):.4f}")
    time = problem.contract.time
    return CrossValidation(folds, time.name if time else None, areas, float(np.mean(areas)), scores_of_all)


def _demand_enough(problem: Problem, silver: pd.DataFrame, folds: int) -> None:
    """Raise TableError if a class has fewer rows than there are folds."""
    counts = classes.of(problem, silver).labels(silver).value_counts()
    if counts.min() < folds:
        rows = counted(int(counts.min()), "row")
        raise TableError(f"The class {counts.idxmin()!r} has {rows}; each fold needs one at least.")


def each_fold(problem: Problem, silver: pd.DataFrame, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each fold the positions of the rows to learn from, and of those to judge; shape (rows,) each."""
    time = problem.contract.time
    count = folds if time is None else folds + 1
    stretch = stretches(problem, silver, count, seed)
    for judged in range(count - folds, count):
        train = stretch != judged if time is None else stretch < judged
        yield np.flatnonzero(train), np.flatnonzero(stretch == judged)


def _fitted(problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame) -> Predictor:
    """A model of these rows; it has no test split, whose share of the rows is trained on."""
    labels = assign(ordered(problem, silver, shares.seed), shares)
    inner = labels.where(labels.isin([VALIDATION, CALIBRATION]), TRAIN)
    parts = {part: silver[inner == part] for part in (TRAIN, VALIDATION, CALIBRATION)}
    return Predictor(learn(problem, how, parts).model)
