"""The classes of a classification, as its table and its contract have them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from problems.base import Problem
from validation.contract import Column
from validation.errors import TableError


@dataclass(frozen=True)
class Classes:
    """The labels of a target, in their order, and where they meet if it is a number with bins.

    Attributes:
        target: the column.
        names: the labels; of two the positive one is last.
        bounds: one fewer than labels, rising; none of a target without bins.
    """

    target: Column
    names: tuple[str, ...]
    bounds: tuple[float, ...] = ()

    def labels(self, silver: pd.DataFrame) -> pd.Series:
        """The label of each row as a text; a flag's are "false" and "true"."""
        values = silver[self.target.name]
        if self.target.bins is not None:
            places = np.searchsorted(self.bounds, values.to_numpy(dtype="float64"), side="right")
            return pd.Series(np.array(self.names)[places], index=silver.index, dtype="str")
        return _texts(values)

    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        """The place of each row's label among the names, float64 of shape (rows,); NaN where it is none of them."""
        places = {name: float(place) for place, name in enumerate(self.names)}
        return self.labels(silver).map(places).to_numpy(dtype="float64")


def of(problem: Problem, silver: pd.DataFrame, bounds: Sequence[float] | None = None) -> Classes:
    """The classes of a problem; raises TableError if the rows have one.

    Args:
        problem: what is predicted.
        silver: rows, which say the labels where the contract does not list them.
        bounds: where classes meet, of a target with bins; those of these rows where left out.
    """
    target = problem.contract.target
    if target.bins is not None:
        return Classes(target, tuple(target.bins.labels), tuple(cut(problem, silver) if bounds is None else bounds))
    present = sorted(set(_texts(silver[target.name])))
    if len(present) < 2:
        raise TableError(
            f"Every row to learn from has {target.name} = {present[0]!r}: there is nothing to tell apart. "
            "Bring a table that has rows of other classes too" + (", at all times." if problem.contract.time else ".")
        )
    return Classes(target, target.labels or tuple(present))


def strata(problem: Problem, silver: pd.DataFrame) -> pd.Series:
    """The class of each row, by which a random split is stratified; with bins as these rows cut them."""
    target = problem.contract.target
    return silver[target.name] if target.bins is None else of(problem, silver).labels(silver)


def cut(problem: Problem, silver: pd.DataFrame) -> list[float]:
    """Where the classes of a target with bins meet; empty for another. Raises TableError if a class would be empty."""
    target = problem.contract.target
    if target.bins is None:
        return []
    numbers = silver[target.name].to_numpy(dtype="float64")
    # callers read them: 399.62 and not 399.62000000000006
    bounds = [float(f"{bound:.12g}") for bound in np.quantile(numbers, target.bins.quantiles)]
    counts = np.bincount(np.searchsorted(bounds, numbers, side="right"), minlength=len(target.bins.labels))
    if not counts.all():
        empty = int(counts.argmin())
        raise TableError(
            f"The class {target.bins.labels[empty]!r} of '{target.name}' would be empty: too many rows have the value "
            f"{bounds[min(empty, len(bounds) - 1)]:g}. Choose other quantiles for its bins."
        )
    return bounds


def demand_each(problem: Problem, train: pd.DataFrame, silver: pd.DataFrame) -> None:
    """Raise TableError if the training split lacks a class that the contract lists; `silver` are all rows."""
    classes = of(problem, silver, cut(problem, train))
    demand_learned(classes, classes.encode(train), classes.labels(silver), in_time=problem.contract.time is not None)


def demand_learned(
    classes: Classes, places: np.ndarray, table: pd.Series | None = None, *, in_time: bool = False
) -> None:
    """Raise TableError if none of the rows to learn from is of some class.

    Args:
        classes: of the target.
        places: of those rows' labels among them, shape (rows,).
        table: the labels of all rows, where they are known.
        in_time: whether the rows to learn from are the earliest.
    """
    missing = [name for place, name in enumerate(classes.names) if not (places == place).any()]
    if not missing:
        return
    rows = 0 if table is None else int((table == missing[0]).sum())
    of_table = "" if table is None else f", and {rows} of the table {'has' if rows == 1 else 'have'}"
    when = " from earlier times" if in_time and rows else ""
    instead = ", join it with another class by `parse`, or take it out of `choices`" if len(classes.names) > 2 else ""
    raise TableError(
        f"No row to learn from has {classes.target.name} = {missing[0]!r}{of_table}: a model cannot learn what it "
        f"looks like. Bring more rows of it{when}{instead}."
    )


def _texts(series: pd.Series) -> pd.Series:
    return series.map(str).str.lower() if series.dtype in ("bool", "boolean") else series.astype(str)
