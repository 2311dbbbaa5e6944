"""The classes of a classification, as its table and its contract have them."""

import pandas as pd

from problems.base import Problem
from validation.contract import Kind
from validation.errors import TableError


def labels(series: pd.Series) -> pd.Series:
    """Class labels as texts; a flag's are "false" and "true"."""
    return series.map(str).str.lower() if series.dtype in ("bool", "boolean") else series.astype(str)


def of(problem: Problem, silver: pd.DataFrame) -> tuple[str, str]:
    """The two labels, the positive one last; raises TableError if the rows have one class."""
    target = problem.contract.target
    present = sorted(set(labels(silver[target.name])))
    if len(present) < 2:
        raise TableError(
            f"Every row to learn from has {target.name} = {present[0]!r}: there is nothing to tell apart. "
            "Bring a table that has more rows of both classes" + (", at all times." if problem.contract.time else ".")
        )
    ordered = target.choices or (("false", "true") if target.kind is Kind.FLAG else tuple(present))
    return ordered[0], ordered[1]
