"""Losses on rows that a booster did not learn from, for any parameter set: the folds of the evaluation.

They are made of what `training.learning` makes models of, see `training.learning.prepared`.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from model import loss
from problems.base import Problem
from training.data import classes
from training.data.split import TRAIN, VALIDATION
from training.evaluation.crossvalidate import each_fold
from training.learning import candidates, tasks
from training.learning.candidates import Pair
from training.learning.params import TrainParams
from training.learning.prepared import prepare
from training.learning.tasks import Task
from training.tuning.space import Booster

FOLDS = 5
"""Where the problem is not learned by folds, which says how many."""
_MOST_KEPT = 200_000_000
"""Matrices of so many numbers in all are kept, 1.6 GB; larger ones are made anew for every parameter set."""


class Fold(NamedTuple):
    """What is learned, and what is held out of it, as training makes them for the problem's parameters."""

    task: Task[Any]
    pair: Pair


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
            if len(self._known) * fold.pair.known.features.shape[1] * len(self) <= _MOST_KEPT:
                self._kept[number] = fold
            yield fold

    def forget(self) -> None:
        """Free the memory of what was made of the rows; it is made again where it is asked for."""
        self._kept.clear()

    def _made(self, *parts: pd.DataFrame) -> Fold:
        """The fold of silver rows to learn from and to hold out."""
        task = tasks.of(self._problem, self._known, classes.cut(self._problem, parts[0]))
        task.check_params(self._params)
        prepared = prepare(task, self._params, dict(zip((TRAIN, VALIDATION), parts, strict=True)))
        return Fold(task, Pair(prepared.matrix, prepared.rows[TRAIN], prepared.rows[VALIDATION]))


def boosted(fold: Fold, params: TrainParams) -> candidates.Stopped:
    """A booster of the rows to learn from that the held-out rows stopped, as training makes one of a parameter set."""
    return candidates.stopped(fold.task, params, [fold.pair], every=math.inf)


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
    features, target, weights = fold.pair.held_out
    stated = loss.of(loss.stated(str(params.booster.get("objective", fold.task.objective)), params.booster))
    [booster] = boosted(fold, params).boosters
    losses = stated.rows(target, np.asarray(booster.predict(features)))
    return losses if weights is None else losses * weights
