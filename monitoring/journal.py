"""Answered rows as tables: the records that `monitoring.compact` brought into the watch store, in the contract's types.

    load(store, contract, first, last, *, version=None, role="") -> pandas.DataFrame

The columns of a record are named `record.…`, and its key hashes `key.<column>`: no contract can have such names, and
one may well have an input that is called `time` or `version`.
"""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model.record import Role
from model.tabular import STORED
from model.watched import score_columns
from monitoring.store import Store
from validation.contract import Column, Contract
from validation.decode import ARRAYS
from validation.errors import StoreError
from validation.values import InvalidValue, reader

FOLDER = "predictions"
TIME, VERSION, PREDICTION_ID = "record.time", "record.version", "record.prediction_id"
ROLE, PREDICTION = "record.role", "record.prediction"
SCORES, KEYS, ROW = "record.scores", "record.keys", "record.row"
"""Columns of the store only: what a record has, as lists and as JSON."""
KEY = "key."
"""What the columns of key hashes begin with."""
_IDENTITY = [PREDICTION_ID, VERSION, ROLE]
_HASHES = 2.0**64


def day_folder(day: datetime.date) -> str:
    """Where the records of a day (UTC) lie."""
    return f"{FOLDER}/day={day.isoformat()}"


def load(
    store: Store,
    contract: Contract,
    first: datetime.date,
    last: datetime.date,
    *,
    version: str | None = None,
    role: Role | None = "",
    share: float = 1.0,
) -> pd.DataFrame:
    """The answered rows of some days, each once, the earliest first.

    Values are read by their kinds only: names that the model does not know keep their text, and numbers may be beyond
    the contract's bounds. What is no value of its column (another version had other columns) is missing.

    Args:
        store: of the model.
        contract: whose inputs to read; `Watched.columns()` of a version.
        first: the first day, in UTC.
        last: the last one, which belongs to them.
        version: only what this one answered; None for all.
        role: as `Record` has it, "" for answers of the model itself to cases; None for all.
        share: of the rows, chosen by a hash of their ids: the same ones each time, those of a smaller share among those
            of a larger one, and an answer together with that of a shadow.

    Returns:
        A frame with an index from 0, also where there are no rows:

        - the contract's inputs, in storage types as silver has them;
        - `score.0`, …: see `Predictor.scores`, float64; NaN where a version has fewer;
        - TIME (datetime64[us, UTC]), VERSION, PREDICTION_ID, ROLE (str), PREDICTION (float64 or str, as the target);
        - `key.<column>` for each key column that some record has: its hash, None where there is none.

    Raises:
        StoreError: the store cannot be read.
    """
    found = [part for day in _days(first, last) for part in _chosen(store, day, version, role, share)]
    records = pd.concat(found, ignore_index=True) if found else _nothing()
    records = records.drop_duplicates(_IDENTITY).sort_values(TIME, kind="stable", ignore_index=True)
    rows = msgspec.json.decode("[" + ",".join(records[ROW]) + "]", type=list[dict[str, Any]])
    inputs = {column.name: stored(column, [row.get(column.name) for row in rows]) for column in contract.inputs}
    return pd.DataFrame({**inputs, **_scores(records[SCORES]), **_of_record(contract, records), **_keys(records[KEYS])})


def days(store: Store) -> list[datetime.date]:
    """The days of which there are records, the earliest first; raises StoreError."""
    folders = {name.split("/")[1] for name in store.names(FOLDER, ".parquet")}
    return sorted(datetime.date.fromisoformat(folder.removeprefix("day=")) for folder in folders)


def ids(store: Store, day: datetime.date | None = None) -> Iterator[pd.DataFrame]:
    """PREDICTION_ID, VERSION, ROLE and KEYS of the records of a day, or of all; file by file; raises StoreError."""
    for name in store.names(FOLDER if day is None else day_folder(day), ".parquet"):
        yield _read(store, name, [*_IDENTITY, KEYS])


