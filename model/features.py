"""From a problem's columns to the model matrix, the same way in training and in serving."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import numpy as np

from problems.base import Problem
from validation.decode import Columns
from validation.errors import ContractError


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the training split taught, as JSON holds it.

    Attributes:
        vocabularies: the values of each category column.
        state: what the problem's `fit` returned.
        encodings: the names that each categorical feature takes; their places are their codes.
        feature_names: the columns of the model matrix, in order.
    """

    vocabularies: dict[str, list[str]]
    state: dict[str, Any]
    encodings: dict[str, list[str]]
    feature_names: list[str]


def fit(problem: Problem, columns: Columns) -> Fitted:
    """Learn vocabularies, the problem's state and the encodings of its categorical features.

    Args:
        problem: whose `fit` and `features` to use.
        columns: the inputs and the target of the training split.

    Raises:
        ContractError: the state that `fit` returned is nothing that JSON holds.
    """
    vocabularies = {
        column.name: list(column.choices) if column.choices is not None else _names(columns[column.name])
        for column in problem.contract.categories
    }
    columns = only_known(columns, vocabularies)
    try:
        state = msgspec.json.decode(msgspec.json.encode(problem.fit(columns)), type=dict[str, Any])
    except (TypeError, msgspec.ValidationError) as error:
        raise ContractError(f"The fit of '{problem.name}' must return what JSON can hold: {error}.") from error
    inputs = {column.name: columns[column.name] for column in problem.contract.inputs}
    features = problem.features(inputs, state)
    encodings = {name: _names(values) for name, values in features.items() if values.dtype == object}
    return Fitted(vocabularies, state, encodings, list(features))


def only_known(columns: Columns, vocabularies: Mapping[str, Collection[str]]) -> Columns:
    """The columns with names outside their vocabulary made missing, as the request decoder makes them.

    Args:
        columns: arrays of shape (rows,).
        vocabularies: the values of each category column.
    """
    cleaned = dict(columns)
    for name, vocabulary in vocabularies.items():
        known = dict.fromkeys(vocabulary)
        values = columns[name]
        cleaned[name] = np.array([value if value in known else None for value in values], dtype=object)
    return cleaned


def _names(values: np.ndarray) -> list[str]:
    names = {value for value in values if value is not None}
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None:
        raise ContractError(f"A categorical feature holds {odd!r}; its values are texts, or None where missing.")
    return sorted(names)


class FeatureMatrix:
    """Turns columns into the float64 matrix of one fitted problem."""

    def __init__(self, problem: Problem, fitted: Fitted) -> None:
        self._problem = problem
        self._state: Mapping[str, Any] = fitted.state
        self.names = fitted.feature_names
        self._codes = {
            feature: {name: float(code) for code, name in enumerate(names)}
            for feature, names in fitted.encodings.items()
        }

    @property
    def categorical(self) -> list[str]:
        """The features whose numbers are codes."""
        return [name for name in self.names if name in self._codes]

    def __call__(self, columns: Columns) -> np.ndarray:
        """The model matrix, shape (rows, features); NaN is missing, or a name that training did not see.

        Raises:
            ContractError: the problem's features are not those that were fitted.
        """
        features = self._problem.features(columns, self._state)
        if list(features) != self.names:
            raise ContractError(f"The features of '{self._problem.name}' depend on the rows: {sorted(features)}.")
        rows = len(next(iter(columns.values())))
        matrix = np.empty((rows, len(self.names)), dtype=np.float64)
        for place, (name, values) in enumerate(features.items()):
            codes = self._codes.get(name)
            matrix[:, place] = values if codes is None else [codes.get(value, np.nan) for value in values]
        return matrix
