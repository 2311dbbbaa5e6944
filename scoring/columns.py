"""Columns between Arrow and the decoder: which there must be, what they hold as requests would bring it, and keys."""

import functools
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from validation.contract import Column, Contract, Kind
from validation.decode import texts
from validation.errors import TableError
from validation.parsing import parsed_or_kept
from validation.table import Values
from validation.values import LARGEST_INTEGER, exact, quoted, reader

ROW = "row"
"""The column of answers and reasons that says which row of the input they are about."""
VERSION = "model_version"
"""The column of answers that says of which version of the model they are."""
STORED = {
    Kind.INTEGER: pa.int64(),
    Kind.REAL: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.CATEGORY: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
}
"""The types in which answers hold values of a kind."""
_COUNTED = {Kind.DATE: pa.int32(), Kind.TIMESTAMP: pa.int64()}
"""How Arrow counts days and microseconds."""
_NAMED = 8
"""Up to so many columns that the model does not know are named."""
_FEW = 0.5
"""Up to this share of distinct texts a column is read by them."""


class Dropped(NamedTuple):
    """Columns of a table that are left out: by their names, and perhaps all others that the model does not know."""

    names: frozenset[str] = frozenset()
    others: bool = False


NOTHING = Dropped()
"""No columns are left out."""


def demand(contract: Contract, names: Sequence[str], where: str = "The table", dropped: Dropped = NOTHING) -> None:
    """Raise TableError if a table with columns of these names cannot be one of the contract."""
    known = [column.name for column in (*contract.inputs, *contract.keys)]
    there = Counter(name for name in names if name not in dropped.names)
    missing = next((c.name for c in contract.inputs if not c.nullable and c.name not in there), None)
    if missing in dropped.names:
        raise TableError(f"--drop leaves out the column {quoted(missing)}, which the model needs.")
    if missing is not None:
        hint = " What the names of folders say is not read." if f"/{missing}=" in where else ""
        raise TableError(
            f"{where} has no column {quoted(missing)}, which the model needs; it has {_listed(names)}.{hint}"
        )
    doubled = next((name for name in known if there[name] > 1), None)
    if doubled is not None:
        raise TableError(f"{where} has two columns {quoted(doubled)}.")
    others = [] if dropped.others else [name for name in there if name not in known]
    if others:
        few = len(others) <= _NAMED
        hint = f"--drop {shlex.join(others)}" if few else f"--drop-others, of which there are {len(others):,}"
        raise TableError(
            f"{where} has the column {quoted(others[0])}, which is none of the model's: {', '.join(known)}. "
            f"To leave out such columns: {hint}."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names[:20])) + (", …" if len(names) > 20 else "")


def values(column: Column, array: pa.Array) -> Values:
    """A column of a typed file, as requests would bring it: a number as a number, a text as a text.

    Args:
        column: which one it is.
        array: of any type; what no request can hold is left for the decoder to refuse.
    """
    try:
        return _values(column, array)
    except (ValueError, OverflowError, KeyError, pa.ArrowException):  # one cell is enough; pytz has KeyErrors
        decoded = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        return [_cell(scalar) for scalar in decoded]


def _values(column: Column, array: pa.Array) -> Values:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _chosen(array) if is_text(kind.value_type) else values(column, array.dictionary_decode())
    if is_text(kind):
        return _texts(array)
    if _is_array(column, array):
        return _in_calendar(np.asarray(array.to_numpy(zero_copy_only=False)))
    if pa.types.is_decimal(kind):
        return [None if cell is None else exact(cell) for cell in array.to_pylist()]
    listed: list[Any] = array.to_pylist()
    return listed


@dataclass(frozen=True)
class _Unreadable:
    """A cell that Python cannot hold, which the decoder refuses in the words of its column."""

    told: str

    def __repr__(self) -> str:
        return self.told


def _cell(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, KeyError, pa.ArrowException):
        if is_text(scalar.type):
            return scalar.as_buffer().to_pybytes()
        counted = f" {scalar.value}" if pa.types.is_temporal(scalar.type) else ""
        return _Unreadable(f"{scalar.type}{counted}")


def _in_calendar(array: np.ndarray) -> np.ndarray:
    """An array, as it is; raises OverflowError if it has times that are in none of the years 1 to 9999."""
    if array.dtype.kind == "M" and np.datetime_data(array.dtype)[0] != "ns":
        first, end = (np.datetime64(day, "D").astype(array.dtype) for day in ("0001-01-01", "10000-01-01"))
        if ((array < first) | (array >= end)).any():
            raise OverflowError
    return array


def is_text(kind: pa.DataType) -> bool:
    """Whether these are texts of any size."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_array(column: Column, array: pa.Array) -> bool:
    """Whether NumPy holds all that a column has: it has no missing integers, and no days of a time zone."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return kind.tz is None or column.kind is not Kind.DATE
    whole = array.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_boolean(kind))
    return bool(whole or pa.types.is_floating(kind) or pa.types.is_date(kind))


def _texts(array: pa.Array) -> list[Any]:
    """Texts as Python has them; each distinct one is made once, which is what takes the time."""
    coded = array.dictionary_encode()
    return _chosen(coded) if len(coded.dictionary) <= _FEW * len(array) else array.to_pylist()


def _chosen(array: pa.DictionaryArray, read: Callable[[str], Any] = str) -> list[Any]:
    """The value of each cell, of which each distinct text is read once."""
    names = array.dictionary.to_pylist()
    distinct = texts([*(None if name is None else read(name) for name in names), None])
    places = pc.fill_null(array.indices.cast(pa.int64()), len(names)).to_numpy()
    chosen: list[Any] = distinct[places].tolist()
    return chosen


def parsed(column: Column, array: pa.StringArray) -> Values:
    """A column of a text file, as requests would bring what its texts stand for; an empty one is missing.

    Texts that are no values of the column's kind stay texts, and the decoder refuses them in its words.
    """
    if column.numeric:
        numbers = _plain_numbers(column, array)
        if numbers is not None:
            return numbers
    return _chosen(array.dictionary_encode(), functools.partial(parsed_or_kept, column))


def _plain_numbers(column: Column, array: pa.StringArray) -> np.ndarray | None:
    """Numbers as Arrow reads them at once, NaN where missing; None where it might read them otherwise than we do."""
    filled = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    try:
        numbers = np.asarray(pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return None
    odd = np.isnan(numbers).sum() != filled.null_count  # "nan" is a text for a missing one, "nan(1)" is not
    odd |= bool((np.signbit(numbers) & (numbers == 0)).any())
    odd |= column.kind is Kind.INTEGER and bool((np.abs(numbers) >= LARGEST_INTEGER).any())
    return None if odd else numbers


def kept(column: Column, array: pa.Array, brought: Values) -> pa.Array:
    """A key column of good rows, in the type in which answers hold it.

    Args:
        column: which key.
        array: as the file has it.
        brought: the same as requests would bring it.
    """
    kind = STORED[column.kind]
    if column.kind is Kind.CATEGORY:  # echoed as it was sent; what is no text is good where it is missing
        held = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        return array.cast(kind) if is_text(held) else pa.nulls(len(array), kind)
    if isinstance(brought, np.ndarray):
        found = pa.array(brought, from_pandas=True)
        return pa.nulls(len(found), kind) if found.null_count == len(found) else found.cast(kind)
    read = reader(column)
    counted = [None if value is None else read(value) for value in brought]
    return pa.array(counted, _COUNTED.get(column.kind, pa.float64())).cast(kind)
