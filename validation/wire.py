"""The answer shapes, the same on every transport. Fields that a model has no use for are absent."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class RowError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reason why one row was refused; `row` counts from 0 within the request."""

    row: int
    column: str | None
    message: str
    expected: list[str] | None = None


class Interval(msgspec.Struct, frozen=True):
    """A prediction interval and the share of rows it covers."""

    low: float
    high: float
    coverage: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one row. A classifier's `prediction` is its label."""

    prediction: float | str
    unit: str | UnsetType = UNSET
    interval: Interval | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET
    warnings: list[str]
    prediction_id: str
    keys: dict[str, Any] | UnsetType = UNSET


class Explanation(msgspec.Struct, frozen=True):
    """SHAP values of one row, summed to the caller's columns.

    `base_value` and `contributions` add up to what `space` names: the predicted "value", or the "log-odds" of the
    probability of the last class.
    """

    prediction: float | str
    space: str
    base_value: float
    contributions: dict[str, float]
    probabilities: dict[str, float] | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    keys: dict[str, Any] | UnsetType = UNSET


class Predictions(msgspec.Struct, frozen=True):
    """What `:predict` answers, row by row."""

    model_name: str
    model_version: str
    predictions: list[Prediction]


class Explanations(msgspec.Struct, frozen=True):
    """What `:explain` answers, row by row."""

    model_name: str
    model_version: str
    explanations: list[Explanation]


class PartialPredictions(msgspec.Struct, frozen=True):
    """What `:predict` answers to a part of a request: null in the places of the rows that were refused.

    `errors` are the first hundred reasons, `error_count` says how many there are in all.
    """

    model_name: str
    model_version: str
    predictions: list[Prediction | None]
    errors: list[RowError]
    error_count: int


class PartialExplanations(msgspec.Struct, frozen=True):
    """What `:explain` answers in the same way."""

    model_name: str
    model_version: str
    explanations: list[Explanation | None]
    errors: list[RowError]
    error_count: int


class ColumnNames(msgspec.Struct, frozen=True):
    """Names of a category that a text may stand for, the best first."""

    column: str
    names: list[str]


class ProblemDetails(msgspec.Struct, frozen=True):
    """An error as RFC 9457 has it (application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[RowError] | UnsetType = UNSET
