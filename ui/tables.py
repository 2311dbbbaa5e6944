"""Uploaded tables: read as a whole or refused with a sentence, and written with the added columns."""

import contextlib
import csv
import math
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ui import encodings
from ui.described import Column, Model

SUFFIXES = (".csv", ".parquet")
MOST_ROWS = 200_000
"""A table of 100,000 rows with reasons takes the page from 240 to 400 MB of memory; two run at a time."""
_SEPARATORS = ",;\t|"
_SEPARATED, _DECIMAL = "separator", "decimal"
"""What a table that was read of CSV knows of its file (pandas' `attrs`)."""
_TRUE, _FALSE = frozenset({"true", "yes", "1", "1.0"}), frozenset({"false", "no", "0", "0.0"})
_WHOLE = re.compile(r"[+-]?[0-9]+\.0")
_COMMA = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(?:\.[0-9]{3}){2,}|[0-9]*,(?:[0-9]{1,2}|[0-9]{4,}))"
)
_WITH_COMMA = re.compile(r"[^0-9,]*[0-9][0-9.]*,[0-9]+[^0-9,]*")
"""A cell with a decimal comma, whatever stands around the number."""
_LOOKED_AT = 200
"""So many rows say how a file writes numbers."""
_POINT = re.compile(r"[+-]?[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})")


class TableError(Exception):
    """A file is not a table for the model; the text is a sentence for people that says why."""


def read(path: Path, model: Model) -> pd.DataFrame:
    """The table in a CSV or Parquet file, unconverted: all values of a CSV file stay texts.

    Raises:
        TableError: it cannot be read, has no rows or too many, or lacks a column that every row must have.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TableError(f"{path.name} is neither a .csv nor a .parquet file.")
    try:
        table = _read_csv(path) if suffix == ".csv" else _read_parquet(path)
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path.name} is not UTF-8 text, and not surely Windows-1252. Save it as “CSV UTF-8” and upload it again."
        ) from error
    except pd.errors.EmptyDataError as error:
        raise TableError(f"{path.name} is empty.") from error
    except (ValueError, OSError, pa.ArrowException, csv.Error) as error:
        what = "CSV" if suffix == ".csv" else "Parquet"
        raise TableError(f"{path.name} cannot be read as {what}: {str(error).splitlines()[0][:200]}.") from error
    if not len(table):
        raise TableError(f"{path.name} has no rows.")
    _demand_fits(path, len(table))
    headers = headers_of(model, table)
    lacking = [column.name for column in model.inputs if column.name not in headers and not column.nullable]
    if lacking:
        present = ", ".join(str(name) for name in table.columns[:20])
        raise TableError(f"{path.name} lacks {_column_list(lacking)}. It has: {present}.")
    _demand_points(path, model, table)
    return table


def headers_of(model: Model, table: pd.DataFrame) -> dict[str, str]:
    """The header of each input that a table has: the names of the contract, or those of the table it was learned from.

    The former where the table has all that it must have of them, or fewer of the latter.
    """
    named = {column.name: column.name for column in model.inputs if column.name in table.columns}
    raw = {column.name: column.header for column in model.inputs if column.header in table.columns}
    needed = {column.name for column in model.inputs if not column.nullable}
    return raw if len(needed - set(raw)) < len(needed - set(named)) else named


def rows(model: Model, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for the service to read as raw ones: the model's inputs only, with texts of their kinds as values.

    A text that is none of its column's kind is sent as it is: the contract may parse it, or the service says what is
    wrong with it. So is every text of a column that the contract parses in a way of its own, but for its flags.
    """
    headers = headers_of(model, table)
    columns = [column for column in model.inputs if column.name in headers]
    values = [
        [_json_value(column, value, model.missing_texts) for value in table[headers[column.name]].tolist()]
        for column in columns
    ]
    names = [column.name for column in columns]
    read = [model.read(dict(zip(names, row, strict=True))) for row in zip(*values, strict=True)]
    return read or [{}] * len(table)


def template(model: Model) -> str:
    """A CSV file with the headers that are read and one example row, to be filled in.

    Numbers have the decimal mark with which texts of their column are read; with commas, semicolons part columns.
    """
    example = {column.name: _as_raw(column) for column in model.inputs}
    commas = len(model.inputs) > 1 and any(column.decimal == "," for column in model.inputs)
    return str(pd.DataFrame([example]).to_csv(index=False, sep=";" if commas else ","))


def _as_raw(column: Column) -> Any:
    return str(column.example).replace(".", column.decimal) if isinstance(column.example, float) else column.example


def write(path: Path, table: pd.DataFrame, added: Mapping[str, Sequence[Any]]) -> None:
    """Write the table with added columns, atomically, in the format of the file's suffix.

    A CSV file has the separator of the one that was read, and its decimal mark. Of semicolons it begins with UTF-8's
    mark, without which the Excel that writes semicolons takes it for Windows-1252.
    """
    answered = pd.concat([table, pd.DataFrame(_unique(added, table), index=table.index)], axis=1)
    part = path.with_name(f"{path.name}.part")
    if path.suffix == ".csv":
        separator, decimal = table.attrs.get(_SEPARATED, ","), table.attrs.get(_DECIMAL, ".")
        encoding = "utf-8-sig" if separator == ";" else "utf-8"
        answered.to_csv(part, index=False, sep=separator, decimal=decimal, encoding=encoding)
    else:
        answered.to_parquet(part, index=False)
    part.replace(path)


