"""Numbers: a value with a conformal interval, and growth that trees cannot extrapolate."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from model import loss
from model.metrics import Coverage, Scores
from model.model import SPREAD
from model.outcomes import Regression
from model.outcomes.regression import Trend
from problems.parameters import PARAMS
from training.data import tables
from training.learning import conformal, curves, level, metrics, scales, trend
from training.learning.level import Level
from training.learning.params import TrainParams
from training.learning.scales import Scale
from training.learning.tasks.base import Finished, Task, Trained
from validation.contract import Column
from validation.decode import Columns
from validation.errors import SettingsError, TableError

_LARGEST = 1e37


class RegressionTask(Task[Regression]):
    """The target as it is."""

    objective = "regression"
    objectives = loss.OF_NUMBERS
    main_metrics = ("rmse", "mae", "mape")
    baseline = "mean"
    prior_rows = 0
    in_folds = False
    has_level = True

    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        """The numbers; raises TableError if one is too large to learn."""
        numbers = tables.target(self.problem.contract, silver)
        largest = float(np.abs(numbers).max(initial=0.0))
        if largest > _LARGEST:
            raise TableError(
                f"The target '{self.target.name}' goes to {largest:.3g}; LightGBM holds targets in 32 bits, so "
                f"{_LARGEST:.0e} is the limit. Bring it in a larger unit."
            )
        return numbers

    def scale(self, params: TrainParams) -> Scale:
        return scales.of(params, self.objective)

    def level(self, actual: np.ndarray, expected: np.ndarray) -> Level | None:
        return level.between(actual, expected)

    def growth(self, known: Columns, held_out: Columns) -> Trend | None:
        return trend.find(self.problem, known, held_out)

    def finish(self, trained: Trained, params: TrainParams) -> Finished[Regression]:
        (booster, sizes), scale = trained.error_sizes, self.scale(params)
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise SettingsError(
                f"With the parameters in {PARAMS}, {self.problem.name}.train.booster, errors have no size that is a "
                "number. Take a smaller learning_rate."
            )

        def size(raw: np.ndarray) -> float:
            """The conformal quantile of errors, where categories have no factors."""
            return conformal.quantile(np.abs(scale.errors(trained.actual, raw)) / sizes, params.coverage)

        errors, columns = scale.errors(trained.actual, trained.raw), trained.columns
        outcome = conformal.calibrate(self.problem, params.coverage, trained.trend, errors, sizes, columns, scale)
        outcome = msgspec.structs.replace(outcome, width=outcome.width * trained.gain(size))
        return Finished(outcome, {SPREAD: booster.model_to_string()}, outcome.scores(trained.raw, sizes, columns))

    @staticmethod
    def judge(outcome: Regression, actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
        return metrics.regression(actual, predicted, weights)

    @staticmethod
    def beside(outcome: Regression, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        low, high = scores[:, 1], scores[:, 2]
        return {"low": low, "high": high, metrics.COVERED: (low <= actual) & (actual <= high)}

    @staticmethod
    def summary(outcome: Regression, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        covered = metrics.share(table[metrics.COVERED].to_numpy(), weights)
        bins = curves.of_means(table[metrics.ACTUAL].to_numpy(), metrics.predicted(table, metrics.MODEL), weights)
        width = float((table["high"] - table["low"]).mean())
        return {"interval": Coverage(outcome.coverage, covered, width), "reliability": bins}

    @staticmethod
    def linear() -> Ridge:
        return Ridge()

    @staticmethod
    def forest(**settings: Any) -> RandomForestRegressor:
        return RandomForestRegressor(**settings)

    @staticmethod
    def predicted(fitted: Any, features: np.ndarray) -> np.ndarray:
        values: np.ndarray = fitted.predict(features)
        return values

    @staticmethod
    def likeness(values: pd.Series, actual: pd.Series) -> float:
        """The absolute rank correlation (Spearman)."""
        return float(abs(values.rank().corr(actual.rank())))

    def suspicions(self, silver: pd.DataFrame) -> Iterator[str]:
        if set(silver[self.target.name].unique()) == {0, 1}:
            yield (
                f"`{self.target.name}` is only ever 0 or 1 and is learned as a number. "
                f"Declare it `kind=Kind.FLAG` to have probabilities of two classes."
            )

    @staticmethod
    def what(outcome: Regression, unit: str) -> str:
        return f"a number{f' in {unit}' if unit else ''}, with an interval for {outcome.coverage:.0%}"

    @staticmethod
    def limits(outcome: Regression) -> Iterator[str]:
        yield (
            f"Intervals cover {outcome.coverage:.0%} on average over rows like those of the calibration split. They "
            "promise nothing about one row, nor about rows of another kind or a time in which the target behaves "
            "otherwise."
        )
        if outcome.trend is None:
            return
        growth = outcome.trend
        first, last, until = (_day(day) for day in (growth.first, growth.last, 2 * growth.last - growth.first))
        yield (
            f"It learned from rows of {first} to {last} and a growth of {growth.rate:+.1%} a year (by the logarithm of "
            f"the target). It carries that growth on until {until}; before {first} and after {until} it stands still."
        )

    @staticmethod
    def case(
        outcome: Regression, target: Column, actual: float, predicted: np.ndarray, label: Callable[[object], str]
    ) -> str:
        return f"predicted {predicted.item():,.5g}, was {actual:,.5g} {label(target.unit or '')}".rstrip()


def _day(days: float) -> str:
    return str(datetime.date(1970, 1, 1) + datetime.timedelta(days=int(days)))
