"""Raw tables: the cells of the contract's columns whatever the format, or a sentence that says what is wrong."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from training.data import formats
from training.data.rawtable import RawTable
from training.workspace import say
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError
from validation.names import normal

_MOST_HEADERS = 30
"""How many headers a message names; comparing thousands with thousands would take minutes."""
_WHOLE = re.compile(r"[+-]?[0-9]+\.0")


class NoText(TableError):
    """The bytes of a column are no UTF-8 text."""


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_bytes(kind: pa.DataType) -> bool:
    types = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(is_kind(kind) for is_kind in types)


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
_TIMES = (pa.types.is_date, pa.types.is_timestamp)
_NATIVE = {
    Kind.INTEGER: _NUMBERS,
    Kind.REAL: _NUMBERS,
    Kind.FLAG: (pa.types.is_boolean,),
    Kind.DATE: _TIMES,
    Kind.TIMESTAMP: _TIMES,
}
"""Arrow's types that a column of each kind takes as they are; all others are read as text."""
_SINGLE = (*_NUMBERS, *_TIMES, pa.types.is_boolean, pa.types.is_time, pa.types.is_null, _is_text, _is_bytes)


def wanted(contract: Contract) -> list[Column]:
    """The columns that are read: all but those that must not reach a model."""
    return [column for column in contract.columns if column.role is not Role.FORBIDDEN]


def read(path: Path, contract: Contract, sheet: str | None = None) -> pd.DataFrame:
    """The cells of a raw table.

    Args:
        path: a file in a format of `rawtable.READ`.
        contract: whose headers it must have; others are allowed and not read.
        sheet: which sheet of a workbook.

    Returns:
        The contract's columns by name; the index counts the file's rows from 0. Cells are texts, or in a typed file
        what the column holds: numbers in a column of numbers, flags in one of flags, dates and times in one of those.

    Raises:
        TableError: it is empty, damaged or no table, lacks or doubles a header, or has a column that holds no single
            values.
    """
    with formats.opened(path, sheet) as table:
        for remark in table.remarks:  # before an error, which may come of a wrong guess
            say("ingest", remark)
        return cells_in(table, contract)


def cells_in(table: RawTable, contract: Contract) -> pd.DataFrame:
    """The cells of a table that is open, or of a part of it; returns and raises as `read`."""
    places = places_of(table, wanted(contract))
    if table.loaded.index.empty:
        raise TableError(f"{table.name} has headers and no rows.")
    columns = {column.name: column for column in wanted(contract)}
    cells = {name: cells_of(columns[name], table, place) for name, place in places.items()}
    return pd.DataFrame(cells, index=table.loaded.index)


def cells_of(column: Column, table: RawTable, place: int) -> pd.Series:
    """The cells of the table's column at `place`, as `read` returns those of `column`."""
    _demand_single(table, place)
    cells = table.loaded.column(place)
    if table.types is None:
        return cells
    return _cells(column, cells, table).set_axis(table.loaded.index)


def is_single(kind: pa.DataType) -> bool:
    """Whether cells of this Arrow type are single values."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_kind(kind) for is_kind in _SINGLE)


def _demand_single(table: RawTable, place: int) -> None:
    """Raise TableError for a column whose cells are no single values."""
    if table.types is not None and not is_single(table.types[place]):
        raise TableError(
            f"The column {table.headers[place]!r} of {table.name} holds {table.types[place]}; a cell is one number, "
            "text, flag, date or time. Write what the model needs of it as columns of their own."
        )


def _cells(column: Column, array: pa.ChunkedArray, table: RawTable) -> pd.Series:
    """A typed file's column as `read` returns it."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if _is_bytes(array.type):
        array = _decoded(column, array, table)
    if pa.types.is_float16(array.type) or pa.types.is_float32(array.type):
        # a 32-bit 0.1 becomes the double 0.1, as a CSV file of the same table would have it
        array = array.cast(pa.float32()).cast(pa.large_string()).cast(pa.float64())
    series: pd.Series = array.to_pandas(integer_object_nulls=True)
    native = _NATIVE.get(column.kind, (_is_text,))
    if _is_text(array.type) or any(is_kind(array.type) for is_kind in native):
        return series
    if pa.types.is_timestamp(array.type):
        texts = series.astype("str").astype(object)  # with the time of day where any has one
    else:
        texts = series.astype(object).map(str, na_action="ignore")
    texts = texts.where(series.notna(), None)
    return restored(column, texts) if pa.types.is_floating(array.type) else texts


def _decoded(column: Column, array: pa.ChunkedArray, table: RawTable) -> pa.ChunkedArray:
    try:
        return array.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise NoText(
            f"The column {column.source!r} of {table.name} holds bytes that are no UTF-8 text. Write it as text."
        ) from error


def restored(column: Column, texts: pd.Series) -> pd.Series:
    """Integer names without the `.0` that they get in a column with missing cells: 100.0 becomes 100."""
    if column.kind is not Kind.CATEGORY:
        return texts
    names = {normal(text) for text in texts.dropna().unique()} - {""}
    if not names or names.intersection(column.choices or ()) or not all(map(_WHOLE.fullmatch, names)):
        return texts
    return texts.map(lambda text: normal(text).removesuffix(".0"), na_action="ignore")


def places_of(table: RawTable, columns: Sequence[Column]) -> dict[str, int]:
    """The position of each column in the file; raises TableError if one is missing."""
    places = {header: place for place, header in enumerate(table.headers)}
    missing = [column for column in columns if column.source not in places]
    if missing:
        raise TableError(_lacks(table, columns, missing))
    return {column.name: places[column.source] for column in columns}


def _lacks(table: RawTable, columns: Sequence[Column], missing: Sequence[Column]) -> str:
    """A sentence on missing columns, with the headers that they may have been renamed to."""
    expected, present = {column.source for column in columns}, table.headers
    spare = [name for name in present if name not in expected][:_MOST_HEADERS]
    what = ("columns " if len(missing) > 1 else "column ") + ", ".join(
        _renamed(column, spare) for column in missing[:_MOST_HEADERS]
    )
    more = f" and {len(missing) - _MOST_HEADERS:,} more" if len(missing) > _MOST_HEADERS else ""
    other = " For a table of another kind, TARGET=column drafts a problem." if len(missing) > len(columns) / 2 else ""
    return f"{table.name} lacks the {what}{more}. It has: {', '.join(map(repr, present[:_MOST_HEADERS]))}.{other}"


def _renamed(column: Column, spare: Sequence[str]) -> str:
    close = [*difflib.get_close_matches(column.source, spare, n=1), *difflib.get_close_matches(column.name, spare, n=1)]
    return f"{column.source!r}" + (f" (renamed to {close[0]!r}?)" if close else "")
