"""What a problem is, and the features that a problem has unless it says otherwise."""

import importlib
import pkgutil
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from problems import sources
from validation.contract import NAME, Contract
from validation.decode import Columns
from validation.errors import ContractError

Task = Literal["regression", "binary", "multiclass"]
"""What is predicted: a number, or which of two or of several classes a row is of."""
State = Mapping[str, Any]
Fit = Callable[[Columns], State]
Features = Callable[[Columns, State], Columns]

_NO_PROBLEMS = ("base", "features", "parameters", "sources")
_DAY, _MONTH, _YEAR = np.dtype("datetime64[D]"), np.dtype("datetime64[M]"), np.dtype("datetime64[Y]")
_SECONDS = np.dtype("timedelta64[s]")


def no_state(columns: Columns) -> State:
    """The fit of a problem that learns nothing besides its vocabularies."""
    return {}


def calendar_features(columns: Columns, state: State) -> Columns:
    """Every column as it is, and a date or timestamp as its parts.

    Args:
        columns: the contract's inputs, arrays of shape (rows,).
        state: what `fit` returned; not used.

    Returns:
        Arrays of shape (rows,). The parts of a column are named `<column>.<part>`.
    """
    features: Columns = {}
    for name, values in columns.items():
        if values.dtype.kind == "M":
            features.update(_calendar(name, values))
        else:
            features[name] = values
    return features


def _calendar(name: str, values: np.ndarray) -> Columns:
    """The parts of a column, in few operations: calling one costs as much as its arithmetic on a hundred rows."""
    days = values.astype(_DAY)
    years = days.astype(_YEAR)
    day = days.view(np.int64)
    parts = {
        "year": years.view(np.int64) + 1970.0,
        "month": days.astype(_MONTH).view(np.int64) % 12 + 1.0,
        "day_of_year": day - years.astype(_DAY).view(np.int64) + 1.0,
        "weekday": (day + 3.0) % 7,  # 1970-01-01 was a Thursday; Monday is 0
    }
    if values.dtype != _DAY:
        parts["hour"] = (values - days).astype(_SECONDS).view(np.int64) / 3600.0
    missing = np.isnat(days)
    if missing.any():
        parts = {part: np.where(missing, np.nan, numbers) for part, numbers in parts.items()}
    return {f"{name}.{part}": numbers for part, numbers in parts.items()}


def owners(feature: str) -> tuple[str, ...]:
    """The caller's columns that a feature is made of, from its name.

    `date.month` belongs to `date`; `pickup+dropoff.distance` to both, and its contribution is shared evenly.
    """
    return tuple(feature.split(".", 1)[0].split("+"))


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One prediction problem.

    Args:
        name: its folder or module below `problems`, and the model's name everywhere.
        title: one line for people.
        contract: what a row is.
        fit: sees the inputs of the rows to learn from only, and returns what JSON can hold.
        cross_fit: sees their target too (of classes their places, from 0), and returns more of the state. Features of a
            row that the model learns from are made with what it says of other rows: else a row would tell its own
            target, and the model would trust it (`problems.features.target_means`). Of a target that grows in time it
            sees the numbers as they are.
        features: sees the inputs; pure NumPy, called with a whole table in training and with a batch of rows in
            serving. Its arrays are float64 (numbers) or object (names, encoded by what training learned for them).
        partly_labelled: whether the table has rows without a target, which are left out; else they are mistakes.
        simulator: "module:function" that writes a raw table for those who have none, see `training.data.source`.
    """

    name: str
    title: str
    contract: Contract
    fit: Fit = no_state
    cross_fit: Fit | None = None
    features: Features = calendar_features
    partly_labelled: bool = False
    simulator: str | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ContractError(
                f"Problem name {self.name!r} must be lower snake case in the letters a to z, like 'house_prices'."
            )

    @property
    def task(self) -> Task:
        """What is predicted, by the target; a table whose labels the contract does not list has two of them."""
        target = self.contract.target
        if target.continuous:
            return "regression"
        return "multiclass" if len(target.labels or ()) > 2 else "binary"

    @cached_property
    def features_hash(self) -> str:
        """sha256 of the source of `fit`, `cross_fit` and `features`: a bundle fitted with other source is refused."""
        fits = (self.fit,) if self.cross_fit is None else (self.fit, self.cross_fit)
        return sources.hash_of(*fits, self.features)


def load(name: str) -> Problem:
    """The problem of that name; raises ContractError if there is none, or its module has a mistake."""
    if name not in names():
        raise ContractError(
            f"There is no problem {name!r} in problems/. There are: {', '.join(names())}. To draft one from a table, "
            "say what it predicts: TARGET=column."
        )
    try:
        module = importlib.import_module(f"problems.{name}")
    except ContractError:
        raise
    except Exception as error:
        raise ContractError(f"{_where(name, error)}: {type(error).__name__}: {error}. Mend it there.") from error
    if not hasattr(module, "__path__"):
        raise ContractError(
            f"problems/{name}.py must be problems/{name}/__init__.py: the pipeline tells problems by their folders."
        )
    problem = getattr(module, "PROBLEM", None)
    if not isinstance(problem, Problem) or problem.name != name:
        raise ContractError(f"problems/{name} must define PROBLEM, a problems.base.Problem named {name!r}.")
    _ = problem.features_hash  # what cannot be compared later is refused now, before anything is trained
    return problem


def _where(name: str, error: Exception) -> str:
    """The last line of a problem's own files that an error passed through."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if f"/problems/{name}" in frame.filename]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else f"problems/{name}"


def folder() -> Path:
    """Where the problems are."""
    return Path(__file__).parent


def names() -> list[str]:
    """The problems there are, by name."""
    return sorted(module.name for module in pkgutil.iter_modules([str(folder())]) if module.name not in _NO_PROBLEMS)
