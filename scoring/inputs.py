"""What there is to score: files of an address, cut into parts that are read as streams of record batches."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.ipc

from scoring import delimited, typed
from scoring.columns import NOTHING, Dropped, demand
from scoring.manifest import InputFile, Partition
from storage.place import failures, is_local, opened
from validation.contract import Contract
from validation.errors import BoxwoodError, StoreError, TableError

_BATCH, _CELLS = 1 << 16, 1 << 21
"""Rows that are decoded and scored at a time, and of how many cells: fewer rows of wide tables."""
PARQUET, ARROW, STREAM, CSV = "parquet", "arrow", "stream", "csv"
_SUFFIXES = {".parquet": PARQUET, ".pq": PARQUET, ".csv": CSV, ".tsv": CSV, ".txt": CSV}
_MAGIC = ((b"PAR1", PARQUET), (b"ARROW1", ARROW), (b"\xff\xff\xff\xff", STREAM))
_BUFFER = 1 << 22
"""What is read of a text file at a time."""
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")
"""What file systems say of a file that changes when it does, the best first."""
_WITHOUT = " Nothing is scored yet: mend or remove it, or name the others by a pattern, as 'tables/**/*.parquet'."


class Rows(NamedTuple):
    """Rows of a part.

    Attributes:
        batch: the rows.
        places: the place of each in its file.
        ragged: why lines are no rows, by their places: those that have other cells than the header.
    """

    batch: pa.RecordBatch
    places: np.ndarray
    ragged: dict[int, str]


class Inputs:
    """The files at an address: a file, a folder or a pattern with `*`; names that begin with `_` or `.` are none."""

    def __init__(self, address: str, contract: Contract, dropped: Dropped = NOTHING, root: str = "") -> None:
        """Open the address; raises StoreError.

        Args:
            address: where the files are, as fsspec has addresses.
            contract: whose columns they have.
            dropped: columns that are left out.
            root: the path that the address leads to, where `listed` has found it before.
        """
        self.address = address
        self.files, self._path = opened(address)
        self.root = root or self._path
        self._contract, self._dropped = contract, dropped
        self._batch = max(1, min(_BATCH, _CELLS // len(contract.inputs)))
        self._known = [column.name for column in (*contract.inputs, *contract.keys)]

    def listed(self) -> list[InputFile]:
        """The files, by name; raises TableError if there is none and StoreError if it cannot be said."""
        try:
            self.files.invalidate_cache()
            self.root, found = self._globbed() if "*" in self._path else (self._path, self._found())
        except failures(self.files) as error:
            raise StoreError(f"{self.address} cannot be listed: {error}.") from error
        if list(found) == [self.root]:
            self.root = self.root.rpartition("/")[0] or "/"
        named = {name: self._below(name) for name in sorted(found)}
        chosen = {name: below for name, below in named.items() if not _is_hidden(below)}
        if not chosen:
            hint = " Files and folders whose names begin with _ or . are left out." if found else ""
            raise TableError(f"There is no file to score at {self.address}.{hint}")
        hint = _WITHOUT if len(chosen) > 1 else ""
        return [self._described(name, below, found[name], hint) for name, below in chosen.items()]

    def _found(self) -> dict[str, Any]:
        """What is known of each file at the address, by its path."""
        try:
            told = self.files.info(self._path)
        except FileNotFoundError as error:
            if error.__cause__ is not None:  # over HTTP a server that fails is told so too
                raise OSError(str(error.__cause__)) from error
            return {}
        found: dict[str, Any] = (
            self.files.find(self._path, detail=True) if told["type"] != "file" else {self._path: told}
        )
        return found

    def _globbed(self) -> tuple[str, dict[str, Any]]:
        root = self._path.split("*", 1)[0].rpartition("/")[0]
        found = self.files.glob(self._path, detail=True)
        return root, {name: told for name, told in found.items() if told["type"] == "file"}

    def _below(self, name: str) -> str:
        return name.removeprefix(self.root).removeprefix("/")

    def _described(self, name: str, below: str, told: dict[str, Any], hint: str) -> InputFile:
        stamp = next((str(told[key]) for key in _STAMPS if told.get(key)), "")
        with self._reading(name, hint), self.files.open(name, "rb") as file:
            return InputFile(below, int(told["size"] or 0), stamp, _format(name, file.read(8), hint))

    def partitions(self, files: Sequence[InputFile], rows: int) -> list[Partition]:
        """Cut files into parts of so many rows, the same ones every time.

        Raises:
            TableError: a file has not the columns of the contract, or cannot be read.
        """
        hint = _WITHOUT if len(files) > 1 else ""
        return [part for place, file in enumerate(files) for part in self._cut(place, file, rows, hint)]

    def _cut(self, place: int, file: InputFile, rows: int, hint: str) -> Iterator[Partition]:
        name = self.path(file)
        with self._reading(name, hint), self._opened(file) as source:
            if file.format == CSV:
                header = delimited.header(source, self._known, name)
                demand(self._contract, header.names, name, self._dropped)
                for text in delimited.spans(source, header.end, rows, name):
                    yield Partition(place, text.first, text.rows, text.start, text.stop)
            elif file.format == STREAM:
                stream = pa.ipc.open_stream(source)
                demand(self._contract, stream.schema.names, name, self._dropped)
                if count := sum(map(len, stream)):
                    yield Partition(place, 0, count)
            else:
                groups_of = typed.parquet_groups if file.format == PARQUET else typed.arrow_groups
                names, groups = groups_of(source)
                demand(self._contract, names, name, self._dropped)
                for span in typed.spans(groups, rows):
                    yield Partition(place, span.first, span.rows, span.start, span.stop, span.skipped)

    def read(self, file: InputFile, part: Partition) -> Iterator[Rows]:
        """The rows of a part; raises TableError if they cannot be read."""
        name = self.path(file)
        with self._reading(name), self._opened(file) as source:
            if file.format == CSV:
                yield from self._texts(source, part, name)
                return
            span = typed.Span(part.first, part.rows, part.start, part.stop, part.skipped)
            batches = _READERS[file.format](source, span, self._names, self._batch)
            yield from _placed(batches, part, self._batch)

    def _texts(self, source: Any, part: Partition, name: str) -> Iterator[Rows]:
        header = delimited.header(source, self._known, name)
        span = delimited.Span(part.start, part.stop, part.first, part.rows)
        read = delimited.read(source, header, span, name)
        table = read.table.select(self._names(read.table.schema.names)).combine_chunks()
        ragged, done = read.ragged, 0
        for batch in table.to_batches(max_chunksize=self._batch):
            yield Rows(batch, read.places[done : done + len(batch)], ragged)
            ragged, done = {}, done + len(batch)
        if ragged:  # there are no other rows
            yield Rows(pa.RecordBatch.from_pylist([], table.schema), read.places, ragged)

    def _names(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self._known and name not in self._dropped.names]

    @contextlib.contextmanager
    def _reading(self, name: str, hint: str = "") -> Iterator[None]:
        """Errors of a file that is read, as sentences with a hint after them."""
        try:
            yield
        except BoxwoodError:
            raise
        except (*failures(self.files), pa.ArrowException, ValueError) as error:
            raise TableError(f"{name} cannot be read: {str(error).rstrip('.')}.{hint}") from error

    def path(self, file: InputFile) -> str:
        """The path of a file."""
        return f"{self.root.rstrip('/')}/{file.path}"

    def _opened(self, file: InputFile) -> Any:
        path = self.path(file)
        if file.format == CSV:
            return self.files.open(path, "rb", block_size=_BUFFER)
        if is_local(self.files):
            return pa.OSFile(path)
        return pa.fs.PyFileSystem(pa.fs.FSSpecHandler(self.files)).open_input_file(path)


def _is_hidden(below: str) -> bool:
    return any(name.startswith(("_", ".")) for name in below.split("/"))


def _format(name: str, start: bytes, hint: str) -> str:
    """The format of a file by its first bytes, or of a text by its name."""
    for magic, found in _MAGIC:
        if start.startswith(magic):
            return found
    suffix = "." + name.rpartition(".")[2].lower()
    if _SUFFIXES.get(suffix) == CSV:
        return CSV
    raise TableError(
        f"{name} is no table that is read here: Parquet, Arrow (file or stream), or CSV (.csv, .tsv, .txt, and not "
        f"compressed).{hint}"
    )


_READERS = {PARQUET: typed.parquet, ARROW: typed.arrow, STREAM: typed.stream}


def _placed(batches: Iterator[pa.RecordBatch], part: Partition, most: int) -> Iterator[Rows]:
    """The batches in pieces of so many rows at most, with the places of these."""
    done = part.first
    for batch in batches:
        for start in range(0, len(batch), most):
            piece = batch.slice(start, most)
            yield Rows(piece, np.arange(done, done + len(piece)), {})
            done += len(piece)
