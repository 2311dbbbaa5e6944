"""Raw files: the cells of the contract's columns whatever the format, or a sentence that says what is wrong.

The first bytes of a file decide its format: its name may be in any case, or come from a download.
"""

import difflib
import gzip
import re
import warnings
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError
from validation.names import normal

_MOST_HEADERS = 30
"""How many headers a message names; comparing thousands with thousands would take minutes."""
_PARQUET, _GZIP, _UTF16 = b"PAR1", b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_WORKBOOKS = {b"PK\x03\x04": "an Excel workbook or an archive", b"\xd0\xcf\x11\xe0": "an Excel workbook"}
_WHOLE = re.compile(r"[+-]?[0-9]+\.0")
_DOCUMENTS = {b"<": "a web page or XML", b"{": "JSON", b"[": "JSON"}


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
"""The Parquet types that a column of each kind takes as they are; all others are read as text."""
_SINGLE = (*_NUMBERS, *_TIMES, pa.types.is_boolean, pa.types.is_time, pa.types.is_null, _is_text, _is_bytes)


def wanted(contract: Contract) -> list[Column]:
    """The columns that are read: all but those that must not reach a model."""
    return [column for column in contract.columns if column.role is not Role.FORBIDDEN]


def suffix(path: Path) -> str:
    """What the name of a file with this content should end with, if it is a table."""
    start = _start(path)
    return ".parquet" if start == _PARQUET else ".csv.gz" if start.startswith(_GZIP) else ".csv"


def read(path: Path, contract: Contract) -> pd.DataFrame:
    """The cells of a raw table.

    Args:
        path: a CSV file, compressed with gzip or not, or a Parquet file.
        contract: whose headers it must have; others are allowed and not read.

    Returns:
        The contract's columns by name; the index counts the file's rows from 0. Cells are texts, or in a Parquet file
        what the column holds: numbers in a column of numbers, flags in one of flags, dates and times in one of those.

    Raises:
        TableError: it is empty, damaged, in another encoding or format, lacks or doubles a header, or has a column
            that holds no single values.
    """
    table = _read(path, wanted(contract))
    if table.empty:
        raise TableError(f"{path.name} has headers and no rows.")
    return table


