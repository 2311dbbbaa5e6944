"""What decoding gives, of rows and of columns alike: the good rows as a model takes them, and a verdict on each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from validation.contract import Column, Kind
from validation.errors import RowsRejected
from validation.values import Value
from validation.wire import RowError

T = TypeVar("T")
Columns = dict[str, np.ndarray]
"""Columns by name, each of shape (rows,): float64 (numbers and flags, NaN where missing), object (texts, None where
missing), datetime64[D] or datetime64[us] (NaT where missing)."""

Records = Sequence[tuple[Value, ...]]
"""Decoded rows, each a tuple of input values in the order of `Contract.inputs`."""

Inputs = Records | Columns
"""Good rows as a model takes them: rows from rows, columns from columns."""

MOST_ERRORS = 100
"""How many row errors an answer lists; beyond that only their number is said."""
_NOT_A_TIME = np.iinfo(np.int64).min


@dataclass(slots=True)
class Decoded:
    """The rows of one request, which may be decoded part by part.

    Attributes:
        total: how many rows the request had.
        inputs: the good rows of the part that was decoded last.
        positions: where each good row stood in the request.
        keys: the key columns of each good row as they were sent; None for the rows of tables.
        warnings: what was odd about each good row, by its index in `positions`.
        warned: the columns of these warnings.
        errors: the first `MOST_ERRORS` reasons for refusing rows.
        error_count: how many reasons there are in all.
        compared: how many letters of valid names were compared with what was refused.
        hinted: for how many refused values a hint was looked for.
    """

    total: int = 0
    inputs: Inputs = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    keys: list[dict[str, Any] | None] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    error_count: int = 0
    compared: int = 0
    hinted: int = 0

    def apart(self) -> "Decoded":
        """Other rows of the same request, decoded apart from these: what errors may cost is that of one request."""
        return Decoded(compared=self.compared, hinted=self.hinted)

    @property
    def records(self) -> Records:
        """The `inputs` of a part that came as rows."""
        if isinstance(self.inputs, dict):
            raise TypeError("These rows came as columns.")
        return self.inputs

    def raise_if_rejected(self) -> "Decoded":
        """This, if every row is good; raises RowsRejected otherwise."""
        if self.error_count:
            raise RowsRejected(self.errors, self.error_count, self.total)
        return self

    def scatter(self, answers: Sequence[T]) -> list[T | None]:
        """Answers to the good rows in the places of the request, None for the others."""
        if not self.error_count:
            return list(answers)
        places: list[T | None] = [None] * self.total
        for position, answer in zip(self.positions, answers, strict=True):
            places[position] = answer
        return places


def count(inputs: Inputs) -> int:
    """How many rows these are."""
    return len(next(iter(inputs.values()))) if isinstance(inputs, dict) else len(inputs)


def to_arrays(columns: Sequence[Column], inputs: Inputs) -> Columns:
    """Decoded rows as arrays of shape (rows,); what came as columns is returned as it is.

    Args:
        columns: what the places of records mean, `Contract.inputs`.
        inputs: as a decoder made them.
    """
    if isinstance(inputs, dict):
        return inputs
    transposed: Sequence[Sequence[Any]] = list(zip(*inputs, strict=True)) or [()] * len(columns)
    return {column.name: ARRAYS[column.kind](values) for column, values in zip(columns, transposed, strict=True)}


def _numbers(values: Sequence[Any]) -> np.ndarray:
    return np.array(values, dtype=np.float64)  # NumPy turns None into NaN


def texts(values: Sequence[Any]) -> np.ndarray:
    """Texts, and None, as an array of objects; shape (values,)."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _times(unit: str) -> Callable[[Sequence[Any]], np.ndarray]:
    times = np.dtype(f"datetime64[{unit}]")

    def build(values: Sequence[Any]) -> np.ndarray:
        whole = [_NOT_A_TIME if value is None else value for value in values]
        return np.array(whole, dtype=np.int64).view(times)

    return build


ARRAYS: dict[Kind, Callable[[Sequence[Any]], np.ndarray]] = {
    Kind.INTEGER: _numbers,
    Kind.REAL: _numbers,
    Kind.FLAG: _numbers,
    Kind.CATEGORY: texts,
    Kind.DATE: _times("D"),
    Kind.TIMESTAMP: _times("us"),
}
"""The array of a column's values as its reader gives them, None where missing."""
