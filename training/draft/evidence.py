"""What a raw column holds: its distinct cells, and how many rows have each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from training.data import raw
from training.data.rawtable import RawTable
from validation.contract import Column, Kind
from validation.names import normal

_TYPED: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (pa.types.is_boolean, Kind.FLAG),
    (pa.types.is_integer, Kind.INTEGER),
    (pa.types.is_floating, Kind.REAL),
    (pa.types.is_decimal, Kind.REAL),
    (pa.types.is_date, Kind.DATE),
    (pa.types.is_timestamp, Kind.TIMESTAMP),
)


@dataclass(frozen=True)
class Evidence:
    """A raw column.

    Attributes:
        header: in its one form.
        place: among the table's columns.
        kind: of a typed file's column; None for texts.
        cells: the distinct cells: texts in their one form, without the empty one, or numbers, flags and times.
        counts: how many rows have each, shape (cells,).
        codes: for each row the place of its cell, -1 where there is none; shape (rows,).
    """

    header: str
    place: int
    kind: Kind | None
    cells: list[object]
    counts: np.ndarray
    codes: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(self.codes)

    @cached_property
    def texts(self) -> list[str]:
        """The distinct cells as texts."""
        return [cell if isinstance(cell, str) else str(cell) for cell in self.cells]

    def rows_of(self, chosen: np.ndarray) -> int:
        """How many rows have one of the chosen cells; `chosen` is boolean, of shape (cells,)."""
        return int(self.counts[chosen].sum())


def read(table: RawTable, place: int) -> Evidence | None:
    """The column at `place`; None if its cells are no single values."""
    if table.types is not None and not raw.is_single(table.types[place]):
        return None
    kind = _kind(table.types[place]) if table.types is not None else None
    asked = Column(name="x", kind=kind or Kind.CATEGORY, source=table.headers[place])
    codes, uniques = pd.factorize(raw.cells_of(asked, table, place), use_na_sentinel=True)
    cells: list[object] = list(uniques)
    if kind is None:
        codes, cells = _normalised(codes, [str(cell) for cell in cells])
    if table.doubles and kind is Kind.REAL and all(float(str(cell)).is_integer() for cell in cells):
        kind = Kind.INTEGER
    counts = np.bincount(codes[codes >= 0], minlength=len(cells))
    return Evidence(table.headers[place], place, kind, cells, counts, codes)


def _kind(typed: pa.DataType) -> Kind | None:
    typed = typed.value_type if pa.types.is_dictionary(typed) else typed
    return next((kind for is_kind, kind in _TYPED if is_kind(typed)), None)


def _normalised(codes: np.ndarray, cells: list[str]) -> tuple[np.ndarray, list[object]]:
    """Texts that are one name become one cell, and the empty text none."""
    own = [normal(cell) for cell in cells]
    places, names = pd.factorize(np.array(own, dtype=object))
    empty = np.flatnonzero(names == "")
    if len(names) == len(cells) and not len(empty):
        return codes, [*own]
    kept = np.array([*(-1 if name == "" else 0 for name in names), -1])
    kept[:-1][kept[:-1] == 0] = np.arange(len(names) - len(empty))
    mapped = kept[np.append(places, len(names))]
    return mapped[codes], [name for name in names if name != ""]  # a missing cell's code of -1 is the last place
