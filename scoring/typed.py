"""Parquet and Arrow files as a run reads them: cut at rows, and each part read from the groups that hold it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from scoring.columns import is_text
from validation.errors import TableError

_BUFFER = 1 << 22
"""What is read of a column of a file at a time."""
Chosen = Callable[[Sequence[str]], list[str]]
"""Which of the columns of a file are read."""


class Span(NamedTuple):
    """A part of a file.

    Attributes:
        first: the place of its first row.
        rows: how many there are.
        start, stop: the row groups or record batches that hold it.
        skipped: rows of these that come before its first.
    """

    first: int
    rows: int
    start: int
    stop: int
    skipped: int


def parquet_groups(source: Any) -> tuple[list[str], list[int]]:
    """The columns of a Parquet file, and the rows of each row group."""
    file = pq.ParquetFile(source)
    groups = range(file.metadata.num_row_groups)
    return file.schema_arrow.names, [file.metadata.row_group(place).num_rows for place in groups]


def arrow_groups(source: Any) -> tuple[list[str], list[int]]:
    """The columns of an Arrow file, and the rows of each record batch, for which its first column is read."""
    names = pa.ipc.open_file(source).schema.names
    file = _arrow_file(source, [0])
    return names, [file.get_batch(place).num_rows for place in range(file.num_record_batches)]


def _arrow_file(source: Any, fields: Sequence[int]) -> Any:
    return pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=list(fields)))


def spans(groups: Sequence[int], rows: int) -> Iterator[Span]:
    """The parts of so many rows of a file whose groups have these numbers of rows."""
    ends = np.cumsum([0, *groups])
    total = int(ends[-1])
    for first in range(0, total, rows):
        count = min(rows, total - first)
        start = int(np.searchsorted(ends, first, "right")) - 1
        stop = int(np.searchsorted(ends, first + count, "left"))
        yield Span(first, count, start, stop, first - int(ends[start]))


def parquet(source: Any, span: Span, chosen: Chosen, most: int) -> Iterator[pa.RecordBatch]:
    """The rows of a part of a Parquet file, at most so many at a time; raises TableError if it is not in the file."""
    schema = pq.read_schema(source)
    columns = chosen(schema.names)
    texts = [name for name in columns if is_text(schema.field(name).type)]
    file = pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False, buffer_size=_BUFFER)
    groups = _there(span, file.metadata.num_row_groups)
    batches = file.iter_batches(batch_size=most, row_groups=groups, columns=columns, use_threads=False)
    return _cut_out(batches, span.skipped, span.rows)


def arrow(source: Any, span: Span, chosen: Chosen, most: int) -> Iterator[pa.RecordBatch]:
    """The same of an Arrow file, of which a batch may have more."""
    names = pa.ipc.open_file(source).schema.names
    columns = chosen(names)
    file = _arrow_file(source, [names.index(name) for name in columns])
    groups = _there(span, file.num_record_batches)
    return _cut_out((file.get_batch(place).select(columns) for place in groups), span.skipped, span.rows)


def stream(source: Any, span: Span, chosen: Chosen, most: int) -> Iterator[pa.RecordBatch]:
    """All rows of an Arrow stream, which is one part."""
    file = pa.ipc.open_stream(source)
    columns = chosen(file.schema.names)
    return (batch.select(columns) for batch in file)


def _there(span: Span, groups: int) -> list[int]:
    if span.stop > groups:
        raise TableError(f"It has {groups:,} groups of rows, and had {span.stop:,} or more when the run began.")
    return list(range(span.start, span.stop))


def _cut_out(batches: Iterator[pa.RecordBatch], skipped: int, rows: int) -> Iterator[pa.RecordBatch]:
    """So many rows of batches, after those that are skipped."""
    for batch in batches:
        if skipped >= len(batch):
            skipped -= len(batch)
            continue
        cut = batch.slice(skipped, rows)
        skipped, rows = 0, rows - len(cut)
        yield cut
        if not rows:
            return
