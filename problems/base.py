"""What a problem is, and the features that a problem has unless it says otherwise."""

import ast
import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from validation.contract import NAME, Contract, Kind
from validation.decode import Columns
from validation.errors import ContractError

State = Mapping[str, Any]
Fit = Callable[[Columns], State]
Features = Callable[[Columns, State], Columns]


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
        if np.issubdtype(values.dtype, np.datetime64):
            features.update(_calendar(name, values))
        else:
            features[name] = values
    return features


def _calendar(name: str, values: np.ndarray) -> Columns:
    days = values.astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    months = days.astype("datetime64[M]")
    parts = {
        "year": years.astype(np.int64) + 1970.0,
        "month": (months - years).astype(np.int64) + 1.0,
        "day_of_year": (days - years).astype(np.int64) + 1.0,
        "weekday": (days.astype(np.int64) + 3.0) % 7,  # 1970-01-01 was a Thursday; Monday is 0
    }
    if values.dtype != days.dtype:
        parts["hour"] = (values - days).astype("timedelta64[s]").astype(np.int64) / 3600.0
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
        fit: sees the inputs and the target of the training split only, and returns what JSON can hold.
        features: sees the inputs; pure NumPy, called with a whole table in training and with a batch of rows in
            serving. Its arrays are float64 (numbers) or object (names, encoded by what training learned for them).
        simulator: "module:function" that writes a raw table for those who have none, see `training.source`.
    """

    name: str
    title: str
    contract: Contract
    fit: Fit = no_state
    features: Features = calendar_features
    simulator: str | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ContractError(f"Problem name {self.name!r} must be lower snake case, like 'house_prices'.")

    @property
    def regression(self) -> bool:
        """Whether the target is a number."""
        return self.contract.target.kind in (Kind.INTEGER, Kind.REAL)

    @cached_property
    def features_hash(self) -> str:
        """sha256 of the source that `fit` and `features` run: a bundle fitted with other source is refused."""
        sources = sorted({*_sources(self.fit), *_sources(self.features)})
        return hashlib.sha256("\n".join(sources).encode()).hexdigest()


def load(name: str) -> Problem:
    """The problem of that name; raises ContractError, naming those there are, if there is none."""
    if name not in names():
        raise ContractError(f"There is no problem {name!r} in problems/. There are: {', '.join(names())}.")
    problem = getattr(importlib.import_module(f"problems.{name}"), "PROBLEM", None)
    if not isinstance(problem, Problem) or problem.name != name:
        raise ContractError(f"problems/{name} must define PROBLEM, a problems.base.Problem named {name!r}.")
    return problem


def names() -> list[str]:
    """The problems there are, by name."""
    here = [str(Path(__file__).parent)]
    return sorted(module.name for module in pkgutil.iter_modules(here) if module.name != "base")


def _sources(function: Callable[..., Any]) -> set[str]:
    """The normalised source of a function and of what it uses from its own module, and theirs in turn.

    Comments, docstrings, layout and everything in the module that the function does not reach (a contract's texts,
    say) leave it unchanged.
    """
    module = sys.modules[function.__module__]
    definitions = _definitions(module)
    reached: set[str] = set()
    waiting = [function.__name__]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in reached:
            reached.add(name)
            waiting += [node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)]
    return {ast.unparse(definitions[name]) for name in reached}


def _definitions(module: ModuleType) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = _without_docstring(statement)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            found.update({target.id: statement for target in targets if isinstance(target, ast.Name)})
    return found


def _without_docstring(statement: ast.FunctionDef | ast.ClassDef) -> ast.stmt:
    if ast.get_docstring(statement, clean=False) is not None:
        statement.body = statement.body[1:] or [ast.Pass()]
    return statement
