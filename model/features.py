"""From a problem's columns to the model matrix, the same way in training and in serving."""

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from problems.base import Problem, owners
from validation.decode import Columns
from validation.errors import BundleError, ContractError
from validation.values import quoted

_NAME = re.compile(r"[^\s,:\"\[\]{}]+")


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was fitted on the training split, as JSON holds it.

    Attributes:
        vocabularies: the values of each category column.
        state: what the problem's `fit` returned.
        encodings: the names that each categorical feature takes; their places are their codes.
        feature_names: the columns of the model matrix, in order.
        bounds: where the classes of a target with bins meet, rising; a number at one is of the upper class.
        fills: for features that may be missing and never were in training, the median, which is taken where they are:
            LightGBM would take 0.
    """

    vocabularies: dict[str, list[str]]
    state: dict[str, Any]
    encodings: dict[str, list[str]]
    feature_names: list[str]
    bounds: list[float] = []
    fills: dict[str, float] = {}


def fit(
    problem: Problem,
    columns: Columns,
    bounds: Sequence[float] = (),
    further: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Fitted:
    """Learn vocabularies, the problem's state and the encodings of its categorical features.

    Args:
        problem: whose `fit` and `features` to use.
        columns: the inputs and the target of the training split.
        bounds: where the classes of the target meet, if it has bins.
        further: names that rows to learn from have besides those of `columns`, by category or categorical feature.

    Raises:
        ContractError: `fit` or `cross_fit` returned what JSON does not give back as it was, or `features` has a name
            that LightGBM does not take or that belongs to no input.
    """
    vocabularies = {
        column.name: list(column.choices)
        if column.choices is not None
        else _joined(_names(columns[column.name]), further.get(column.name, ()))
        for column in problem.contract.categories
    }
    columns = only_known(columns, vocabularies)
    inputs = {column.name: columns[column.name] for column in problem.contract.inputs}
    state = _as_json(f"fit of '{problem.name}'", _own_fit(problem, inputs)) | crossed(problem, columns)
    features = problem.features(inputs, state)
    for name in features:
        _demand_name(problem, name)
    encodings = {
        name: _joined(_names(values), further.get(name, ()))
        for name, values in features.items()
        if values.dtype == object
    }
    return Fitted(vocabularies, state, encodings, list(features), list(bounds), _fills(problem, features))


def _own_fit(problem: Problem, inputs: Columns) -> object:
    try:
        return problem.fit(inputs)
    except KeyError as error:
        if error.args != (problem.contract.target.name,):
            raise
        raise ContractError(
            f"The fit of '{problem.name}' asks for the target, and sees inputs only. What is learned from the target "
            "is for `cross_fit`."
        ) from error


def _fills(problem: Problem, features: Columns) -> dict[str, float]:
    """The median of each feature of numbers that belongs to a column that may be missing, and of which none is."""
    nullable = {column.name for column in problem.contract.inputs if column.nullable}
    numbers = {name: values for name, values in features.items() if values.dtype != object and len(values)}
    return {
        name: _median(values)
        for name, values in numbers.items()
        if nullable.intersection(owners(name)) and not np.isnan(values).any()
    }


def _median(numbers: np.ndarray) -> float:
    """The median of numbers, none of them NaN, whose sum may be more than a double holds."""
    low, high = (float(np.quantile(numbers, 0.5, method=method)) for method in ("lower", "higher"))
    return low / 2 + high / 2 if low != high else low


def crossed(problem: Problem, columns: Columns) -> dict[str, Any]:
    """The part of the state that the problem's `cross_fit` learns from inputs and target; empty without one.

    Raises ContractError as `fit`.
    """
    return {} if problem.cross_fit is None else _as_json(f"cross_fit of '{problem.name}'", problem.cross_fit(columns))


def _as_json(what: str, state: object) -> dict[str, Any]:
    """The state after a round trip through JSON, tuples as lists; raises ContractError if it changes otherwise."""
    try:
        read = msgspec.json.decode(msgspec.json.encode(state), type=dict[str, Any])
    except (TypeError, msgspec.ValidationError) as error:
        raise ContractError(f"The {what} must return what JSON can hold: {error}.") from error
    changed = _changed(state, read, "the state")
    if changed:
        raise ContractError(
            f"The {what} must return what JSON can hold: {changed}. Keys are texts and numbers finite; None stands for "
            "a value that there is not."
        )
    return read


def _changed(value: Any, read: Any, where: str) -> str:
    """What a round trip through JSON changes in a value, and where; empty if nothing."""
    if isinstance(value, dict) and isinstance(read, dict):
        odd = next((key for key in value if key not in read), None)
        if odd is not None:
            return f"{where} has the key {quoted(odd)}"
        return next(filter(None, (_changed(value[key], read[key], f"{where}[{key!r}]") for key in value)), "")
    if isinstance(value, list | tuple) and isinstance(read, list):
        return next(
            filter(None, (_changed(*pair, f"{where}[{i}]") for i, pair in enumerate(zip(value, read, strict=True)))), ""
        )
    return "" if type(value) is type(read) and value == read else f"{where} is {quoted(value)}"


def _demand_name(problem: Problem, name: str) -> None:
    """Raise ContractError for a feature's name that LightGBM would refuse or change, or that belongs to no input."""
    if not _NAME.fullmatch(name):
        raise ContractError(
            f"The features of '{problem.name}' have one named {name!r}; LightGBM takes no name that is empty or has a "
            "blank or one of , : \" [ ] { } in it. Names are like 'date.month' or 'pickup+dropoff.km'."
        )
    inputs = [column.name for column in problem.contract.inputs]
    strange = next((owner for owner in owners(name) if owner not in inputs), None)
    if strange is not None:
        raise ContractError(
            f"The feature {name!r} of '{problem.name}' belongs to {strange!r} by its name, which is no input of the "
            "contract. The part before the dot names the columns that it is made of, with + between them."
        )


