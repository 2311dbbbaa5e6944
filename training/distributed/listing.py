"""The partitions of a folder of Parquet files: ranges of rows, which depend on the files and on nothing else."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import fsspec
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from training.data import raw
from training.data.fetched import without_secrets
from training.data.rawtable import Loaded, RawTable
from validation.contract import Column, Contract, Kind
from validation.errors import TableError
from validation.names import normal

_READERS = 16
"""Footers are read at a time: a bucket answers late."""


class File(msgspec.Struct, frozen=True):
    """A file of the table.

    Attributes:
        address: where it is.
        name: the same from the table's folder on, by which its rows are known wherever that lies.
        rows: how many it has.
        stamp: its size and its ETag, or time: whether it is still what it was.
    """

    address: str
    name: str
    rows: int
    stamp: str


class Partition(msgspec.Struct, frozen=True):
    """Consecutive rows of a file: `rows` from `start` on, which counts from 0."""

    file: File
    start: int
    rows: int


@dataclass(frozen=True)
class Listing:
    """A table: its files, and the partitions that they are cut into."""

    address: str
    files: tuple[File, ...]
    partitions: tuple[Partition, ...]

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return sum(file.rows for file in self.files)

    @property
    def digest(self) -> str:
        """A sha256 of what the files are called and of their stamps."""
        return hashlib.sha256(
            msgspec.json.encode([(file.name, file.rows, file.stamp) for file in self.files])
        ).hexdigest()


def listed(address: str, contract: Contract, most: int) -> Listing:
    """Look at a table without reading its rows.

    Args:
        address: a folder of Parquet files, or a file, as fsspec takes it; names that begin with . or _ are passed over.
        contract: whose raw headers each file must have.
        most: the most rows of a partition.

    Raises:
        TableError: there is no such folder, it has no rows, or a file cannot be read or has other columns.
    """
    files, paths, root = _found(address)
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(lambda path: _file(files, path, root, contract), paths))
    partitions = tuple(
        Partition(file, start, min(most, file.rows - start)) for file in found for start in range(0, file.rows, most)
    )
    if not partitions:
        raise TableError(f"The Parquet files of {without_secrets(address)} have no rows.")
    return Listing(without_secrets(address), tuple(found), partitions)


def _found(address: str) -> tuple[Any, list[str], str]:
    """A file system, the paths of the table's files in it, and the folder that they are in."""
    shown = without_secrets(address)
    try:
        files, path = fsspec.core.url_to_fs(address)
        root = str(path).rstrip("/")
        names = [str(name) for name in files.find(root)]
    except (ValueError, ImportError, OSError) as error:
        raise TableError(f"{shown} cannot be opened: {error}.") from error
    single = names == [root]
    parquet = sorted(name for name in names if single or _is_data(name.removeprefix(f"{root}/")))
    if not parquet:
        raise TableError(f"There are no Parquet files (*.parquet) in {shown}. A cluster trains on a folder of them.")
    return files, parquet, root.rpartition("/")[0] if single else root


def _is_data(name: str) -> bool:
    return name.endswith(".parquet") and not any(part.startswith((".", "_")) for part in name.split("/"))


def _file(files: Any, path: str, root: str, contract: Contract) -> File:
    address = str(files.unstrip_protocol(path))
    try:
        info = files.info(path)
        with files.open(path, "rb") as source:
            metadata = pq.read_metadata(source)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TableError(f"{address} cannot be read as Parquet: {error}.") from error
    demand_headers(contract, address, metadata.schema.to_arrow_schema())
    changed = next((info[key] for key in ("ETag", "etag", "md5", "mtime", "LastModified") if info.get(key)), "")
    return File(address, path.removeprefix(f"{root}/"), metadata.num_rows, f"{info.get('size')} {changed}")


def demand_headers(contract: Contract, address: str, schema: pa.Schema) -> None:
    """Raise TableError if a file lacks a header of the contract, or if how a column is read would depend on its rows.

    A partition knows its own rows only. One that has no decimal comma cannot tell that another has.
    """
    table = RawTable(
        address, schema.names, lambda: Loaded(pd.RangeIndex(1), lambda _: pa.chunked_array([])), schema.types
    )
    table.demand_different_headers()
    places = raw.places_of(table, raw.wanted(contract))
    for column in raw.wanted(contract):
        kind = schema.types[places[column.name]]
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        better = _better(column, kind)
        if better:
            raise TableError(
                f"The column {column.source!r} of {address} holds {kind}, and how that is read depends on all rows of "
                f"the table, of which a partition sees some. {better}"
            )


def _better(column: Column, kind: pa.DataType) -> str:
    """How a column is to be written instead, if its rows would decide how it is read."""
    numbers = column.kind in (Kind.REAL, Kind.INTEGER)
    plain = (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )
    if numbers and not plain and column.parse is None:
        return f"Write numbers, or give '{column.name}' a parse= in the contract."
    if column.kind is Kind.CATEGORY and (pa.types.is_floating(kind) or pa.types.is_timestamp(kind)):
        return "Write it as text or as whole numbers."
    return ""


def opened(partition: Partition, contract: Contract) -> RawTable:
    """The rows of a partition as a raw table, whose index counts the rows of its file.

    Raises TableError if they cannot be read, or the file was changed since it was listed.
    """
    address = partition.file.address
    try:
        with fsspec.open(address, "rb") as source:
            file = pq.ParquetFile(source)
            if file.metadata.num_rows != partition.file.rows:
                raise TableError(f"{address} was changed while it was read. Run the same command again.")
            headers = {column.source for column in raw.wanted(contract)}
            names = [name for name in file.schema_arrow.names if normal(name) in headers]
            table = _rows(file, names, partition)
    except (OSError, ValueError, pa.ArrowException) as error:
        last = partition.start + partition.rows
        raise TableError(f"Rows {partition.start + 1:,} to {last:,} of {address} cannot be read: {error}.") from error
    index = pd.RangeIndex(partition.start, partition.start + table.num_rows)
    return RawTable(address, table.column_names, lambda: Loaded(index, table.column), table.schema.types)


def _rows(file: pq.ParquetFile, names: Sequence[str], partition: Partition) -> pa.Table:
    """The rows of a partition; only the row groups that have some of them are read, and of those a batch at a time."""
    groups, first = _groups(file.metadata, partition)
    wanted, end, place, batches = partition.start - first, partition.start - first + partition.rows, 0, []
    for batch in file.iter_batches(min(partition.rows, 65_536), groups, list(names)):
        low, high = max(wanted - place, 0), min(end - place, batch.num_rows)
        if low < high:
            batches.append(batch.slice(low, high - low))
        place += batch.num_rows
        if place >= end:
            break
    return pa.Table.from_batches(batches)


def _groups(metadata: pq.FileMetaData, partition: Partition) -> tuple[list[int], int]:
    """The row groups that a partition lies in, and the place in the file at which the first of them begins."""
    found: list[int] = []
    begins = 0
    for number, (start, rows) in enumerate(_begun(metadata)):
        if start < partition.start + partition.rows and partition.start < start + rows:
            begins = begins if found else start
            found.append(number)
    return found, begins


def _begun(metadata: pq.FileMetaData) -> Iterator[tuple[int, int]]:
    start = 0
    for number in range(metadata.num_row_groups):
        rows = int(metadata.row_group(number).num_rows)
        yield start, rows
        start += rows
