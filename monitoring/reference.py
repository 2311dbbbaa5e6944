"""The reference rows of a version: what its answers are compared with."""

import io
from pathlib import Path
from typing import NamedTuple

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model.watched import METADATA, SPLIT, Watched
from monitoring.store import Store
from validation.errors import StoreError


class Reference(NamedTuple):
    """A version, and rows that it is known to answer.

    Attributes:
        watched: the version.
        rows: the contract's inputs and target in storage types, `SPLIT`, and scores.
    """

    watched: Watched
    rows: pd.DataFrame


def load(store: Store, model: str, version: str) -> Reference:
    """The reference rows of a version, from the watch store.

    Those that training left in data/ are brought there first where they are of this version: the next training replaces
    them, while the version may go on answering.

    Raises:
        StoreError: they are in neither place, or cannot be read.
    """
    name, left = _name(version), Path("data") / model / "reference.parquet"
    of_cluster = left.with_name("cluster") / left.name
    others = []
    if (content := store.read(name)) is not None:
        kept = read(content, f"{name} of {store.address}")
        if _is_of(kept, model, version):
            return kept
        others.append(f"{name} of the watch store {store.address} is of version {kept.watched.version}")
    else:
        others.append(f"the watch store {store.address} has none")
    if (found := keep(store, version, left)) is not None:
        if _is_of(found, model, version):
            return found
        others.append(f"{left} is of version {found.watched.version}")
    if (found := keep(store, version, of_cluster)) is not None and _is_of(found, model, version):
        return found
    raise StoreError(
        f"There are no reference rows of '{model}' {version}: {', and '.join(others)}. Run this where the version was "
        f"trained, or copy the reference.parquet of that training to {name} in the store."
    )


def keep(store: Store, version: str, left: Path) -> Reference | None:
    """Put the rows that training left into the watch store, if they are of this version.

    Args:
        store: of the model.
        version: whose rows are wanted.
        left: where training wrote them.

    Returns:
        The rows at `left`, of whatever version; None if there are none.

    Raises:
        StoreError: they cannot be read, or the store not be written.
    """
    if not left.exists():
        return None
    content = left.read_bytes()
    found = read(content, str(left))
    if _is_of(found, store.model, version):
        store.write_bytes(_name(version), content)
    return found


def read(content: bytes, where: str) -> Reference:
    """Read a Parquet file of reference rows; `where` is for messages. Raises StoreError."""
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        metadata = (file.schema_arrow.metadata or {}).get(METADATA)
        if metadata is None:
            raise StoreError(f"{where} has no reference rows: its metadata do not say of which model they are.")
        watched = msgspec.json.decode(metadata, type=Watched)
        rows = file.read().to_pandas()
    except (pa.ArrowException, msgspec.DecodeError, OSError) as error:
        raise StoreError(f"{where} cannot be read as reference rows: {error}. Make it again by training.") from error
    if SPLIT not in rows:
        raise StoreError(f"{where} has no column '{SPLIT}'. Make it again by training.")
    return Reference(watched, rows)


def _name(version: str) -> str:
    return f"reference/{version}.parquet"


def _is_of(found: Reference, model: str, version: str) -> bool:
    return (found.watched.model, found.watched.version) == (model, version)
