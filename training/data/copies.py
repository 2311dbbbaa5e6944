"""Equal rows: which of them are copies of each other, and the hashes by which a later run recognises a row.

A row is identified by 64-bit hashes of its cells. They do not protect the data: whoever has them can test whether a row
that they guess is among them. So they stay in the registry, and are in no bundle and no image.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from model.metrics import Duplicates
from training.workspace import counted

INPUTS, ROWS = "inputs", "rows"
"""The columns of hashes: of a row's inputs; of its inputs, its target and the number of equal rows before it."""
_LARGEST_SHARE, _LARGEST = 0.05, 5
_ENOUGH_EQUAL = 30


def hashes(silver: pd.DataFrame, inputs: Sequence[str], target: str) -> pd.DataFrame:
    """The hashes that identify rows: columns INPUTS and ROWS of 64-bit integers, with the index of `silver`.

    Args:
        silver: the rows of a table, all of them.
        inputs: the columns that a model sees.
        target: the column that it learns.
    """
    seen = of_inputs(silver, inputs)
    cells = _hashed(pd.DataFrame({INPUTS: seen, "target": silver[target]}))
    return pd.DataFrame({INPUTS: seen, ROWS: _numbered(cells)})


def of_inputs(silver: pd.DataFrame, inputs: Sequence[str]) -> pd.Series:
    """A 64-bit hash of what a model sees of each row, with the index of `silver`; it does not depend on other rows."""
    return _hashed(silver[sorted(inputs)])


def together(silver: pd.DataFrame, inputs: Sequence[str]) -> pd.Series:
    """Whether a row must be in the same split as the rows with equal inputs: a model could look its target up there.

    False where equal rows are expected and are no copies: the inputs have no more combinations than the table has rows,
    or more than one row in twenty has the same inputs.
    """
    possible = 1
    for name in inputs:
        possible *= silver[name].nunique(dropna=False)
        if possible > len(silver):
            same = of_inputs(silver, inputs)
            sizes: pd.Series = same.groupby(same).transform("size")
            return sizes <= max(_LARGEST_SHARE * len(silver), _LARGEST)
    return pd.Series(False, index=silver.index)


def identities(known: pd.DataFrame, whole: pd.Series) -> pd.Series:
    """One number per row, equal for rows that stay together; from `hashes` and `together`."""
    return known[INPUTS].where(whole, known[ROWS])


def found(known: pd.DataFrame, whole: pd.Series, learned: pd.DataFrame) -> pd.Series:
    """Which rows a model has learned from: found by their inputs, or by the whole row where equal rows are expected.

    Args:
        known: the `hashes` of the rows.
        whole: for each row whether it stays `together` with its copies.
        learned: the `hashes` of the rows that the model learned from.
    """
    return known[INPUTS].isin(learned[INPUTS]).where(whole, known[ROWS].isin(learned[ROWS]))


def twins(table: pd.DataFrame, rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """For each row that is in a table too, the index of its equal there, by its own index; one for one.

    Args:
        table: rows with an index that is theirs alone.
        rows: others.
        columns: what equal rows have in common.
    """
    first, second = (_numbered(_hashed(part[list(columns)])) for part in (table, rows))
    places = pd.Series(table.index, index=first.to_numpy()).reindex(second.to_numpy())
    return places.set_axis(rows.index).dropna().astype("int64")


def summary(silver: pd.DataFrame, inputs: Sequence[str]) -> Duplicates:
    """How many rows are equal to an earlier one in every input, and how many of those stay in one split with it."""
    repeated = silver[list(inputs)].duplicated()
    return Duplicates(int(repeated.sum()), int((repeated & together(silver, inputs)).sum()))


def noise(silver: pd.DataFrame, inputs: Sequence[str], actual: np.ndarray) -> float | None:
    """The variance of targets among rows with equal inputs, divided by that of all targets; None from too few rows.

    Args:
        silver: rows.
        inputs: the columns that a model sees.
        actual: their targets, shape (rows,).
    """
    targets = pd.Series(actual, index=silver.index)
    groups = targets.groupby(of_inputs(silver, inputs))
    sizes, squares = groups.size(), groups.var(ddof=1) * (groups.size() - 1)
    several = sizes > 1
    free = int((sizes[several] - 1).sum())
    whole = float(targets.var(ddof=1))
    if free < _ENOUGH_EQUAL or not whole > 0:
        return None
    return float(squares[several].sum() / free / whole)


def told(repeated: Duplicates) -> str:
    """A `summary` as a sentence."""
    rows, whole = repeated.rows, repeated.together
    repeats = (
        f"{counted(rows, 'row')} of the table {'is' if rows == 1 else 'are'} equal to an earlier one in every input"
    )
    if whole == rows:
        return f"{repeats}; copies stay in one split, so that none is judged by its twin"
    common = f"{counted(rows - whole, 'row')} of them of a kind so common that equal rows are no copies"
    return f"{repeats}, {common}: those are drawn row by row"


def _numbered(cells: pd.Series) -> pd.Series:
    """Hashes of rows and of how many equal ones are before each."""
    return _hashed(pd.DataFrame({"cells": cells, "before": cells.groupby(cells).cumcount().astype("uint64")}))


def _hashed(table: pd.DataFrame) -> pd.Series:
    plain = pd.DataFrame({name: _plain(table[name]) for name in table.columns}, index=table.index)
    return pd.util.hash_pandas_object(plain, index=False)


def _plain(series: pd.Series) -> pd.Series:
    """The values in one type for each kind, so that equal values have equal hashes whatever type the table has."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return series.astype("datetime64[us]")
    if pd.api.types.is_unsigned_integer_dtype(series):
        return series  # hashes
    if pd.api.types.is_numeric_dtype(series):  # flags too
        return series.astype("float64") + 0.0  # no negative zero
    return series.astype(object).where(series.notna(), None)
