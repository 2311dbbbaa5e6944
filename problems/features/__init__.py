"""Features that problems share: pure NumPy, from columns to columns under names that `problems.base.owners` splits."""

import numpy as np

from validation.decode import Columns

_BETWEEN = "\n"  # names have none (`validation.names`), so no two different pairs are joined to the same name


def cross(columns: Columns, *names: str) -> Columns:
    """The names of several categories joined, as one category: "Oslo" and "gas" are a name of their own.

    A tree reaches such a pair by one split; without the cross it takes one for each of the columns.

    Args:
        columns: arrays of shape (rows,).
        names: the categories to join.

    Returns:
        One array of texts of shape (rows,), None where a name is missing, called like "district+heating.cross".
    """
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    joined = [None if None in row else _BETWEEN.join(row) for row in rows]
    return {f"{'+'.join(names)}.cross": np.array(joined, dtype=object)}


def ratio(columns: Columns, part: str, whole: str) -> Columns:
    """One column of numbers divided by another: trees compare each with a number, never with each other.

    Args:
        columns: arrays of shape (rows,).
        part: the column that is divided.
        whole: the column by which.

    Returns:
        One array of shape (rows,), NaN where either is missing or the divisor is 0, called like "net+gross.ratio".
    """
    divisor = np.where(columns[whole] == 0.0, np.nan, columns[whole])
    return {f"{part}+{whole}.ratio": columns[part] / divisor}