def hashed(prediction_ids: pd.Series) -> np.ndarray:
    """A number for each id, the same in every run, evenly from 0 to 2**64; uint64, shape (rows,)."""
    return np.asarray(pd.util.hash_array(prediction_ids.to_numpy(dtype=object), categorize=False))


def keys(texts: Sequence[str]) -> list[dict[str, str]]:
    """The key hashes of records, by column, from KEYS."""
    return msgspec.json.decode("[" + ",".join(texts) + "]", type=list[dict[str, str]])


def hashes(rows: pd.DataFrame) -> list[dict[str, str]]:
    """The key hashes of each row that `load` gave, by column."""
    found: list[dict[str, str]] = [{} for _ in range(len(rows))]
    for name in map(str, rows.columns):
        if name.startswith(KEY):
            for each, value in zip(found, rows[name], strict=True):
                if isinstance(value, str):
                    each[name.removeprefix(KEY)] = value
    return found


def stored(column: Column, values: Sequence[Any]) -> pd.Series:
    """Values as requests write them, in the storage type of their kind; those that are none of it are missing."""
    plain = dataclasses.replace(column, ge=None, le=None, choices=None, unseen=None)
    read = reader(plain)
    known: dict[str, Any] = {}

    def of(value: Any) -> Any:
        if type(value) is not str:
            return _value(read, value)
        if value not in known:
            known[value] = _value(read, value)
        return known[value]

    array = ARRAYS[column.kind]([None if value is None else of(value) for value in values])
    return pd.Series(array, dtype=STORED.get(column.kind, "str"))


def _value(read: Any, value: Any) -> Any:
    try:
        return read(value)
    except InvalidValue:
        return None


def _days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    return (first + datetime.timedelta(days) for days in range((last - first).days + 1))


def _chosen(
    store: Store, day: datetime.date, version: str | None, role: Role | None, share: float
) -> Iterator[pd.DataFrame]:
    for name in store.names(day_folder(day), ".parquet"):
        part = _read(store, name)
        chosen = np.full(len(part), True)
        if version is not None:
            chosen &= (part[VERSION] == version).to_numpy()
        if role is not None:
            chosen &= (part[ROLE] == role).to_numpy()
        if share < 1:
            chosen &= hashed(part[PREDICTION_ID]) < share * _HASHES
        yield part[chosen]


def _read(store: Store, name: str, columns: list[str] | None = None) -> pd.DataFrame:
    try:
        with store.open(name) as file:
            table: pd.DataFrame = pq.read_table(file, columns=columns).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{name} of {store.address} cannot be read: {error}.") from error
    return table


def _nothing() -> pd.DataFrame:
    columns = (VERSION, PREDICTION_ID, ROLE, PREDICTION, KEYS, ROW)
    table = pd.DataFrame({name: pd.Series([], dtype="str") for name in columns})
    return table.assign(**{TIME: pd.Series([], dtype="datetime64[us, UTC]"), SCORES: pd.Series([], dtype="object")})


def _scores(scores: pd.Series) -> dict[str, np.ndarray]:
    outputs = max(map(len, scores), default=0)
    values = np.full((len(scores), outputs), np.nan)
    for place, row in enumerate(scores):
        values[place, : len(row)] = row
    return dict(zip(score_columns(outputs), values.T, strict=True))


def _of_record(contract: Contract, records: pd.DataFrame) -> dict[str, pd.Series]:
    answers = msgspec.json.decode("[" + ",".join(records[PREDICTION]) + "]", type=list[float | str])
    kind = "float64" if contract.target.continuous else "str"
    return {
        **{name: records[name] for name in (TIME, VERSION, PREDICTION_ID, ROLE)},
        PREDICTION: pd.Series(answers, dtype=kind),
    }


def _keys(texts: pd.Series) -> dict[str, pd.Series]:
    hashes = keys(texts.tolist())
    names = sorted({name for each in hashes for name in each})
    return {f"{KEY}{name}": pd.Series([each.get(name) for each in hashes], dtype="object") for name in names}
