"""CSV files as a run reads them: cut into whole records without parsing them, and each part read as texts."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from validation.errors import TableError

MOST_BYTES = 1 << 25
"""A part has no more, if a single record has not: a worker holds it as a whole."""
_BLOCK = 1 << 22
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_MARK = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"


class Header(NamedTuple):
    """The first record: its names, what separates them, and where the next one begins."""

    names: list[str]
    delimiter: str
    end: int


class Span(NamedTuple):
    """A part of a file: its bytes, the place of its first record below the header, and how many there are."""

    start: int
    stop: int
    first: int
    rows: int


class Part(NamedTuple):
    """The rows of a part: columns of texts, the place of each row, and by their places why other lines are none."""

    table: pa.Table
    places: np.ndarray
    ragged: dict[int, str]


def header(file: Any, known: Sequence[str], name: str) -> Header:
    """Read the header with the delimiter that finds most known columns; raises TableError if there is none."""
    end = next((ends[rows == 1][0] for ends, rows in _records(file, 0, name) if rows.any()), None)
    if end is None:
        raise TableError(f"{name} has no header: the file is empty.")
    file.seek(0)
    content = file.read(end).removeprefix(_MARK)
    try:
        line = content.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise TableError(f"{name} is not UTF-8, in which CSV is read. Save it as UTF-8.") from error
    split = {mark: names for mark in _DELIMITERS if (names := _split(line, mark))}
    if not split:
        ends = " Its lines end with CR alone; save it with LF or CR LF." if "\r" in line else ""
        raise TableError(f"{name} has no header that is CSV.{ends}")
    mark = max(split, key=lambda each: len({*split[each]} & {*known}))
    return Header(split[mark], mark, int(end))


def _split(line: str, mark: str) -> list[str]:
    """The cells of a line; none where it is no CSV with this delimiter, as one that is too long for a cell."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=mark))]
    except csv.Error:
        return []


def spans(file: Any, start: int, rows: int, name: str) -> Iterator[Span]:
    """Cut the records from a byte on into parts of so many, or of fewer where they are long; raises TableError."""
    begun, first, count, stop = start, 0, 0, start
    for ends, counted in _records(file, start, name):
        until, before, at = np.cumsum(counted), 0, 0
        while at < len(ends):
            by_rows = int(np.searchsorted(until, rows - count + before, "right"))
            by_bytes = int(np.searchsorted(ends, begun + MOST_BYTES, "right"))
            fits = max(min(by_rows, by_bytes), at if count else at + 1)  # a single record may be larger
            if fits > at:
                count, before = count + int(until[fits - 1]) - before, int(until[fits - 1])
                stop, at = int(ends[fits - 1]), fits
            if at < len(ends):
                if count:
                    yield Span(begun, stop, first, count)
                begun, first, count = stop, first + count, 0
    if count:
        yield Span(begun, stop, first, count)


def _records(file: Any, start: int, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The ends of the records of each block, and whether each is a row: an empty line is none."""
    file.seek(start)
    quotes, last, at = 0, start, start
    tail = b""
    while block := file.read(_BLOCK):
        content = np.frombuffer(block, dtype=np.uint8)
        newlines = np.flatnonzero(content == _NEWLINE)
        marks = np.flatnonzero(content == _QUOTE)
        if len(marks) or quotes % 2:
            newlines = newlines[(np.searchsorted(marks, newlines) + quotes) % 2 == 0]
        quotes += len(marks)
        ends = newlines + at + 1
        yield ends, _rows(np.diff(ends, prepend=last), newlines, content, tail)
        last = int(ends[-1]) if len(ends) else last
        at, tail = at + len(block), block[-1:]
    if quotes % 2:  # all behind it would be one cell
        raise TableError(f"{name} has a quote that is not closed. A quote in a cell is written twice, in quotes.")
    if at > last:  # the last line has no end
        yield np.array([at]), np.array([1])


def _rows(lengths: np.ndarray, newlines: np.ndarray, content: np.ndarray, tail: bytes) -> np.ndarray:
    """Whether lines of these lengths, ends included, hold anything: 1 or 0."""
    before = content[newlines - 1]
    if len(newlines) and newlines[0] == 0:
        before = before.copy()
        before[0] = tail[0] if tail else _NEWLINE
    filled: np.ndarray = ((lengths > 2) | ((lengths == 2) & (before != _RETURN))).astype(np.int64)
    return filled


def read(file: Any, found: Header, span: Span, name: str) -> Part:
    """Read a part as texts; raises TableError if it is none, or not cut at records."""
    file.seek(span.start)
    content = file.read(span.stop - span.start)
    ragged: dict[int, int] = {}

    def skip(row: Any) -> str:
        ragged[row.number - 1] = row.actual_columns
        return "skip"

    try:
        table = pa.csv.read_csv(
            io.BytesIO(content),
            read_options=pa.csv.ReadOptions(column_names=found.names, use_threads=False, block_size=_BLOCK),
            parse_options=pa.csv.ParseOptions(
                delimiter=found.delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(found.names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise TableError(
            f"{name} cannot be read from byte {span.start:,} to {span.stop:,}: {error}. It should be UTF-8, with cells "
            "that contain quotes or line ends in quotes."
        ) from error
    rows = len(table) + len(ragged)
    if rows != span.rows:
        raise TableError(
            f"{name} has {rows:,} rows from byte {span.start:,} to {span.stop:,} where {span.rows:,} lines end: a "
            "quote is not closed, or stands in a cell without quotes."
        )
    places = np.delete(np.arange(rows), [*ragged]) + span.first
    told = f"cells, and the header {len(found.names)}"
    return Part(table, places, {span.first + at: f"the line has {cells} {told}" for at, cells in ragged.items()})
