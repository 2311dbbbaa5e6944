"""Small tables, and what a draft makes of them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from problems.base import Problem
from training.draft import draft, module
from validation.contract import Column


def lines_of(table: pd.DataFrame, path: Path = Path("table.csv")) -> Path:
    """A CSV file of a table."""
    table.to_csv(path, index=False)
    return path


def drafted(columns: Mapping[str, Iterable[Any]], target: str = "price") -> tuple[str, Problem, Path]:
    """The module, the problem and the file of a table of these columns, with a price unless it has one."""
    table = pd.DataFrame({name: list(values) for name, values in columns.items()})
    if target == "price" and "price" not in table:
        table["price"] = np.random.default_rng(9).normal(100, 5, len(table)).round(2)
    path = lines_of(table)
    found = draft.read(path, target, "table")
    return module.source(found), draft.executed(module.source(found)), path


def drafted_from(path: Path) -> Problem:
    """The problem that is drafted of a file, whose target is a price."""
    return draft.executed(module.source(draft.read(path, "price", "table")))


def column(problem: Problem, name: str) -> Column:
    """One column of a problem."""
    [found] = [each for each in problem.contract.columns if each.name == name]
    return found
