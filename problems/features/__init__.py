"""Features that problems share: pure NumPy, from columns to columns under names that `problems.base.owners` splits."""

from collections.abc import Sequence

import numpy as np

from problems.base import State
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


def target_means(
    columns: Columns, target: str, names: Sequence[str], prior_rows: float = 20.0, fewest_rows: int = 5
) -> State:
    """What `cross_fit` learns for `target_mean`: the mean target of each name, drawn to the mean of all rows.

    A name of few rows says little of its own (Micci-Barreca, "A Preprocessing Scheme for High-Cardinality Categorical
    Attributes", 2001), and its mean would tell the target of a single row to whoever has the model.

    Args:
        columns: the inputs and the target, arrays of shape (rows,).
        target: the name of the target.
        names: the categories to take means by.
        prior_rows: how many rows of the overall mean each name's rows are mixed with.
        fewest_rows: names of fewer rows have none of their own.

    Returns:
        The means by the names of each category, and the overall mean as that of no name.
    """
    values = np.asarray(columns[target], dtype=np.float64)
    overall = float(values.mean())
    means: dict[str, dict[str, float]] = {}
    for name in names:
        texts, place = np.unique([text or "" for text in columns[name]], return_inverse=True)
        sums, counts = np.bincount(place, values), np.bincount(place)
        mixed = (sums + prior_rows * overall) / (counts + prior_rows)
        enough = counts >= fewest_rows
        means[name] = dict(zip(texts[enough].tolist(), mixed[enough].tolist(), strict=True)) | {"": overall}
    return {"target_means": means}


def target_mean(columns: Columns, state: State) -> Columns:
    """The mean target of the rows with the same name, and of all rows for one that is missing or that few rows had.

    Args:
        columns: arrays of shape (rows,).
        state: has what `target_means` returned.

    Returns:
        An array of shape (rows,) for each of its categories, called like "district.target_mean".
    """
    return {
        f"{name}.target_mean": np.array([means.get(text, means[""]) for text in columns[name]], dtype=np.float64)
        for name, means in state["target_means"].items()
    }
