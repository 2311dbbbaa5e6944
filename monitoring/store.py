"""The watch store: what is kept of a model's answers, at any address that fsspec knows.

    <model>/predictions/day=2026-11-30/*.parquet    answers, from the journal
    <model>/outcomes/*.parquet                      true values
    <model>/outcomes_refused/*.parquet              rows that told none, and why
    <model>/reference/<version>.parquet             rows to compare with
    <model>/runs/<id>.json                          retraining runs
    <model>/verdict.json, report.html, metrics.prom the last verdict
    _journal/read.json                              up to where the journal was read

Files appear whole or not at all.
"""

import os
from typing import Any

import pandas as pd

from storage.place import Place

ADDRESS = "BOXWOOD_WATCH"
DEFAULT = "stores/watch"


class Store:
    """The part of a watch store that is about one model."""

    def __init__(self, model: str, address: str = "") -> None:
        """Open it; the address is `ADDRESS` of the environment where none is given. Raises StoreError."""
        self.model = model
        self.address = address or os.environ.get(ADDRESS) or DEFAULT
        self._place = Place(f"{self.address.rstrip('/')}/{model}")

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; raises StoreError."""
        self._place.write(name, content)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a Parquet file, whole or not at all; raises StoreError."""
        self.write_bytes(name, table.to_parquet(index=False))

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is no such file. Raises StoreError."""
        return self._place.read(name)

    def open(self, name: str) -> Any:
        """A file to read, for libraries that take one; raises StoreError."""
        return self._place.open(name)

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """The files below a folder as paths below the model's, sorted; none if there is no such folder."""
        return [name for name in self._place.names(folder) if name.endswith(suffix)]

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; raises StoreError."""
        self._place.remove(name)
