"""Training on one split: the validation rows say when to stop, and the calibration rows how wrong answers are."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import pandas as pd

from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import candidates, spread
from training.learning.boost import GaveUp, Part, raw_scores
from training.learning.checkpoints import NONE, Checkpoints
from training.learning.growing import boost
from training.learning.params import TrainParams
from training.learning.prepared import NO_NAMES, Names, prepare
from training.learning.tasks.base import Task, Trained
from training.workspace import say

_ENOUGH_TO_CHOOSE = 50_000
"""Training rows by which a parameter set is chosen: which one suits the noise is told by few."""


class _Tried(NamedTuple):
    """A parameter set, its booster, and that one's least loss on validation."""

    params: TrainParams
    booster: lgb.Booster
    loss: float


class OneSplit(Trained):
    """A booster of the training rows."""

    def __init__(
        self,
        task: Task[Any],
        params: TrainParams,
        parts: Mapping[str, pd.DataFrame],
        kept: Checkpoints = NONE,
        weights: np.ndarray | None = None,
        further: Names = NO_NAMES,
    ) -> None:
        """Train on "train", stop by "validation", and hold "calibration" out; silver rows each.

        `weights` are of the first, beside those of their classes; shape (rows,). `further` names are known too.
        """
        self._task, self._kept = task, kept
        self._rows = parts[TRAIN] if weights is None else parts[TRAIN][weights > 0]
        prepared = prepare(task, params, parts, weights, further)
        self.fitted, self.gold, self.trend = prepared.fitted, prepared.gold, prepared.trend
        self._matrix = prepared.matrix
        if self.trend is not None:
            growth = np.expm1(self.trend.rate)
            say(
                "train",
                f"the target {'grows' if growth > 0 else 'falls'} by {abs(growth):.1%} a year; trees learn it deflated",
            )
        self._scale, self._actual = prepared.scale, prepared.actual[TRAIN]
        self._features = {part: rows.features for part, rows in prepared.rows.items()}
        self._weights = prepared.rows[TRAIN].weights
        self._pair = candidates.Pair(self._matrix, prepared.rows[TRAIN], prepared.rows[VALIDATION])
        self._params, self.booster, _ = self._best(params)
        self.raw = raw_scores(self.booster, self._features[CALIBRATION])
        self.actual, self.columns = prepared.actual[CALIBRATION], prepared.inputs[CALIBRATION]

    def _best(self, params: TrainParams) -> _Tried:
        """A booster by the parameter set with the least loss on validation; many rows are not needed to choose it."""
        rows = len(self._pair.known.target)
        if len(params.boosters) == 1 or rows <= _ENOUGH_TO_CHOOSE:
            return candidates.best(params, self._tried)
        some = np.sort(np.random.default_rng(params.seed).choice(rows, _ENOUGH_TO_CHOOSE, replace=False))
        features, target, weights = self._pair.known
        sample = Part(features[some], target[some], None if weights is None else weights[some])
        say("train", f"parameter sets are tried on {_ENOUGH_TO_CHOOSE:,} of the {rows:,} training rows")
        chosen = candidates.best(params, lambda one: self._tried(one, self._pair._replace(known=sample)))
        try:
            return self._tried(chosen.params)
        except GaveUp as error:
            say("train", f"the model is that of {_ENOUGH_TO_CHOOSE:,} rows: {error}")
            return chosen

    def _tried(self, params: TrainParams, pair: candidates.Pair | None = None) -> _Tried:
        [booster], _, loss = candidates.stopped(self._task, params, [pair or self._pair], self._kept)
        return _Tried(params, booster, loss)

    @cached_property
    def error_sizes(self) -> tuple[lgb.Booster, np.ndarray]:
        """A booster of the errors of the training rows, and what it says of the calibration rows."""
        deviation = self._scale.deviation(self._actual)
        booster = spread.learn(self._params, self._matrix, self._features[TRAIN], self._errors(), deviation)
        return booster, np.asarray(booster.predict(self._features[CALIBRATION]))

    def _errors(self) -> np.ndarray:
        """Out-of-fold errors on the training rows of boosters like this one, with as many trees; shape (rows,).

        Its own errors on these rows are too small where it overfits them, which is where noise is large. Folds are left
        out once enough rows have an error: their rows stay NaN.
        """
        features, actual = self._features[TRAIN], self._actual
        settings = self._task.settings_of(self._matrix, self._params)
        folds = spread.folds_of(self._task.problem, self._rows)
        errors = np.full(len(actual), np.nan)
        for fold in np.unique(folds):
            held_out = folds == fold
            booster = self.booster
            if not held_out.all():
                weights = None if self._weights is None else self._weights[~held_out]
                part = Part(features[~held_out], self._scale.learned(actual[~held_out]), weights)
                booster = boost(settings, self.booster.best_iteration, self._matrix, part, self._kept)
            errors[held_out] = self._scale.errors(actual[held_out], raw_scores(booster, features[held_out]))
            if np.isfinite(errors).sum() >= spread.ENOUGH_ERRORS:
                break
        return errors
