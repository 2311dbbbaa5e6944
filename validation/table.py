"""A table in memory whose columns stay columns, as tensors and data frames bring it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Values = np.ndarray | Sequence[Any]
"""A column: an array of booleans, numbers (NaN where missing) or times (NaT where missing), or what JSON would have
brought, with None where missing. One value a row."""

_INSTANT = np.dtype("datetime64[us]")
_FINER_THAN_PYTHON = ("ps", "fs", "as")


class Table:
    """Columns of one length, which can be sliced like a sequence of rows."""

    def __init__(self, columns: Mapping[str, Values], rows: int) -> None:
        """Hold `columns`, each with a value for each of so many rows; raises ValueError for one with more or fewer.

        Both decoders see the same values: numbers of at most 64 bits, times of at most nanoseconds, Python's objects.
        """
        self.columns = {name: _normalised(values) for name, values in columns.items()}
        self._rows = rows
        for name, values in self.columns.items():
            if len(values) != rows:
                raise ValueError(f"The column {name!r} has {len(values)} values for {rows} rows.")

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, part: slice) -> "Table":
        rows = len(range(*part.indices(self._rows)))
        return Table({name: values[part] for name, values in self.columns.items()}, rows)

    def rows(self, places: np.ndarray | None = None) -> list[dict[str, Any]]:
        """The same values as rows, as JSON would have brought them; all of them, or those in these places."""
        chosen = range(self._rows) if places is None else places.tolist()
        if not self.columns:
            return [{} for _ in chosen]
        columns = [_plain(values, chosen) for values in self.columns.values()]
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def _normalised(values: Values) -> Values:
    """A column in the types that both decoders read alike."""
    if not isinstance(values, np.ndarray):
        return values
    if values.ndim != 1:
        raise ValueError(f"A column has one dimension, and not the shape {values.shape}.")
    if values.dtype.kind == "f" and values.dtype.itemsize > np.dtype(np.float64).itemsize:
        return values.astype(np.float64)
    if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] in _FINER_THAN_PYTHON:
        return values.astype(_INSTANT)
    plain: Values = values if values.dtype.kind in "biufM" else values.tolist()
    return plain


def _plain(values: Values, places: Sequence[int]) -> list[Any]:
    """The values in these places as Python has them."""
    if not isinstance(values, np.ndarray):
        return [values[place] for place in places]
    chosen = values[list(places)]
    if chosen.dtype.kind == "M":
        return _moments(chosen)
    plain: list[Any] = chosen.tolist()
    return plain if chosen.dtype.kind != "f" else [None if value != value else value for value in plain]  # noqa: PLR0124


def _moments(times: np.ndarray) -> list[Any]:
    """Times as datetimes; as the numbers that NumPy has where they are beyond the years of Python's calendar."""
    return [None if np.isnat(time) else time.astype(_INSTANT).item() for time in times]
