"""True values that are known, and which answered rows they are of: by `prediction_id`, or by hashes of keys.

They are kept as they came and joined when rows are read: an outcome may come before its prediction is compacted.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model.record import Role
from model.watched import HELD_OUT, SPLIT, Watched
from monitoring import journal
from monitoring.store import Store
from validation.contract import Contract, Kind
from validation.errors import StoreError

FOLDER = "outcomes"
ACTUAL = "record.actual"
"""The column of true values, missing where they have not come; reference rows have the target under its own name."""
_ID, _KEYS, _VALUE = "outcome.prediction_id", "outcome.keys", "outcome.value"
_encode = msgspec.json.Encoder(order="sorted").encode


class Identity(NamedTuple):
    """Whose true value it is.

    Attributes:
        prediction_id: of one answer; empty where keys say it.
        keys: the hashes of its keys, as (column, hash) in the order of columns.
    """

    prediction_id: str = ""
    keys: tuple[tuple[str, str], ...] = ()


Outcomes = dict[Identity, Any]
"""True values, as requests would write them; the latest last."""


def read(store: Store) -> Outcomes:
    """All true values, the later one where one was corrected; raises StoreError."""
    found: Outcomes = {}
    for name in store.names(FOLDER, ".parquet"):
        for identity, value in _of_file(store, name):
            found.pop(identity, None)
            found[identity] = value
    return found


def write(store: Store, name: str, outcomes: Mapping[Identity, Any]) -> None:
    """Add true values to those that are there, all or none; raises StoreError."""
    table = pd.DataFrame(
        {
            _ID: [identity.prediction_id for identity in outcomes],
            _KEYS: [_encode(dict(identity.keys)).decode() for identity in outcomes],
            _VALUE: [_encode(value).decode() for value in outcomes.values()],
        }
    )
    store.write_table(f"{FOLDER}/{name}.parquet", table)


class Truth:
    """Finds the true value of an answered row."""

    def __init__(self, outcomes: Outcomes) -> None:
        """Look among these."""
        self._identities = list(outcomes)
        self._values = list(outcomes.values())
        self._by_id: dict[str, int] = {}
        self._by_keys: dict[tuple[str, ...], dict[tuple[str, ...], int]] = defaultdict(dict)
        for place, (prediction_id, keys) in enumerate(self._identities):
            if prediction_id:
                self._by_id[prediction_id] = place
            else:
                columns, hashes = tuple(column for column, _ in keys), tuple(digest for _, digest in keys)
                self._by_keys[columns][hashes] = place

    def matches(self, prediction_id: str, keys: Mapping[str, str]) -> Iterator[int]:
        """The places of the outcomes of a row: that of its id first, then those of its keys, the latest first."""
        if prediction_id in self._by_id:
            yield self._by_id[prediction_id]
        by_keys = (
            hashes[tuple(keys[column] for column in columns)]
            for columns, hashes in self._by_keys.items()
            if keys.keys() >= set(columns) and tuple(keys[column] for column in columns) in hashes
        )
        yield from sorted(by_keys, reverse=True)

    def values(self, ids: Sequence[str], keys: Sequence[Mapping[str, str]]) -> list[Any]:
        """The true value of each row, None where it is not known."""
        return self.at(self.places(ids, keys))

    def at(self, places: Sequence[int | None]) -> list[Any]:
        """The true values of outcomes by their places, None for none."""
        return [None if place is None else self._values[place] for place in places]

    def places(self, ids: Sequence[str], keys: Sequence[Mapping[str, str]]) -> list[int | None]:
        """Which outcome each row has, None where it has none; rows with one place share one true value."""
        return [next(self.matches(*row), None) for row in zip(ids, keys, strict=True)]

    def knows(self, ids: pd.Series, keys: pd.Series) -> np.ndarray:
        """Whether the true value of each record is known; `journal.PREDICTION_ID` and `journal.KEYS`, shape (rows,)."""
        found = np.array([name in self._by_id for name in ids.tolist()], dtype=bool)
        if self._by_keys:  # these take longer
            hashes = journal.keys(keys.tolist())
            found |= np.array([next(self.matches("", each), None) is not None for each in hashes], dtype=bool)
        return found


def with_truth(
    store: Store,
    contract: Contract,
    first: datetime.date,
    last: datetime.date,
    *,
    version: str | None = None,
    role: Role | None = "",
    share: float = 1.0,
) -> pd.DataFrame:
    """The answered rows of some days, as `journal.load` gives them, and ACTUAL in the target's storage type.

    Args:
        store: of the model.
        contract: what to read.
        first: the first day, in UTC.
        last: the last one.
        version: as `journal.load` has it.
        role: as well.
        share: as `journal.load` has it.

    Raises:
        StoreError: the store cannot be read.
    """
    rows = journal.load(store, contract, first, last, version=version, role=role, share=share)
    return joined(rows, contract, Truth(read(store)))


def joined(rows: pd.DataFrame, contract: Contract, known: Truth) -> pd.DataFrame:
    """Rows that `journal.load` gave, and their true values as ACTUAL; for those who read many days one by one."""
    values = known.values(rows[journal.PREDICTION_ID].tolist(), journal.hashes(rows))
    return rows.assign(**{ACTUAL: journal.stored(contract.target, values)})


def held_out(contract: Contract, reference: pd.DataFrame) -> pd.DataFrame:
    """The reference rows that a model did not learn from, with their true values as ACTUAL."""
    rows = reference[(reference[SPLIT] == HELD_OUT).to_numpy()]
    return rows.assign(**{ACTUAL: rows[contract.target.name]})


def encoded(watched: Watched, actual: pd.Series) -> np.ndarray:
    """True values as losses take them: numbers, or places of classes; NaN of none that the model knows; (rows,)."""
    target = watched.columns().target
    if target.continuous:
        return actual.to_numpy(dtype=float, na_value=np.nan)
    if watched.bounds:
        numbers = actual.to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isfinite(numbers), np.searchsorted(watched.bounds, numbers, side="right"), np.nan)
    places = {name: float(place) for place, name in enumerate(watched.outcome.subjects)}
    texts = actual.astype("str").str.lower() if target.kind is Kind.FLAG else actual.astype("str")
    return texts.map(places).to_numpy(dtype=float, na_value=np.nan)


def labelled(watched: Watched, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose true value is known, and one that the model can answer."""
    return rows[np.isfinite(encoded(watched, rows[ACTUAL]))] if ACTUAL in rows else rows[:0]


def _of_file(store: Store, name: str) -> Iterator[tuple[Identity, Any]]:
    try:
        with store.open(name) as file:
            table = pq.read_table(file)
        ids, keys, values = (table.column(column).to_pylist() for column in (_ID, _KEYS, _VALUE))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise StoreError(
            f"{name} of {store.address} cannot be read: {error}. Remove it, and bring its table anew."
        ) from error
    for prediction_id, hashes, value in zip(ids, keys, values, strict=True):
        yield Identity(prediction_id, tuple(msgspec.json.decode(hashes).items())), msgspec.json.decode(value)
