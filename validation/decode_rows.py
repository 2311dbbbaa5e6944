"""Rows of a request to columns of a model, with every reason why a row is refused.

A row that does not satisfy the contract becomes errors and nothing else: the rows beside it are not touched.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from validation import raw
from validation.contract import Column, Contract, Kind, Role
from validation.decode import MOST_ERRORS, Decoded
from validation.lookup import Lookup
from validation.names import Names
from validation.ranges import Range
from validation.similar import Similar
from validation.values import InvalidValue, Reader, Value, quoted, reader
from validation.wire import RowError

MOST_NAMES = 500
"""A refused value is compared with every name of a category, or with near ones where there are more than this."""
MOST_COMPARED = 16_000
"""How many letters of valid names the errors of a request are compared with, half a millisecond's work or so, before no
error names valid values any more; a single comparison may go beyond. An answer lists no more letters than that either.
"""

_MISSING: Any = object()


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
        self.choices: dict[str, Collection[str] | None] = {
            column.name: _names(column, vocabularies) for column in contract.columns
        }
        self._inputs: list[tuple[Column, Reader]] = [
            (column, reader(column, self.choices[column.name])) for column in contract.inputs
        ]
        self.in_any_case = {
            column.name: read for column, read in self._inputs if isinstance(column.parse, Names) and column.parse.lower
        }
        """The readers of names that requests may have in any case."""
        self._keys: list[tuple[Column, Reader]] = [(column, reader(column)) for column in contract.keys]
        self._named = [(column.name, read) for column, read in self._inputs]
        self.ranges = {
            column.name: Range.of(column, *ranges[column.name]) for column in contract.inputs if column.name in ranges
        }
        self._ranges = [
            (place, limits.low, limits.high, limits)
            for place, column in enumerate(contract.inputs)
            if (limits := self.ranges.get(column.name)) is not None
        ]
        self.known = {column.name for column in (*contract.inputs, *contract.keys)}
        self._similar = {
            name: Similar(choices) for name, choices in self.choices.items() if choices and len(choices) <= MOST_NAMES
        }
        self._columns = Similar(self.known)

    def decode(
        self, rows: Sequence[object], after: Decoded | None = None, positions: Iterable[int] | None = None
    ) -> Decoded:
        """Read rows as JSON gave them; never raises, whatever they are.

        Args:
            rows: what should be rows; an InvalidValue in place of one says why there is none.
            after: the rows of the same request that came before; these are appended to it.
            positions: where each stood in the request, if that is not one after the other.
        """
        decoded = Decoded() if after is None else after
        places = itertools.count(decoded.total) if positions is None else positions
        decoded.total += len(rows)
        records: list[tuple[Value, ...]] = []
        for position, row in zip(places, rows, strict=False):
            if type(row) is not dict:
                no_row = f"{quoted(row)} is not a row: a row is an object of columns"
                self._append(decoded, position, None, str(row) if isinstance(row, InvalidValue) else no_row)
                continue
            values = self._plain(row)
            if values is None:
                self._decode_row(decoded, records, position, row)
            else:
                records.append(values)
                decoded.positions.append(position)
                decoded.keys.append({} if self._keys else None)
        decoded.inputs = records
        return decoded

    def _plain(self, row: dict[str, Any]) -> tuple[Value, ...] | None:
        """The values of a row of all inputs and nothing else, of which there is nothing to be said; None for others.

        Most rows are such, and take half the time of the others.
        """
        if len(row) != len(self._named):
            return None
        try:
            values = [read(row[name]) for name, read in self._named]
        except (KeyError, InvalidValue):
            return None
        if None in values:
            return None
        for place, low, high, _ in self._ranges:
            if not low <= values[place] <= high:  # type: ignore[operator] # numbers and times have ranges
                return None
        return tuple(values)

    def _decode_row(
        self, decoded: Decoded, records: list[tuple[Value, ...]], position: int, row: dict[str, Any]
    ) -> None:
        errors_before = decoded.error_count
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
                self._refuse(decoded, position, column, f"{error}{self._hint(decoded, column, read, value)}", value)
                continue
            if read_value is None:
                warnings.append((column.name, f"{quoted(value)} was not seen in training and is treated as missing"))
            values.append(read_value)
        keys = self._read_keys(decoded, position, row) if self._keys else None
        used += len(keys) if keys is not None else 0
        if used != len(row):
            self._refuse_extras(decoded, position, row)
        if decoded.error_count == errors_before:
            self._warn_of_far(values, warnings)
            if warnings:
                decoded.warnings[len(decoded.positions)] = [f"{name}: {text}" for name, text in warnings]
                decoded.warned += [name for name, _ in warnings]
            records.append(tuple(values))
            decoded.positions.append(position)
            decoded.keys.append(keys)

    @staticmethod
    def _hint(decoded: Decoded, column: Column, read: Reader, value: object) -> str:
        """What to send in place of a value, for as many of a request as an answer lists errors: parsing takes time."""
        if max(len(decoded.errors), decoded.hinted) >= MOST_ERRORS:
            return ""
        decoded.hinted += 1
        return raw.hint(column, read, value)

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
            if name in self.known:
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
        decoded.error_count += 1
        if len(decoded.errors) >= MOST_ERRORS:
            return
        expected = None
        if similar is not None and decoded.compared < MOST_COMPARED:
            expected = similar.nearest(value if isinstance(value, str) else quoted(value)) or None
            decoded.compared += similar.letters
        decoded.errors.append(RowError(position, column, reason, expected))


def _names(column: Column, vocabularies: Mapping[str, Collection[str]]) -> Collection[str] | None:
    if column.kind is not Kind.CATEGORY:
        return None
    names = column.choices if column.choices is not None else vocabularies.get(column.name)
    return None if names is None else dict.fromkeys(names).keys()
