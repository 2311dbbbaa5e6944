"""Files of the watch store are there whole or not at all, wherever it is."""

import resource
import secrets
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from monitoring.store import Store
from validation.errors import StoreError

GOOD = pd.DataFrame({"a": [1, 2]})
BAD = pd.DataFrame({"a": pd.Series([1, "two"], dtype="object")})
"""Parquet has no column of both: found while it is written."""


@pytest.fixture(params=["folder", "memory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    addresses = {"folder": str(tmp_path / "watch"), "memory": f"memory://{secrets.token_hex(4)}"}
    address = addresses.get(request.param) or f"{request.getfixturevalue('bucket')}/stored"
    return Store("flats", address)


def test_what_is_written_is_read_and_listed_and_removed(store: Store) -> None:
    assert (store.read("a/b.json"), store.names("a")) == (None, [])
    store.write_bytes("a/b.json", b"1")
    store.write_bytes("a/b.json", b"2")
    store.write_table("a/c.parquet", GOOD)
    assert (store.read("a/b.json"), store.names("a")) == (b"2", ["a/b.json", "a/c.parquet"])
    with store.open("a/c.parquet") as file:
        pd.testing.assert_frame_equal(pd.read_parquet(file), GOOD)
    for name in ("a/b.json", "a/c.parquet", "a/c.parquet"):
        store.remove(name)
    assert store.names("a") == []


def test_a_table_that_cannot_be_written_leaves_what_was_there(store: Store) -> None:
    store.write_table("there.parquet", GOOD)
    before = store.read("there.parquet")
    for name in ("there.parquet", "new.parquet"):
        with pytest.raises(pa.ArrowException):
            store.write_table(name, BAD)
    assert store.names("") == ["there.parquet"]
    assert store.read("there.parquet") == before


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    store = Store("flats", str(tmp_path))
    store.write_bytes("a.json", b"before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))  # what a quota does
    try:
        with pytest.raises(StoreError, match=r"There is no room at .*File too large"):
            store.write_bytes("a.json", bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert store.read("a.json") == b"before"
    assert [path.name for path in (tmp_path / "flats").iterdir()] == ["a.json"]
