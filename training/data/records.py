"""Files whose cells have types of their own: JSON's records and the sheets of a workbook, as Arrow's columns."""

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import python_calamine

from training.data.rawtable import Loaded, RawTable
from validation.errors import TableError

_RECORDS = "Bring an array of records, or a record a line."
_LARGEST = 2**63
_NUMBERS, _TIMES = {int, float}, {datetime.date, datetime.datetime}
_ARROW: dict[type | None, pa.DataType] = {
    str: pa.large_string(),
    bool: pa.bool_(),
    int: pa.int64(),
    datetime.date: pa.date32(),
    datetime.datetime: pa.timestamp("us"),
}


def read_json(path: Path, name: str) -> RawTable:
    """An array of records, or a record a line; raises TableError for another document."""
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip()
    try:
        rows = _decoded(content)
    except RecursionError as error:
        raise TableError(f"{name} is no readable JSON: it is nested too deeply. {_RECORDS}") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise TableError(f"{name} is no readable JSON: {error}. {_RECORDS}") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{name} is JSON and no table. {_RECORDS}")
    headers = list(dict.fromkeys(header for row in rows for header in row))
    try:
        "".join(headers).encode()
        return _table(name, headers, [[row.get(header) for row in rows] for header in headers])
    except UnicodeEncodeError as error:
        raise TableError(f"{name} is no readable JSON: it has half of a character, {error.object!r:.40}.") from error


def _decoded(content: bytes) -> list[Any]:
    if content.startswith(b"["):
        try:
            document = msgspec.json.decode(content)
        except msgspec.DecodeError:
            document = json.loads(content)  # takes NaN, which Python writes and JSON does not have
        return list(document)
    try:
        return msgspec.json.Decoder().decode_lines(content)
    except msgspec.DecodeError:
        lines = [line for line in content.splitlines() if line.strip()]
        return [json.loads(line) for line in lines]


def read_workbook(path: Path, name: str, sheet: str | None = None) -> RawTable:
    """A sheet of a workbook, the only one that has cells if `sheet` is None; raises TableError if it is not there."""
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            rows = _rows(book, name, sheet)
    except (python_calamine.CalamineError, OSError) as error:
        raise TableError(f"{name} is no readable workbook: {error}. Save it anew, or as CSV.") from error
    if not rows:
        raise TableError(f"{name} has no cells" + (f" in the sheet {sheet!r}." if sheet else "."))
    headers = ["" if cell == "" else _text(cell) for cell in rows[0]]
    places = [[None if cell == "" else cell for cell in cells] for cells in zip(*rows[1:], strict=True)]
    return dataclasses.replace(_table(name, headers, places or [[] for _ in headers]), doubles=True)


def _rows(book: python_calamine.CalamineWorkbook, name: str, sheet: str | None) -> list[list[Any]]:
    names = book.sheet_names
    if sheet is not None:
        if sheet not in names:
            raise TableError(f"{name} has no sheet {sheet!r}. It has: {', '.join(map(repr, names))}.")
        return book.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
    filled = {each: rows for each in names if (rows := book.get_sheet_by_name(each).to_python(skip_empty_area=True))}
    if len(filled) > 1:
        raise TableError(
            f"{name} has the sheets {', '.join(map(repr, filled))}: say which with SHEET={next(iter(filled))!r}."
        )
    return next(iter(filled.values()), [])


def _table(name: str, headers: Sequence[str], columns: Sequence[Sequence[Any]]) -> RawTable:
    """A table of Python's values, without its blank rows."""
    kept = [place for place, row in enumerate(zip(*columns, strict=True)) if any(cell is not None for cell in row)]
    arrays = [array([cells[place] for place in kept]) for cells in columns]
    loaded = Loaded(pd.Index(kept, dtype="int64"), lambda place: pa.chunked_array([arrays[place]]))
    return RawTable(name, headers, lambda: loaded, [each.type for each in arrays])


def array(values: Sequence[Any]) -> pa.Array:
    """Values as an Arrow array: of their own type where they share one, else of the texts that CSV would have."""
    kinds = {type(value) for value in values} - {type(None)}
    read = _typed(kinds, values)
    texts = [None if value is None else _text(value) for value in values]
    return pa.array(texts, pa.large_string()) if read is None else read


def _typed(kinds: set[type], values: Sequence[Any]) -> pa.Array | None:
    """Values of a type that Arrow has too; None where only texts hold them all."""
    if kinds & {dict, list}:
        return pa.nulls(len(values), pa.list_(pa.null()))
    if kinds == {int} and not all(value is None or -_LARGEST <= value < _LARGEST for value in values):
        return None
    if kinds and kinds <= _NUMBERS and kinds != {int}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    if kinds == _TIMES:
        return pa.array([_moment(value) for value in values], pa.timestamp("us"))
    one = next(iter(kinds)) if len(kinds) == 1 else None
    return pa.array(values, _ARROW[one]) if one in _ARROW else None


def _moment(value: datetime.date | None) -> datetime.datetime | None:
    if value is None or isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.combine(value, datetime.time())


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
