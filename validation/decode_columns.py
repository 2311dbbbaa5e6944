"""Columns of a table to columns of a model, without looking at every single row.

Checks of whole columns prove most rows good. All other rows go to `RowDecoder`: so a row gets the same verdict in the
same words, however it came.
"""

import itertools
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from validation.contract import Column, Kind
from validation.decode import ARRAYS, Columns, Decoded, to_arrays
from validation.decode_rows import RowDecoder
from validation.ranges import Range
from validation.table import Table, Values
from validation.values import LARGEST_INTEGER, InvalidValue, reader

FEW = 16
"""Up to this many rows are read faster one by one than by their columns."""
_FIRST_YEAR, _LAST_YEAR = 1 - 1970, 9999 - 1970
_UNPROVEN = -1
"""The code of a value that is not proven; as an index it takes the last value, which is a missing one."""


class _Proven(NamedTuple):
    """A column as a model takes it, and which of its values are good and need no warning; both of shape (rows,).

    Values that are not good are placeholders.
    """

    values: np.ndarray
    good: np.ndarray


class ColumnDecoder:
    """Reads tables with the verdicts of a row decoder."""

    def __init__(self, rows: RowDecoder) -> None:
        """Compile the contract of `rows`."""
        self._rows = rows
        self._contract = rows.contract
        self._inputs = {c.name: _prover(c, rows.choices[c.name], rows.ranges.get(c.name)) for c in rows.contract.inputs}
        self._keys = {column.name: _prover(column) for column in rows.contract.keys}

    def decode(self, table: Table, after: Decoded | None = None) -> Decoded:
        """Read a table; never raises, whatever is in it. Of many rows, keys are judged and not kept.

        Args:
            table: its columns, by the names that requests have for them.
            after: the rows of the same request that came before; these are appended to it.
        """
        decoded = Decoded() if after is None else after
        if len(table) <= FEW:
            return self._rows.decode(table.rows(), decoded)
        columns: Columns = {}
        good = np.full(len(table), table.columns.keys() <= self._rows.known)
        for column in self._contract.inputs:
            proven = self._proven(column, table)
            columns[column.name] = proven.values
            good &= proven.good
        for name, prove in self._keys.items():
            if name in table.columns:
                good &= prove(table.columns[name]).good
        self._judge_others(table, columns, good, decoded)
        return decoded

    def _proven(self, column: Column, table: Table) -> _Proven:
        values = table.columns.get(column.name)
        if values is None:
            return _placeholders(column, len(table), good=column.nullable)
        return self._inputs[column.name](values)

    def _judge_others(self, table: Table, columns: Columns, good: np.ndarray, decoded: Decoded) -> None:
        """Have the rows that are not proven judged one by one, and put all good ones into `decoded`, in order."""
        first, before = decoded.total, len(decoded.positions)
        decoded.total += len(table)
        decoded.inputs = columns
        places = np.flatnonzero(~good)
        if len(places):
            judged = decoded.apart()
            judged.errors, judged.error_count = decoded.errors, decoded.error_count
            self._rows.decode(table.rows(places), judged, (places + first).tolist())
            decoded.error_count = judged.error_count
            decoded.compared, decoded.hinted = judged.compared, judged.hinted
            passed = np.array(judged.positions, dtype=np.int64) - first
            good[passed] = True
            order = np.cumsum(good) - 1 + before
            for place, texts in judged.warnings.items():
                decoded.warnings[int(order[passed[place]])] = texts
            decoded.warned += judged.warned
            read = to_arrays(self._contract.inputs, judged.inputs)
            decoded.inputs = {name: _replaced(values, passed, read[name])[good] for name, values in columns.items()}
        positions = (np.flatnonzero(good) + first).tolist()
        decoded.positions += positions
        decoded.keys += [None] * len(positions)


def _replaced(values: np.ndarray, places: np.ndarray, replacements: np.ndarray) -> np.ndarray:
    """A copy of an array with `replacements` at `places`."""
    changed = values.copy()
    changed[places] = replacements
    return changed


def _prover(
    column: Column, choices: Collection[str] | None = None, limits: Range | None = None
) -> Callable[[Values], _Proven]:
    """What proves the values of a column good: `choices` are those of a category, `limits` those of training."""
    match column.kind:
        case Kind.INTEGER | Kind.REAL:
            return _numbers(column, limits)
        case Kind.FLAG:
            return _flags(column)
        case Kind.CATEGORY:
            return _texts(column) if choices is None else _names(column, choices)
        case Kind.DATE | Kind.TIMESTAMP:
            return _times(column, limits)


def _placeholders(column: Column, rows: int, *, good: bool = False) -> _Proven:
    """A column of missing values: of one that is not there, or in place of values of which none is proven good."""
    return _Proven(ARRAYS[column.kind]([None] * rows), np.full(rows, good))


