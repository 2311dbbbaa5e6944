"""The watch store: what is kept of a model's answers, at any address that fsspec knows.

    <model>/predictions/day=2026-11-30/*.parquet    answers, from the journal
    <model>/outcomes/*.parquet                      true values
    <model>/outcomes_refused/*.parquet              rows that told none, and why
    <model>/reference/<version>.parquet             rows to compare with
    <model>/runs/<id>.json                          retraining runs
    <model>/verdict.json, report.html, metrics.prom the last verdict
    _journal/read.json                              up to where the journal was read

Files appear whole or not at all: a local one under another name first, one of a bucket in one request, or in parts that
the bucket joins.
"""

import os
import secrets
from typing import Any

import fsspec
import pandas as pd

from validation.errors import StoreError

ADDRESS = "BOXWOOD_WATCH"
DEFAULT = "stores/watch"


class Store:
    """The part of a watch store that is about one model."""

    def __init__(self, model: str, address: str = "") -> None:
        """Open it; the address is `ADDRESS` of the environment where none is given. Raises StoreError."""
        self.model = model
        self.address = address or os.environ.get(ADDRESS) or DEFAULT
        try:
            self._files, root = fsspec.core.url_to_fs(self.address)
        except (ValueError, ImportError, OSError) as error:
            raise StoreError(f"The watch store {self.address} cannot be opened: {error}.") from error
        self._root = f"{root.rstrip('/')}/{model}"
        self._local = "file" in self._files.protocol

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; raises StoreError."""
        path = self._path(name)
        folder, _, file = path.rpartition("/")
        temporary = f"{folder}/.{file}.{secrets.token_hex(4)}" if self._local else path
        try:
            self._files.makedirs(folder, exist_ok=True)
            try:
                self._files.pipe_file(temporary, content)  # a stream of a bucket is kept as far as it came
                if self._local:
                    os.replace(temporary, path)  # noqa: PTH105  # both are texts, as fsspec has them
            finally:
                if self._local and self._files.exists(temporary):
                    self._files.rm(temporary)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}.") from error

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a Parquet file, whole or not at all; raises StoreError."""
        self.write_bytes(name, table.to_parquet(index=False))

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is no such file. Raises StoreError."""
        path = self._path(name)
        try:
            content: bytes = self._files.cat_file(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error}.") from error
        return content

    def open(self, name: str) -> Any:
        """A file to read, for libraries that take one; raises StoreError."""
        path = self._path(name)
        try:
            return self._files.open(path, "rb")
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error}.") from error

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """The files below a folder as paths below the model's, sorted; none if there is no such folder."""
        path = self._path(folder)
        try:
            found = self._files.find(path)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{path} cannot be listed: {error}.") from error
        below = [str(file).removeprefix(f"{self._root}/") for file in found]
        return sorted(name for name in below if name.endswith(suffix) and not name.rpartition("/")[2].startswith("."))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; raises StoreError."""
        path = self._path(name)
        try:
            self._files.rm(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{path} cannot be removed: {error}.") from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
