"""Rows that are equal: which are copies of one another, and by what a later run knows a row again.

Rows are known by 64-bit hashes of their cells. They are not made to keep a secret: somebody who has the hashes can try
whether a row that they think of is among them. So they stay in the registry, and are in no bundle and no image.
"""

from collections.abc import Sequence

import pandas as pd

from model.metrics import Duplicates
from training.workspace import counted

INPUTS, ROWS = "inputs", "rows"
"""The columns of the hashes: of what a model sees of a row; of that, its target and how many such rows precede it."""
_LARGEST_SHARE, _LARGEST = 0.05, 5


def hashes(silver: pd.DataFrame, inputs: Sequence[str], target: str) -> pd.DataFrame:
    """What each row is known by, by the index of `silver`: columns INPUTS and ROWS of 64-bit integers.

    Args:
        silver: the rows of a table, all of them.
        inputs: the columns that a model sees.
        target: the column that it learns.
    """
    seen = _hashed(silver[sorted(inputs)])
    cells = _hashed(pd.DataFrame({INPUTS: seen, "target": silver[target]}))
    return pd.DataFrame({INPUTS: seen, ROWS: _hashed(pd.DataFrame({"cells": cells, "before": _before(cells)}))})


def together(silver: pd.DataFrame, inputs: Sequence[str]) -> pd.Series:
    """Whether a row must stay with those that are equal to it in every input: a model could look its target up there.

    Not where equal rows are to be expected, and say nothing of one another: the inputs can make no more different rows
    than the table has, or one in twenty of its rows is such a row.
    """
    possible = 1
    for name in inputs:
        possible *= silver[name].nunique(dropna=False)
        if possible > len(silver):
            same = _hashed(silver[sorted(inputs)])
            sizes: pd.Series = same.groupby(same).transform("size")
            return sizes <= max(_LARGEST_SHARE * len(silver), _LARGEST)
    return pd.Series(False, index=silver.index)


def identities(known: pd.DataFrame, whole: pd.Series) -> pd.Series:
    """One number for each row, the same for those that stay together; from `hashes` and `together`."""
    return known[INPUTS].where(whole, known[ROWS])


def found(known: pd.DataFrame, whole: pd.Series, learned: pd.DataFrame) -> pd.Series:
    """Which rows are among others: by what a model sees of them, or, where equal rows are expected, as a whole.

    Args:
        known: the `hashes` of the rows.
        whole: whether they stay `together`.
        learned: the `hashes` of the others.
    """
    return known[INPUTS].isin(learned[INPUTS]).where(whole, known[ROWS].isin(learned[ROWS]))


def summary(silver: pd.DataFrame, inputs: Sequence[str]) -> Duplicates:
    """How many rows are equal to an earlier one in every input, and how many of those stay in one split with it."""
    repeated = silver[list(inputs)].duplicated()
    return Duplicates(int(repeated.sum()), int((repeated & together(silver, inputs)).sum()))


def told(repeated: Duplicates) -> str:
    """What a person should know of a `summary`."""
    rows, whole = repeated.rows, repeated.together
    said = f"{counted(rows, 'row')} of the table {'is' if rows == 1 else 'are'} equal to an earlier one in every input"
    if whole == rows:
        return f"{said}; copies stay in one split, so that none is judged by its twin"
    few = f"{counted(rows - whole, 'row')} of them of a kind so common that equal rows are no copies"
    return f"{said}, {few}: those are drawn row by row"


def _before(cells: pd.Series) -> pd.Series:
    return cells.groupby(cells).cumcount().astype("uint64")


def _hashed(table: pd.DataFrame) -> pd.Series:
    plain = pd.DataFrame({name: _plain(table[name]) for name in table.columns}, index=table.index)
    return pd.util.hash_pandas_object(plain, index=False)


def _plain(series: pd.Series) -> pd.Series:
    """The same numbers, times and texts, whatever type they have in this table."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return series.astype("datetime64[us]")
    if pd.api.types.is_unsigned_integer_dtype(series):
        return series  # hashes
    if pd.api.types.is_numeric_dtype(series):  # flags too
        return series.astype("float64") + 0.0  # no negative zero
    return series.astype(object).where(series.notna(), None)