def _unique(added: Mapping[str, Sequence[Any]], table: pd.DataFrame) -> dict[str, Sequence[Any]]:
    """The added columns, renamed where the table has a column of that name."""
    used = set(table.columns)
    renamed: dict[str, Sequence[Any]] = {}
    for name, values in added.items():
        unused = name
        while unused in used:
            unused = f"{unused}_"
        renamed[unused] = values
    return renamed


def _read_csv(path: Path) -> pd.DataFrame:
    encoding = encodings.of(path)
    with path.open(encoding=encoding, newline="") as file:
        head = file.read(64 * 1024)
    if "\0" in head:
        raise ValueError("it has bytes that no text has")
    if not head.strip():
        raise pd.errors.EmptyDataError
    header = head.splitlines()[0]
    separator = max(_SEPARATORS, key=header.count)
    # everything as text: the kind of the column decides how a value is parsed
    table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding=encoding)
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus fields for an index
        raise ValueError("its first row has more fields than its header")
    table = table.rename(columns=str.strip)
    if not table.columns.is_unique:
        doubled = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"it has two columns {doubled!r}")
    table.attrs |= {_SEPARATED: separator, _DECIMAL: _decimal(table) if separator == ";" else "."}
    return table


def _decimal(table: pd.DataFrame) -> str:
    """The decimal mark of a CSV file: a comma where most cells of some column have one."""
    head = table.head(_LOOKED_AT)
    for name in head:
        texts = [text for text in head[name] if text]
        if texts and 2 * sum(map(bool, map(_WITH_COMMA.fullmatch, texts))) > len(texts):
            return ","
    return "."


def _read_parquet(path: Path) -> pd.DataFrame:
    _demand_fits(path, pq.read_metadata(path).num_rows)  # a small file can hold more rows than fit into memory
    table = pd.read_parquet(path)
    # an index that pandas wrote is a column to other programs
    return table if isinstance(table.index, pd.RangeIndex) and table.index.name is None else table.reset_index()


def _demand_fits(path: Path, rows: int) -> None:
    """Raise TableError for more rows than the page takes."""
    if rows > MOST_ROWS:
        raise TableError(f"{path.name} has {rows:,} rows; this page takes {MOST_ROWS:,}. Upload it in parts.")


def _demand_points(path: Path, model: Model, table: pd.DataFrame) -> None:
    """Raise TableError for numbers with decimal commas: in such a table, 1.250 would be read as a thousandth of it."""
    headers = headers_of(model, table)
    for column in model.inputs:
        if column.kind in ("integer", "real") and column.name in headers and not column.parsed:
            texts = [text.strip() for text in table[headers[column.name]].unique() if isinstance(text, str)]
            comma = next(filter(_COMMA.fullmatch, texts), None)
            if comma is not None and not any(map(_POINT.fullmatch, texts)):
                raise TableError(
                    f"{path.name} writes the numbers of {column.name} with a decimal comma ({comma}). Save it with "
                    "decimal points, as in 1250.5."
                )


def _json_value(column: Column, value: Any, missing: Collection[str]) -> Any:
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return _parsed(column, value, missing)
    if isinstance(value, date):  # or datetime, which is a subclass
        day = value.date() if isinstance(value, datetime) else value
        return day.isoformat() if column.kind == "date" else value.isoformat()
    if column.kind == "category":
        return _name(column, str(value))
    if column.kind == "flag" and value in (0, 1):
        return bool(value)
    return value if isinstance(value, bool | int | float) else str(value)


def _parsed(column: Column, text: str, missing: Collection[str]) -> Any:
    short = text.strip()
    if not short or (column.kind != "category" and short.lower() in missing):
        return None
    if column.kind == "flag":
        return _flag(column, text)
    if column.parsed:
        return text
    match column.kind:
        case "integer" | "real":
            return _number(short)
        case _:
            return _name(column, text) if column.kind == "category" else short


def _flag(column: Column, text: str) -> bool | str | None:
    """A flag in the raw table's own words, or in those that the template and downloads of the page have."""
    own = text.strip().casefold()
    if own in column.texts:
        return column.texts[own]
    if column.parsed and not column.texts:  # only the service can read it
        return text
    return True if own in _TRUE else False if own in _FALSE else text


def _name(column: Column, text: str) -> str:
    """A name; an integer such as 100 has become 100.0 in a column with missing cells."""
    whole = _WHOLE.fullmatch(text.strip()) and text not in (column.choices or ())
    return text.strip().removesuffix(".0") if whole else text


def _number(text: str) -> int | float | str | None:
    if "_" in text:  # which Python accepts in numbers
        return text
    for kind in (int, float):
        with contextlib.suppress(ValueError, OverflowError):
            number = kind(text)
            if math.isfinite(number):
                return number
            return None if math.isnan(number) else text
    return text


def _column_list(names: list[str]) -> str:
    return f"the column {names[0]}" if len(names) == 1 else f"the columns {', '.join(names)}"