def _only(values: Sequence[Any], *types: type) -> bool:
    """Whether all values are None or of exactly these types; subclasses do not count."""
    return set(map(type, values)) <= {*types, NoneType}


def _numbers(column: Column, limits: Range | None) -> Callable[[Values], _Proven]:
    whole = column.kind is Kind.INTEGER
    exact = LARGEST_INTEGER - 1 if whole else sys.float_info.max  # integers beyond 2^53 may come out as that
    low, high = (limits.low, limits.high) if limits else (-exact, exact)
    least = max(-exact, low, -exact if column.ge is None else column.ge)
    most = min(exact, high, exact if column.le is None else column.le)

    def prove(values: Values) -> _Proven:
        numbers = _floats(values)
        if numbers is None:
            return _placeholders(column, len(values))
        good = (numbers >= least) & (numbers <= most)
        if whole:
            numbers = numbers + 0.0  # an integer has no negative zero
            good &= numbers == np.trunc(numbers)
        missing = np.isnan(numbers)
        numbers[missing] = np.nan  # the one that rows are read as: NaN has a sign, and bits that say nothing
        if column.nullable and (isinstance(values, np.ndarray) or values.count(None) == missing.sum()):
            good |= missing
        return _Proven(numbers, good)

    return prove


def _floats(values: Values) -> np.ndarray | None:
    """Numbers as float64, NaN where missing; None if there is something else among them."""
    if isinstance(values, np.ndarray):
        return values.astype(np.float64) if values.dtype.kind in "fiu" else None
    try:
        return np.array(values, dtype=np.float64) if _only(values, float, int) else None
    except OverflowError:  # an integer beyond all doubles
        return None


def _flags(column: Column) -> Callable[[Values], _Proven]:
    def prove(values: Values) -> _Proven:
        if not (values.dtype == np.bool_ if isinstance(values, np.ndarray) else _only(values, bool)):
            return _placeholders(column, len(values))
        flags = np.array(values, dtype=np.float64)
        return _Proven(flags, np.isfinite(flags) | column.nullable)

    return prove


def _names(column: Column, choices: Collection[str]) -> Callable[[Values], _Proven]:
    codes: dict[str | None, int] = {name: code for code, name in enumerate(choices)}
    if column.nullable:
        codes[None] = len(choices)
    names = ARRAYS[column.kind]([*choices, None])

    def prove(values: Values) -> _Proven:
        if isinstance(values, np.ndarray) or not _only(values, str):
            return _placeholders(column, len(values))
        return _by_code(values, codes, names)

    return prove


def _texts(column: Column, limits: Range | None = None) -> Callable[[Values], _Proven]:
    """Names of any kind, and times that are written: each text is read once, however often it comes."""
    read = reader(column)

    def prove(values: Values) -> _Proven:
        if isinstance(values, np.ndarray) or not _only(values, str):
            return _placeholders(column, len(values))
        read_texts: dict[str | None, Any] = {}
        for text in set(values) - {None}:
            try:
                value: Any = read(text)
            except InvalidValue:
                continue
            if limits is None or limits.low <= value <= limits.high:
                read_texts[text] = value
        codes: dict[str | None, int] = {text: code for code, text in enumerate(read_texts)}
        if column.nullable:
            codes[None] = len(read_texts)
        return _by_code(values, codes, ARRAYS[column.kind]([*read_texts.values(), None]))

    return prove


def _by_code(values: Sequence[Any], codes: Mapping[str | None, int], decoded: np.ndarray) -> _Proven:
    """The decoded value of each value, by its code; the last of `decoded` is a missing one, for what is not proven."""
    indices = np.fromiter(map(codes.get, values, itertools.repeat(_UNPROVEN)), dtype=np.intp, count=len(values))
    return _Proven(decoded[indices], indices != _UNPROVEN)


def _times(column: Column, limits: Range | None) -> Callable[[Values], _Proven]:
    written = _texts(column, limits)
    unit = ARRAYS[column.kind]([]).dtype

    def prove(values: Values) -> _Proven:
        if not isinstance(values, np.ndarray):
            return written(values)
        if values.dtype.kind != "M":
            return _placeholders(column, len(values))
        years = values.astype("datetime64[Y]").astype(np.int64)
        good = (years >= _FIRST_YEAR) & (years <= _LAST_YEAR)
        within = np.where(good, values, np.datetime64("NaT"))
        times = within.astype(unit)
        if column.kind is Kind.DATE:
            good &= times == within  # midnight
        if limits is not None:
            counted = times.astype(np.int64)
            good &= (counted >= limits.low) & (counted <= limits.high)
        return _Proven(times, good | np.isnat(values) if column.nullable else good)

    return prove
