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


class PredictionSet(msgspec.Struct, frozen=True):
    """The classes that a row may be of, in the order of the contract, and the share of sets that have the right one."""

    labels: list[str]
    coverage: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one row. A classifier's `prediction` is its label."""

    prediction: float | str
    unit: str | UnsetType = UNSET
    interval: Interval | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET
    prediction_set: PredictionSet | UnsetType = UNSET
    warnings: list[str]
    prediction_id: str
    keys: dict[str, Any] | UnsetType = UNSET


class ClassContributions(msgspec.Struct, frozen=True):
    """SHAP values of one class of one row; they and the base value add up to its score."""

    label: str
    base_value: float
    contributions: dict[str, float]


class Explanation(msgspec.Struct, frozen=True):
    """SHAP values of one row, summed to the caller's columns.

    `base_value` and `contributions` add up to what `space` names: the predicted "value", the "log-odds" of the
    last of two classes, or the "logit" of the predicted one of several. `explained_class` names that class; `classes`
    are those that the caller asked for.
    """

    prediction: float | str
    space: str
    base_value: float
    contributions: dict[str, float]
    explained_class: str | UnsetType = UNSET
    classes: list[ClassContributions] | UnsetType = UNSET
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
