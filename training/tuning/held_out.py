"""Losses on rows that a booster did not learn from, for any parameter set: the folds of the evaluation.

They are made of what `training.learning` makes models of: the features fitted to the rows that are learned, growth
taken out of targets, their logarithm where that is learned.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from model.features import FeatureMatrix, fit
from problems.base import Problem
from training.data import classes, tables
from training.evaluation.crossvalidate import each_fold
from training.learning import boost, candidates, loss, tasks
from training.learning.gold import cross_folds, gold_of, learned_gold
from training.learning.params import TrainParams
from training.learning.scales import demand
from training.learning.tasks import Task
from training.tuning.space import Booster

FOLDS = 5
"""Where the problem is not learned by folds, which says how many."""
_MOST_KEPT = 200_000_000
"""Matrices of so many numbers in all are kept, 1.6 GB; larger ones are made anew for every parameter set."""


class Part(NamedTuple):
    """Rows of one fold: their model matrix, shape (rows, features), and encoded targets without growth, (rows,)."""

    features: np.ndarray
    actual: np.ndarray


class Fold(NamedTuple):
    """What is learned, and what is held out of it."""

    task: Task[Any]
    matrix: FeatureMatrix
    learned: Part
    held_out: Part


class Folds:
    """The folds of known rows: expanding windows where the contract has a time column, else drawn by `seed`."""

    def __init__(self, problem: Problem, params: TrainParams, known: pd.DataFrame, seed: int) -> None:
        """Find the places of the rows; raises TableError if there are too few different ones."""
        self._problem, self._params, self._known = problem, params, known
        self._places = list(each_fold(problem, known, params.folds or FOLDS, seed))
        if problem.contract.time is not None:
            self._places.reverse()  # the last window has the most rows to learn from, as training will have
        self._kept: dict[int, Fold] = {}
        self.rows = np.array([len(held_out) for _, held_out in self._places])

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    def __iter__(self) -> Iterator[Fold]:
        """One after the other, the latest first if they have times.

        Raises:
            ContractError: the problem's features do not pass the gold gate.
            SettingsError: the parameters do not fit the target.
            TableError: a fold lacks a class, or its targets cannot be learned.
        """
        for number, (learned, held_out) in enumerate(self._places):
            fold = self._kept.get(number) or self._made(self._known.iloc[learned], self._known.iloc[held_out])
            if len(self._known) * fold.learned.features.shape[1] * len(self) <= _MOST_KEPT:
                self._kept[number] = fold
            yield fold

    def forget(self) -> None:
        """Free the memory of what was made of the rows; it is made again where it is asked for."""
        self._kept.clear()

    def _made(self, *parts: pd.DataFrame) -> Fold:
        """The fold of silver rows to learn from and to hold out."""
        problem, target = self._problem, self._problem.contract.target.name
        task = tasks.of(problem, self._known, classes.cut(problem, parts[0]))
        task.check_params(self._params)
        columns = [tables.inputs(problem.contract, rows) for rows in parts]
        actual = [task.encode(rows) for rows in parts]
        task.require_enough(actual[0])
        known, later = ({**inputs, target: values} for inputs, values in zip(columns, actual, strict=True))
        fitted = fit(problem, known, task.bounds)
        trend = task.growth(known, later)
        if trend is not None:
            actual = [values / trend.index(inputs) for values, inputs in zip(actual, columns, strict=True)]
        for values in actual:
            demand(task.scale(self._params), target, values)
        place = cross_folds(problem, parts[0], self._params.seed)
        gold = learned_gold(problem, fitted, known, place), gold_of(problem, fitted, columns[1])
        features = [rows.to_numpy() for rows in gold]
        learned, held_out = (Part(*both) for both in zip(features, actual, strict=True))
        return Fold(task, FeatureMatrix(problem, fitted), learned, held_out)


def boosted(fold: Fold, params: TrainParams) -> candidates.Stopped:
    """A booster of the rows to learn from that the held-out rows stopped, as training makes one of a parameter set."""
    task, scale = fold.task, fold.task.scale(params)
    parts = (
        boost.Part(
            part.features,
            scale.learned(part.actual),
            task.weights(params.class_weights, part.actual, fold.learned.actual),
        )
        for part in (fold.learned, fold.held_out)
    )
    return candidates.stopped(task, params, [candidates.Pair(fold.matrix, *parts)], every=math.inf)


def means(folds: Folds, params: TrainParams, booster: Booster) -> Iterator[float]:
    """The mean loss of the held-out rows of the folds so far, after each; as LightGBM reports it."""
    params = params.with_booster(booster)
    losses: list[float] = []
    for fold in folds:
        losses.append(boosted(fold, params).loss)
        yield float(np.average(losses, weights=folds.rows[: len(losses)]))


def row_losses(folds: Folds, params: TrainParams, booster: Booster) -> np.ndarray:
    """The loss of each held-out row, fold by fold, with the weight of its class; shape (rows,).

    They are of what is learned: of logarithms and without growth, where training learns targets so.
    """
    params = params.with_booster(booster)
    return np.concatenate([_row_losses(fold, params) for fold in folds])


def _row_losses(fold: Fold, params: TrainParams) -> np.ndarray:
    task, (features, actual) = fold.task, fold.held_out
    stated = loss.of(loss.stated(str(params.booster.get("objective", task.objective)), params.booster))
    [booster] = boosted(fold, params).boosters
    predicted = np.asarray(booster.predict(features))
    losses = stated.rows(task.scale(params).learned(actual), predicted)
    weights = task.weights(params.class_weights, actual, fold.learned.actual)
    return losses if weights is None else losses * weights
