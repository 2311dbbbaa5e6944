"""Training on folds: each row is held out once, and the model that is kept learns from all of them.

The folds say how many trees to grow, which of several parameter sets to take, and how wrong answers are
(cross-conformal prediction: Vovk, "Cross-conformal predictors", 2015). Small tables cannot spare the rows that a
split holds out.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import pandas as pd

from model.features import FeatureMatrix, fit
from training.data import tables
from training.data.split import TRAIN, stretches
from training.learning import candidates, spread
from training.learning.boost import GaveUp, Part, raw_scores
from training.learning.checkpoints import NONE, Checkpoints
from training.learning.gold import cross_folds, gold_of, learned_gold
from training.learning.growing import boost
from training.learning.params import TrainParams
from training.learning.scales import demand
from training.learning.tasks.base import Task, Trained
from training.workspace import say
from validation.decode import Columns

_MORE_ROWS = 1.1
"""How many times the trees of a fold the last model gets: it learns from more rows."""
_LEAST_FOLDS = 2
_ENOUGH_FOR_A_CURVE = 500
"""Rows from which on a learning curve is told from chance."""


class _Fold(NamedTuple):
    """One fold's matrix of all rows, fitted to those that are not held out; masks are of shape (rows,)."""

    matrix: FeatureMatrix
    features: np.ndarray
    learned: np.ndarray
    held_out: np.ndarray


class _Tried(NamedTuple):
    """A parameter set, its mean loss, the trees of each of its boosters, and their raw scores of the held-out rows."""

    params: TrainParams
    loss: float
    trees: int
    raw: np.ndarray


class Folds(Trained):
    """A booster of all rows, whose held-out scores are those of the folds."""

    trend = None

    def __init__(self, task: Task[Any], params: TrainParams, known: pd.DataFrame, kept: Checkpoints = NONE) -> None:
        """Train on silver rows whose order says nothing: copies of a row are in one fold."""
        problem, self._kept = task.problem, kept
        self._known, self._seed = known, params.seed
        self._task, self._class_weights = task, params.class_weights
        self.columns, self.actual = tables.inputs(problem.contract, known), task.encode(known)
        task.require_enough(self.actual)
        self._scale, self._all = task.scale(params), np.ones(len(known), dtype=bool)
        demand(self._scale, problem.contract.target.name, self.actual)
        place = stretches(problem, known, params.folds, params.seed)
        self._folds = [self._fold(place, number) for number in range(params.folds)]
        self._params, _, self._trees, self.raw = candidates.best(params, self._tried)
        self.fitted = fit(problem, self._with_target(self._all), task.bounds)
        self._matrix = FeatureMatrix(problem, self.fitted)
        inner = cross_folds(problem, known, params.seed)
        gold = learned_gold(problem, self.fitted, self._with_target(self._all), inner).set_axis(known.index)
        self.gold, self._features = {TRAIN: gold}, gold.to_numpy()
        rounds = round(self._trees * _MORE_ROWS)
        say("train", f"{rounds} trees of all {len(known):,} rows; the {params.folds} folds stopped at {self._trees}")
        self.booster = self._grown(self._matrix, self._features, self._all, rounds)

    def _with_target(self, rows: np.ndarray) -> Columns:
        columns = {**self.columns, self._task.problem.contract.target.name: self.actual}
        return {name: values[rows] for name, values in columns.items()}

    def _fold(self, place: np.ndarray, number: int) -> _Fold:
        problem, held_out = self._task.problem, place == number
        known = self._with_target(~held_out)
        fitted = fit(problem, known, self._task.bounds)
        features = np.empty((len(place), len(fitted.feature_names)))
        inner = cross_folds(problem, self._known[~held_out], self._seed)
        features[~held_out] = learned_gold(problem, fitted, known, inner).to_numpy()
        asked = {name: values[held_out] for name, values in self.columns.items()}
        features[held_out] = gold_of(problem, fitted, asked).to_numpy()
        return _Fold(FeatureMatrix(problem, fitted), features, ~held_out, held_out)

    def _tried(self, params: TrainParams) -> _Tried:
        pairs = [
            candidates.Pair(fold.matrix, *(self._part(fold.features, rows) for rows in (fold.learned, fold.held_out)))
            for fold in self._folds
        ]
        boosters, trees, loss = candidates.stopped(self._task, params, pairs, self._kept)
        return _Tried(params, loss, trees, self._held_out_scores(boosters))

    def _held_out_scores(self, boosters: Sequence[lgb.Booster]) -> np.ndarray:
        """Raw scores of all rows, each by the booster of the fold that held it out."""
        scores = [
            raw_scores(booster, fold.features[fold.held_out])
            for booster, fold in zip(boosters, self._folds, strict=True)
        ]
        raw = np.empty((len(self.actual), *scores[0].shape[1:]))
        for fold, some in zip(self._folds, scores, strict=True):
            raw[fold.held_out] = some
        return raw

    def _part(self, features: np.ndarray, rows: np.ndarray) -> Part:
        weights = self._task.weights(self._class_weights, self.actual[rows], self.actual)
        return Part(features[rows], self._scale.learned(self.actual[rows]), weights)

    def _grown(self, matrix: FeatureMatrix, features: np.ndarray, rows: np.ndarray, rounds: int) -> lgb.Booster:
        """A booster of these rows, a mask of shape (rows,), with so many trees."""
        settings = self._task.settings_of(matrix, self._params)
        return boost(settings, rounds, matrix, self._part(features, rows), self._kept)

    def gain(self, size: Callable[[np.ndarray], float]) -> float:
        """The model learns from one fold more than the boosters of `raw`; what that brings is told by one fold less.

        Errors fall as a power of the number of rows (Cortes et al., "Learning Curves", 1993).
        """
        count = len(self._folds)
        if count == _LEAST_FOLDS or len(self.actual) < _ENOUGH_FOR_A_CURVE:
            return 1.0
        power = np.log(count / (count - 1)) / np.log((count - 1) / (count - 2))
        try:
            less = size(self._with_less())
        except GaveUp:
            return 1.0
        return float(min(size(self.raw) / less, 1.0) ** power) if less > 0 else 1.0

    def _with_less(self) -> np.ndarray:
        """Raw scores of all rows by boosters that leave the next fold out too, and grow as many trees fewer."""
        trees = max(round(self._trees / _MORE_ROWS), 1)
        return self._held_out_scores(
            [
                self._grown(fold.matrix, fold.features, fold.learned & ~following.held_out, trees)
                for fold, following in zip(self._folds, [*self._folds[1:], self._folds[0]], strict=True)
            ]
        )

    @cached_property
    def error_sizes(self) -> tuple[lgb.Booster, np.ndarray]:
        """A booster of the errors of all rows, and what those of the other folds say of each row."""
        errors, deviation = self._scale.errors(self.actual, self.raw), self._scale.deviation(self.actual)

        def learned(matrix: FeatureMatrix, features: np.ndarray, rows: np.ndarray) -> lgb.Booster:
            return spread.learn(self._params, matrix, features[rows], errors[rows], deviation)

        sizes = np.empty(len(errors))
        for fold in self._folds:
            booster = learned(fold.matrix, fold.features, fold.learned)
            sizes[fold.held_out] = booster.predict(fold.features[fold.held_out])
        return learned(self._matrix, self._features, self._all), sizes
