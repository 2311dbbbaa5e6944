"""What a problem is, and the features that a problem has unless it says otherwise."""

import ast
import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

import numpy as np

from validation.contract import NAME, Contract, Kind
from validation.decode import Columns
from validation.errors import ContractError

State = Mapping[str, Any]
Fit = Callable[[Columns], State]
Features = Callable[[Columns, State], Columns]

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
    """What a function computes: its syntax tree and those of everything of `problems` that it reaches by name.

    Comments, docstrings, layout and what the function does not reach (a contract's texts, say) leave it unchanged;
    so does the version of Python, whose own `ast.dump` does not promise that.
    """
    if function.__name__ == "<lambda>":
        raise ContractError(f"A fit or features in {function.__module__} is a lambda; give it a name with def.")
    reached: dict[tuple[str, str], str] = {}
    read: dict[str, dict[str, ast.stmt]] = {}
    waiting = [(function.__module__, function.__name__)]
    while waiting:
        module, name = waiting.pop()
        if module not in read:
            read[module] = _definitions(sys.modules[module])
        definition = read[module].get(name)
        if definition is None or (module, name) in reached:
            continue
        reached[module, name] = f"{name}: {_tree(definition)}"
        waiting += _names_in(definition, sys.modules[module])
    return set(reached.values())


def _names_in(definition: ast.stmt, module: ModuleType) -> Iterator[tuple[str, str]]:
    """The module and name of everything that a definition mentions, followed to where it was defined."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Name):
            found: Any = getattr(module, node.id, None)
            home = getattr(found, "__module__", None)
            elsewhere = isinstance(found, FunctionType | type) and str(home).split(".")[0] == "problems"
            yield (str(home), found.__name__) if elsewhere else (module.__name__, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = getattr(module, node.value.id, None)
            if isinstance(owner, ModuleType) and owner.__name__.split(".")[0] == "problems":
                yield owner.__name__, node.attr


def _definitions(module: ModuleType) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            found.update({node.id: statement for node in ast.walk(statement) if _is_assigned(node)})
    return found


def _is_assigned(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _tree(node: Any) -> Any:
    """A syntax tree as nested lists, without docstrings and positions."""
    if isinstance(node, list):
        return [_tree(item) for item in node if not _is_text(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *([name, _tree(value)] for name, value in fields)]


def _is_text(node: Any) -> bool:
    """Whether a statement is a bare text, which computes nothing: a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