def _read(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    if path.stat().st_size == 0:
        raise TableError(f"{path.name} is empty.")
    try:
        if _start(path) == _PARQUET or path.suffix.lower() == ".parquet":
            return _read_parquet(path, columns)
        return _read_csv(path, columns)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is not UTF-8 text (byte {error.start} is 0x{error.object[error.start]:02x}). "
            "Save it as UTF-8: `iconv -f ENCODING -t utf-8`, where ENCODING is what it was written in, for example "
            "windows-1252 in western Europe, windows-1254 in Turkey, windows-1251 in Cyrillic or gb18030 in Chinese. "
            "A wrong one makes other letters of these."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{path.name} is not a readable CSV table: {str(error).strip()}.") from error
    except pd.errors.ParserWarning as error:
        raise TableError(
            f"{path.name} has rows with more cells than the header; nothing says what they are."
        ) from error
    except (pa.ArrowInvalid, EOFError, OSError, zlib.error) as error:
        raise TableError(f"{path.name} is damaged or cut off: {str(error).strip()}.") from error


def _start(path: Path, compressed: bool = False) -> bytes:
    with gzip.open(path) if compressed else path.open("rb") as file:
        return file.read(4)


def _read_parquet(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        places = _places(schema.names, columns, path)
        for place in places.values():
            _demand_single(schema.field(place), path)
        table = file.read(columns=[schema.names[place] for place in places.values()])
    cells = {column.name: _cells(column, table.column(schema.names[places[column.name]]), path) for column in columns}
    return pd.DataFrame(cells, index=pd.RangeIndex(table.num_rows))


def _demand_single(field: pa.Field, path: Path) -> None:
    """Raise TableError for a column whose cells are no single values."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not any(is_kind(kind) for is_kind in _SINGLE):
        raise TableError(
            f"The column {field.name!r} of {path.name} holds {field.type}; a cell is one number, text, flag, date or "
            "time. Write what the model needs of it as columns of their own."
        )


def _cells(column: Column, array: pa.ChunkedArray, path: Path) -> pd.Series:
    """A Parquet column as `read` returns it."""
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if _is_bytes(array.type):
        array = _decoded(column, array, path)
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


def _decoded(column: Column, array: pa.ChunkedArray, path: Path) -> pa.ChunkedArray:
    try:
        return array.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid as error:
        raise TableError(
            f"The column {column.source!r} of {path.name} holds bytes that are no UTF-8 text. Write it as text."
        ) from error


def restored(column: Column, texts: pd.Series) -> pd.Series:
    """Integer names without the `.0` that they get in a column with missing cells: 100.0 becomes 100."""
    if column.kind is not Kind.CATEGORY:
        return texts
    names = {normal(text) for text in texts.dropna().unique()} - {""}
    if not names or names.intersection(column.choices or ()) or not all(map(_WHOLE.fullmatch, names)):
        return texts
    return texts.map(lambda text: normal(text).removesuffix(".0"), na_action="ignore")


def _read_csv(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    compressed = _start(path).startswith(_GZIP)
    start = _start(path, compressed)
    _demand_text(path, start)
    encoded: dict[str, Any] = {"header": None, "dtype": str, "encoding": "utf-8-sig"}
    encoded |= {"na_filter": False, "skip_blank_lines": False, "compression": "gzip" if compressed else None}
    header = [str(name) for name in pd.read_csv(path, nrows=1, **encoded).iloc[0]]
    places = _places(header, columns, path, start)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop surplus cells with a warning
        cells: pd.DataFrame = pd.read_csv(path, skiprows=1, names=range(len(header)), index_col=False, **encoded)
    cells = cells[(cells != "").any(axis="columns")]  # blank lines are no rows, and still count in row numbers
    return cells[list(places.values())].set_axis(list(places), axis="columns")


def _demand_text(path: Path, start: bytes) -> None:
    if start.startswith(_UTF16) or b"\0\0" in (start[::2], start[1::2]):  # with or without a mark
        raise TableError(f"{path.name} is UTF-16 text. Save it as UTF-8, for example with `iconv -f utf-16 -t utf-8`.")
    for magic, what in _WORKBOOKS.items():
        if start.startswith(magic):
            raise TableError(f"{path.name} is {what}. Save the sheet as CSV (UTF-8).")


def _places(headers: Sequence[str], columns: Sequence[Column], path: Path, start: bytes = b"") -> dict[str, int]:
    """The position of each column in the file; raises TableError if one is missing or a header occurs twice."""
    present = [normal(header) or f"Unnamed: {place}" for place, header in enumerate(headers)]
    doubled = sorted(name for name, times in Counter(present).items() if times > 1)
    if doubled:
        raise TableError(f"{path.name} has two columns with the header {doubled[0]!r}; rename or remove one.")
    places = {header: place for place, header in enumerate(present)}
    missing = [column for column in columns if column.source not in places]
    if missing:
        _demand_commas(headers, columns, path)
        for mark, what in _DOCUMENTS.items():
            if start.lstrip().startswith(mark):
                raise TableError(f"{path.name} is {what}. Bring the table itself, as CSV or Parquet.")
        raise TableError(_lacks(path, present, columns, missing))
    return {column.name: places[column.source] for column in columns}


def _demand_commas(headers: Sequence[str], columns: Sequence[Column], path: Path) -> None:
    """Raise TableError if another separator yields more of the columns, or splits a header of a single column."""
    expected = {column.source for column in columns}
    matches = len(expected.intersection(map(normal, headers)))
    for separator, what in _SEPARATORS.items():
        parts = [normal(part.strip('"')) for part in ",".join(headers).split(separator)]
        if len(expected.intersection(parts)) > matches or (len(headers) == 1 and len(parts) > 1):
            raise TableError(f"{path.name} separates its columns with {what}; save it with commas.")


def _lacks(path: Path, present: Sequence[str], columns: Sequence[Column], missing: Sequence[Column]) -> str:
    """A sentence on missing columns, with the headers that they may have been renamed to."""
    expected = {column.source for column in columns}
    spare = [name for name in present if name not in expected][:_MOST_HEADERS]
    what = ("columns " if len(missing) > 1 else "column ") + ", ".join(
        _renamed(column, spare) for column in missing[:_MOST_HEADERS]
    )
    more = f" and {len(missing) - _MOST_HEADERS:,} more" if len(missing) > _MOST_HEADERS else ""
    return f"{path.name} lacks the {what}{more}. It has: {', '.join(map(repr, present[:_MOST_HEADERS]))}."


def _renamed(column: Column, spare: Sequence[str]) -> str:
    close = [*difflib.get_close_matches(column.source, spare, n=1), *difflib.get_close_matches(column.name, spare, n=1)]
    return f"{column.source!r}" + (f" (renamed to {close[0]!r}?)" if close else "")