def only_known(columns: Columns, vocabularies: Mapping[str, Collection[str]]) -> Columns:
    """The columns with names outside their vocabulary made missing, as the request decoder makes them.

    Args:
        columns: arrays of shape (rows,).
        vocabularies: the values of each category column.
    """
    cleaned = dict(columns)
    for name, vocabulary in vocabularies.items():
        names = dict.fromkeys(vocabulary)
        values = columns[name]
        cleaned[name] = np.array([value if value in names else None for value in values], dtype=object)
    return cleaned


def _names(values: np.ndarray) -> list[str]:
    names = {value for value in values if value is not None}
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None:
        raise ContractError(f"A categorical feature holds {odd!r}; its values are texts, or None where missing.")
    return sorted(names)


def _joined(names: list[str], further: Collection[str]) -> list[str]:
    return sorted({*names, *further}) if further else names


def _looked_up(codes: Mapping[str, float], names: np.ndarray) -> np.ndarray:
    return np.fromiter(map(codes.get, names, itertools.repeat(np.nan)), dtype=np.float64, count=len(names))


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
        self._fills = {self.names.index(name): value for name, value in fitted.fills.items()}

    @property
    def categorical(self) -> list[str]:
        """The features whose numbers are codes."""
        return [name for name in self.names if name in self._codes]

    def __call__(self, columns: Columns) -> np.ndarray:
        """The model matrix, shape (rows, features); NaN is missing where training saw that, or a name that it did not.

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
            matrix[:, place] = values if codes is None else _looked_up(codes, values)
        for place, fill in self._fills.items():
            matrix[np.isnan(matrix[:, place]), place] = fill
        return matrix


def ownership(features: Sequence[str], inputs: Sequence[str]) -> np.ndarray:
    """Which input a feature's contribution belongs to, shape (features, inputs); rows sum to 1.

    Raises BundleError for a feature of something that is no input.
    """
    shares = np.zeros((len(features), len(inputs)))
    for place, feature in enumerate(features):
        names = owners(feature)
        unknown = [name for name in names if name not in inputs]
        if unknown:
            raise BundleError(f"Feature {feature!r} belongs to {unknown[0]!r}, which is no input of the contract.")
        for name in names:
            shares[place, inputs.index(name)] += 1 / len(names)
    return shares
