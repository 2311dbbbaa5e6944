"""Tables of true values: CSV, Parquet or JSON lines, at any address that fsspec knows."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from validation.contract import Column
from validation.errors import TableError
from validation.names import normal

Cells = Mapping[str, Sequence[Any]]
"""The cells of a table by header: texts, or what typed files hold."""
_PARQUET = b"PAR1"
_DELIMITERS = ",;\t"


def read(address: str) -> dict[str, list[Any]]:
    """The cells of a table; raises TableError if there is none, or it cannot be read."""
    try:
        with fsspec.open(address, "rb", compression="infer") as file:
            content: bytes = file.read()
        if content.startswith(_PARQUET):
            table = pq.read_table(io.BytesIO(content))
            return {normal(name): table.column(name).to_pylist() for name in table.column_names}
        text = content.decode("utf-8-sig")
    except (OSError, ValueError, ImportError, pa.ArrowException) as error:  # bytes that are no UTF-8 are a ValueError
        raise TableError(f"{address} cannot be read: {error}. Bring a CSV, Parquet or JSON lines file.") from error
    return _json_lines(text, address) if text.lstrip().startswith("{") else _csv(text, address)


def column_of(column: Column, cells: Cells) -> Sequence[Any] | None:
    """The cells of a column, which a table calls as the contract does or as raw files do; None if it has no such."""
    return cells.get(column.name, cells.get(column.source))


def _json_lines(text: str, address: str) -> dict[str, list[Any]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            rows += [msgspec.json.decode(line, type=dict[str, Any])] if line.strip() else []
        except msgspec.DecodeError as error:
            raise TableError(f"Line {number} of {address} is no JSON object: {error}. Mend it.") from error
    names = dict.fromkeys(name for row in rows for name in row)
    return {normal(name): [row.get(name) for row in rows] for name in names}


def _csv(text: str, address: str) -> dict[str, list[Any]]:
    head = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    try:
        header, *rows = [row for row in lines if row] or [[]]
    except csv.Error as error:
        raise TableError(f"Line {lines.line_num} of {address} cannot be read: {error}. Mend it.") from error
    ragged = next((place for place, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if ragged is not None:
        raise TableError(
            f"Row {ragged} of {address} has {len(rows[ragged - 1])} cells, and the header {len(header)}. Mend it."
        )
    return {normal(name): [row[place] for row in rows] for place, name in enumerate(header)}
