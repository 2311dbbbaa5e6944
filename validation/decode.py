"""Rows of a request to columns of a model, with every reason why a row is refused.

A row that does not satisfy the contract becomes errors and nothing else: the rows beside it are not touched.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from validation.contract import Column, Contract, Kind, Role
from validation.errors import RowsRejected
from validation.lookup import Lookup
from validation.ranges import Range
from validation.similar import Similar
from validation.values import InvalidValue, Reader, Value, quoted, reader
from validation.wire import RowError

T = TypeVar("T")
Columns = dict[str, np.ndarray]
"""Columns by name, each of shape (rows,): float64 (numbers and flags, NaN where missing), object (texts, None where
missing), datetime64[D] or datetime64[us] (NaT where missing)."""

Records = Sequence[tuple[Value, ...]]
"""Decoded rows, each a tuple of input values in the order of `Contract.inputs`."""

MOST_ERRORS = 100
"""How many row errors an answer lists; beyond that only their number is said."""
MOST_NAMES = 500
"""A value is compared with every one of so many names; among more, those near to it are looked up."""
MOST_COMPARED = 16_000
"""How many letters of valid names the errors of a request are compared with, half a millisecond's work or so, before no
error names valid values any more; a single comparison may go beyond. An answer lists no more letters than that either.
"""

_MISSING: Any = object()
_NOT_A_TIME = np.iinfo(np.int64).min


@dataclass(slots=True)
class Decoded:
    """The rows of one request.

    Attributes:
        total: how many rows the request had.
        records: the good rows' input values, in the order of `Contract.inputs`.
        positions: where each record stood in the request.
        keys: the key columns of each record, as they were sent.
        warnings: what was odd about each record, by its index in `records`.
        warned: the columns of these warnings.
        errors: the first `MOST_ERRORS` reasons for refusing rows.
        refused: how many reasons there are in all.
        compared: how many letters of valid names were compared with what was refused.
    """

    total: int
    records: list[tuple[Value, ...]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    keys: list[dict[str, Any] | None] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    refused: int = 0
    compared: int = 0

    def raise_if_rejected(self) -> "Decoded":
        """This, if every row is good; raises RowsRejected otherwise."""
        if self.refused:
            raise RowsRejected(self.errors, self.refused, self.total)
        return self

    def scatter(self, answers: Sequence[T]) -> list[T | None]:
        """Answers to the good rows in the places of the request, None for the others."""
        if not self.refused:
            return list(answers)
        places: list[T | None] = [None] * self.total
        for position, answer in zip(self.positions, answers, strict=True):
            places[position] = answer
        return places

    def extend(self, other: "Decoded") -> None:
        """Append the good rows of another request; its errors stay with it."""
        start = len(self.records)
        self.warnings.update({start + place: texts for place, texts in other.warnings.items()})
        self.warned += other.warned
        self.records += other.records
        self.positions += [self.total + position for position in other.positions]
        self.keys += other.keys
        self.total += other.total


def to_arrays(columns: Sequence[Column], records: Records) -> Columns:
    """Decoded records as arrays.

    Args:
        columns: what the records' places mean, `Contract.inputs`.
        records: one tuple a row, as `RowDecoder.decode` makes them.
    """
    transposed: Sequence[Sequence[Any]] = list(zip(*records, strict=True)) or [()] * len(columns)
    return {column.name: _ARRAYS[column.kind](values) for column, values in zip(columns, transposed, strict=True)}


def _numbers(values: Sequence[Any]) -> np.ndarray:
    return np.array(values, dtype=np.float64)  # NumPy turns None into NaN


def _texts(values: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _times(unit: str) -> Callable[[Sequence[Any]], np.ndarray]:
    times = np.dtype(f"datetime64[{unit}]")

    def build(values: Sequence[Any]) -> np.ndarray:
        whole = [_NOT_A_TIME if value is None else value for value in values]
        return np.array(whole, dtype=np.int64).view(times)

    return build


_ARRAYS: dict[Kind, Callable[[Sequence[Any]], np.ndarray]] = {
    Kind.INTEGER: _numbers,
    Kind.REAL: _numbers,
    Kind.FLAG: _numbers,
    Kind.CATEGORY: _texts,
    Kind.DATE: _times("D"),
    Kind.TIMESTAMP: _times("us"),
}


class RowDecoder:
    """Reads JSON rows as one contract and one model's vocabularies have it."""

    def __init__(
        self,
        contract: Contract,
        vocabularies: Mapping[str, Collection[str]],
        ranges: Mapping[str, tuple[float, float]] = MappingProxyType({}),
        lookups: Mapping[str, Lookup] = MappingProxyType({}),
    ) -> None:
        """Compile the contract.

        Args:
            contract: what a row is.
            vocabularies: the values that training saw, for the categories that leave them open.
            ranges: the least and the greatest value that training saw of numbers and times, as readers give them.
            lookups: where to look names up that are near to a refused one, for categories with very many.
        """
        self._lookups = lookups
        self.contract = contract
        self._choices: dict[str, Collection[str] | None] = {
            column.name: _known(column, vocabularies) for column in contract.columns
        }
        self._inputs: list[tuple[Column, Reader]] = [
            (column, reader(column, self._choices[column.name])) for column in contract.inputs
        ]
        self._keys: list[tuple[Column, Reader]] = [(column, reader(column)) for column in contract.keys]
        self._ranges = [
            (place, limits.low, limits.high, limits)
            for place, column in enumerate(contract.inputs)
            if column.name in ranges
            for limits in [Range.of(column, *ranges[column.name])]
        ]
        self._known = {column.name for column in (*contract.inputs, *contract.keys)}
        self._similar = {
            name: Similar(choices) for name, choices in self._choices.items() if choices and len(choices) <= MOST_NAMES
        }
        self._columns = Similar(self._known)

    def decode(self, rows: Sequence[object], after: Decoded | None = None) -> Decoded:
        """Read rows as JSON gave them; never raises, whatever they are.

        Args:
            rows: what should be rows.
            after: the rows of the same request that came before; these are appended to it.
        """
        decoded = Decoded(total=0) if after is None else after
        first = decoded.total
        decoded.total += len(rows)
        for position, row in enumerate(rows, first):
            if type(row) is not dict:
                self._append(decoded, position, None, f"{quoted(row)} is not a row: a row is an object of columns")
                continue
            self._decode_row(decoded, position, row)
        return decoded

    def _decode_row(self, decoded: Decoded, position: int, row: dict[str, Any]) -> None:
        refused_before = decoded.refused
        used = 0
        values: list[Value] = []
        warnings: list[tuple[str, str]] = []
        for column, read in self._inputs:
            value = row.get(column.name, _MISSING)
            if value is not _MISSING:
                used += 1
            if value is _MISSING or value is None:
                if not column.nullable:
                    reason = "this column is missing" if value is _MISSING else "null is not allowed here"
                    self._refuse(decoded, position, column, reason)
                values.append(None)
                continue
            try:
                read_value = read(value)
            except InvalidValue as error:
                self._refuse(decoded, position, column, str(error), value)
                continue
            if read_value is None:
                warnings.append((column.name, f"{quoted(value)} was not seen in training and is treated as missing"))
            values.append(read_value)
        keys = self._read_keys(decoded, position, row) if self._keys else None
        used += len(keys) if keys is not None else 0
        if used != len(row):
            self._refuse_extras(decoded, position, row)
        if decoded.refused == refused_before:
            self._warn_of_far(values, warnings)
            if warnings:
                decoded.warnings[len(decoded.records)] = [f"{name}: {text}" for name, text in warnings]
                decoded.warned += [name for name, _ in warnings]
            decoded.records.append(tuple(values))
            decoded.positions.append(position)
            decoded.keys.append(keys)

    def _warn_of_far(self, values: Sequence[Any], warnings: list[tuple[str, str]]) -> None:
        for place, low, high, limits in self._ranges:
            value = values[place]
            if value is not None and not low <= value <= high:
                warnings.append((limits.column.name, limits.warning(value)))

    def _read_keys(self, decoded: Decoded, position: int, row: dict[str, Any]) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        for column, read in self._keys:
            value = row.get(column.name, _MISSING)
            if value is _MISSING:
                continue
            keys[column.name] = value
            if value is None:
                if not column.nullable:
                    self._refuse(decoded, position, column, "null is not allowed here; leave the column out")
                continue
            try:
                read(value)
            except InvalidValue as error:
                self._refuse(decoded, position, column, str(error))
        return keys

    def _refuse_extras(self, decoded: Decoded, position: int, row: dict[str, Any]) -> None:
        roles = {column.name: column.role for column in self.contract.columns}
        for name in row:
            if name in self._known:
                continue
            match roles.get(name):
                case Role.TARGET:
                    self._append(decoded, position, name, "this is what the model predicts; leave it out")
                case Role.FORBIDDEN:
                    self._append(decoded, position, name, "this column leaks the target; leave it out")
                case _:
                    reason = f"{quoted(name)} is not a column of this model"
                    self._append(decoded, position, name[:64], reason, name, self._columns)

    def _refuse(self, decoded: Decoded, position: int, column: Column, reason: str, value: object = None) -> None:
        similar = self._similar.get(column.name, self._lookups.get(column.name)) if value is not None else None
        self._append(decoded, position, column.name, reason, value, similar)

    @staticmethod
    def _append(
        decoded: Decoded,
        position: int,
        column: str | None,
        reason: str,
        value: object = None,
        similar: Similar | Lookup | None = None,
    ) -> None:
        decoded.refused += 1
        if len(decoded.errors) >= MOST_ERRORS:
            return
        expected = None
        if similar is not None and decoded.compared < MOST_COMPARED:
            expected = similar.nearest(value if isinstance(value, str) else quoted(value)) or None
            decoded.compared += similar.letters
        decoded.errors.append(RowError(position, column, reason, expected))


def _known(column: Column, vocabularies: Mapping[str, Collection[str]]) -> Collection[str] | None:
    if column.kind is not Kind.CATEGORY:
        return None
    known = column.choices if column.choices is not None else vocabularies.get(column.name)
    return None if known is None else dict.fromkeys(known).keys()
