"""Training on folds: each row is held out once, and the model that is kept learns from all of them.

The folds say how many trees to grow, which of several parameter sets to take, and how wrong answers are
(cross-conformal prediction: Vovk, "Cross-conformal predictors", 2015). Small tables cannot spare the rows that a
split holds out.
"""

from functools import cached_property
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import pandas as pd

from model.features import FeatureMatrix, fit
from training.data import tables
from training.data.split import TRAIN, stretches
from training.learning import spread
from training.learning.boost import boost, dataset, least_loss, raw_scores
from training.learning.gold import gold_of
from training.learning.params import TrainParams
from training.learning.scales import demand
from training.learning.tasks.base import Task, Trained
from training.workspace import say
from validation.decode import Columns

_MORE_ROWS = 1.1
"""How many times the trees of a fold the last model gets: it learns from more rows."""


class _Fold(NamedTuple):
    """One fold's matrix of all rows, fitted to those that are not held out; masks are of shape (rows,)."""

    matrix: FeatureMatrix
    features: np.ndarray
    learned: np.ndarray
    held_out: np.ndarray


class _Tried(NamedTuple):
    """A parameter set: LightGBM's parameters, their mean loss, the trees of each fold, and raw scores of all rows."""

    booster: dict[str, Any]
    loss: float
    trees: list[int]
    raw: np.ndarray


class Folds(Trained):
    """A booster of all rows, whose held-out scores are those of the folds."""

    trend = None

    def __init__(self, task: Task[Any], params: TrainParams, known: pd.DataFrame) -> None:
        """Train on silver rows whose order says nothing: copies of a row are in one fold."""
        problem = task.problem
        self._task, self._class_weights = task, params.class_weights
        self.columns, self.actual = tables.inputs(problem.contract, known), task.encode(known)
        task.require_enough(self.actual)
        self._scale = task.scale(params)
        demand(self._scale, problem.contract.target.name, self.actual)
        place = stretches(problem, known, params.folds, params.seed)
        self._folds = [self._fold(place == number) for number in range(params.folds)]
        best = self._best(params)
        self._params = params.with_booster(best.booster)
        self.raw = best.raw
        self.fitted = fit(problem, self._with_target(), task.bounds)
        self._matrix = FeatureMatrix(problem, self.fitted)
        gold = gold_of(problem, self.fitted, self.columns).set_axis(known.index)
        self.gold, self._features = {TRAIN: gold}, gold.to_numpy()
        settings = task.settings_of(self._matrix, self._params)
        rounds = max(round(float(np.mean(best.trees)) * _MORE_ROWS), 1)
        say("train", f"{rounds} trees of all {len(known):,} rows; the {params.folds} folds stopped at {best.trees}")
        everything = np.ones(len(known), dtype=bool)
        self.booster = boost(settings, rounds, self._dataset(self._matrix, self._features, settings, everything))

    def _with_target(self, rows: np.ndarray | None = None) -> Columns:
        columns = {**self.columns, self._task.problem.contract.target.name: self.actual}
        return columns if rows is None else {name: values[rows] for name, values in columns.items()}

    def _fold(self, held_out: np.ndarray) -> _Fold:
        problem = self._task.problem
        fitted = fit(problem, self._with_target(~held_out), self._task.bounds)
        features = gold_of(problem, fitted, self.columns).to_numpy()
        return _Fold(FeatureMatrix(problem, fitted), features, ~held_out, held_out)

    def _best(self, params: TrainParams) -> _Tried:
        """The parameter set with the least mean loss on rows that its boosters did not learn from."""
        tried = [self._tried(params.with_booster(booster)) for booster in params.boosters]
        best = min(tried, key=lambda one: one.loss)
        if len(tried) > 1:
            losses = ", ".join(f"{one.loss:.5g}" for one in tried)
            say(
                "train",
                f"parameter set {tried.index(best) + 1} of {len(tried)}: their losses on held-out rows, {losses}",
            )
        return best

    def _tried(self, params: TrainParams) -> _Tried:
        losses, trees, raw = [], [], None
        for fold in self._folds:
            settings = self._task.settings_of(fold.matrix, params)
            data, held_out = (
                self._dataset(fold.matrix, fold.features, settings, rows) for rows in (fold.learned, fold.held_out)
            )
            held_out.set_reference(data)
            booster = boost(settings, params.rounds, data, held_out, params.stop_after)
            trees.append(booster.best_iteration)
            losses.append(least_loss(booster) * fold.held_out.sum())
            scores = raw_scores(booster, fold.features[fold.held_out])
            raw = np.empty((len(self.actual), *scores.shape[1:])) if raw is None else raw
            raw[fold.held_out] = scores
        assert raw is not None  # noqa: S101 for the type checker: there are folds
        return _Tried(params.booster, float(sum(losses)) / len(self.actual), trees, raw)

    def _dataset(
        self, matrix: FeatureMatrix, features: np.ndarray, settings: dict[str, Any], rows: np.ndarray
    ) -> lgb.Dataset:
        weights = self._task.weights(self._class_weights, self.actual[rows], self.actual)
        return dataset(matrix, features[rows], self._scale.learned(self.actual[rows]), settings, weights)

    @cached_property
    def error_sizes(self) -> tuple[lgb.Booster, np.ndarray]:
        """A booster of the errors of all rows, and what those of the other folds say of each row."""
        errors = self._scale.errors(self.actual, self.raw)
        sizes = np.empty(len(errors))
        for fold in self._folds:
            learned = spread.learn(self._params, fold.matrix, fold.features[fold.learned], errors[fold.learned])
            sizes[fold.held_out] = learned.predict(fold.features[fold.held_out])
        return spread.learn(self._params, self._matrix, self._features, errors), sizes
