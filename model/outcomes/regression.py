"""Numbers: a value with its prediction interval."""

import itertools
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np

from model.outcomes.answer import Answer, Output
from problems.base import Task
from validation.contract import Column
from validation.decode import Columns
from validation.wire import Interval

DAYS_A_YEAR = 365.25
_MOST = 700.0
"""Larger logarithms are of numbers that doubles do not hold."""
_MICROSECONDS = np.dtype("datetime64[us]")


class Trend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A steady growth of the target, which trees cannot extrapolate: they learn deflated targets and this is put back.

    Attributes:
        column: the contract's time column.
        rate: growth of the target's logarithm, a year.
        first, last: the days (since 1970) of the first and the last training row; at `last` the index is 1.
    """

    column: str
    rate: float
    first: float
    last: float

    def index(self, columns: Columns) -> np.ndarray:
        """What deflated targets are multiplied with, float32 of shape (rows,).

        Growth goes on for as long after the last training row as training is long, and stands still before and after.
        The last digits of a float64 exponential differ from one processor to another, and answers must not.
        """
        days = days_since_1970(columns[self.column])
        until = 2 * self.last - self.first
        within = np.minimum(np.maximum(days, self.first), until)  # np.clip takes four times as long for one row
        growth: np.ndarray = np.exp(self.rate / DAYS_A_YEAR * (within - self.last))
        return growth.astype(np.float32)


def days_since_1970(times: np.ndarray) -> np.ndarray:
    """Dates or timestamps as days, shape (rows,)."""
    days: np.ndarray = times.astype(_MICROSECONDS).view(np.int64) / 86_400e6
    return days


class Regression(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag="regression",
    tag_field="task",
):
    """A number and its prediction interval: value ± width times spread times the factors of the row's categories.

    Locally weighted split conformal prediction (Lei et al., "Distribution-Free Predictive Inference for Regression",
    2018), with a factor for each common category so that each of them is covered too (Jung et al., "Batch Multivalid
    Conformal Prediction", 2023).

    Attributes:
        coverage: the share of rows that the intervals are made to cover.
        width: the conformal quantile of |error| / (spread times factors) on the calibration split.
        factors: for category columns, what widens or narrows the intervals of a value; 1 for those not named.
        trend: growth that was taken out of the targets, if any.
        low, high: the bounds of the target, which intervals do not leave.
        log: whether raw scores are logarithms of values.
        ratio: whether intervals are factors of the value: then spread and width are those of logarithms.
    """

    task: ClassVar[Task] = "regression"
    kind: ClassVar[type[float]] = float
    parts: ClassVar[frozenset[str]] = frozenset({"interval"})
    spread: ClassVar[bool] = True
    raw_scores: ClassVar[int] = 1
    given: ClassVar[frozenset[str]] = parts
    stated_costs: ClassVar[dict[str, dict[str, float]]] = {}
    subjects: ClassVar[tuple[str, ...]] = ()
    score_columns: ClassVar[tuple[list[str], ...]] = (["prediction"],)

    coverage: float
    width: float
    factors: dict[str, dict[str, float]]
    trend: Trend | None
    low: float | None
    high: float | None
    log: bool = False
    ratio: bool = False

    @property
    def space(self) -> str:
        """What explanations add up to: the value, or its logarithm."""
        return "log-value" if self.log else "value"

    def fits(self, target: Column) -> bool:
        """Whether a target is a number."""
        return target.continuous

    def scores(self, raw: np.ndarray, spread: np.ndarray, columns: Columns) -> np.ndarray:
        """Columns value, low, high; shape (rows, 3).

        Args:
            raw: the booster's raw scores, shape (rows,).
            spread: the estimated size of their errors, above 0; shape (rows,).
            columns: the decoded inputs.
        """
        half = self.width * self.difficulty(spread, columns)
        value = np.exp(np.minimum(raw, _MOST)) if self.log else raw
        if self.ratio:
            low, high = (np.exp(np.minimum(end, _MOST)) for end in (raw - half, raw + half))
        else:
            low, high = value - half, value + half
        if self.trend is not None:
            index = self.trend.index(columns)
            value, low, high = value * index, low * index, high * index
        if self.low is not None:
            low = np.maximum(low, np.minimum(self.low, value))
        if self.high is not None:
            high = np.minimum(high, np.maximum(self.high, value))
        return np.array([value, low, high]).T

    def difficulty(self, spread: np.ndarray, columns: Columns) -> np.ndarray:
        """The scale of each row's error, before the trend is put back; shape (rows,)."""
        for column, factors in self.factors.items():
            values = columns[column]
            spread = spread * np.fromiter(map(factors.get, values, itertools.repeat(1.0)), np.float64, len(values))
        return spread

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """The answers to rows, from scores of shape (rows, 3)."""
        return [Answer(value, Interval(low, high, self.coverage)) for value, low, high in scores.tolist()]

    def contributions(self, values: np.ndarray, raw: np.ndarray, columns: Columns, inputs: list[str]) -> np.ndarray:
        """SHAP values of the raw score as those of the answer, or its logarithm; the trend counts for the time column.

        Args:
            values: by input, the base value last; shape (rows, 1, inputs + 1).
            raw: what they add up to, shape (rows,).
            columns: the decoded inputs.
            inputs: their names.
        """
        if self.trend is not None:
            values, index = values.copy(), self.trend.index(columns)
            grown = np.log(index) if self.log else raw * (index - 1.0)
            values[:, 0, inputs.index(self.trend.column)] += grown
        return values

    def explained(self, scores: np.ndarray) -> np.ndarray:
        """Zeros, shape (rows,): there is one value to explain."""
        return np.zeros(len(scores), dtype=np.intp)

    def observed(self, scores: np.ndarray) -> np.ndarray:
        """The value, for histograms; shape (rows,)."""
        return scores[:, 0]

    @property
    def promised(self) -> float | None:
        """The share of rows whose target is in its interval."""
        return self.coverage

    def judged(self, scores: np.ndarray) -> np.ndarray:
        """What losses compare with the target: the value, shape (rows,)."""
        return scores[:, 0]

    def covered(self, scores: np.ndarray, actual: np.ndarray) -> np.ndarray:
        """Whether targets of shape (rows,) are in their intervals, shape (rows,)."""
        within: np.ndarray = (scores[:, 1] <= actual) & (actual <= scores[:, 2])
        return within

    @property
    def outputs(self) -> Sequence[Output]:
        """The value and the ends of its interval."""
        return (
            Output("prediction", self.kind, (), lambda scores: scores[:, 0]),
            Output("low", float, (), lambda scores: scores[:, 1]),
            Output("high", float, (), lambda scores: scores[:, 2]),
        )

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a table that hold the other parts of an answer than the prediction."""
        return [f"interval_{name}" for name in Interval.__struct_fields__]

    def cells(self, scores: np.ndarray) -> Sequence[np.ndarray]:
        """The values of these columns, each of shape (rows,)."""
        return scores[:, 1], scores[:, 2], np.full(len(scores), self.coverage)
