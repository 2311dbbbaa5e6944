"""python -m monitoring compact: the journal as Parquet, a folder a day, in the watch store.

A file of the store is named for the part of the journal that it was made of, and what was read is noted after it was
written. So a run that was killed, or two at once, write some records twice under different names at worst, and none
is lost; `monitoring.journal.load` takes each once.
"""

import datetime
import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import pandas as pd

from model.record import Record
from monitoring.journal import (
    KEYS,
    PREDICTION,
    PREDICTION_ID,
    ROLE,
    ROW,
    SCORES,
    TIME,
    VERSION,
    day_folder,
)
from monitoring.lines import Journal, Part
from monitoring.store import Store
from validation.errors import StoreError

NOTES = "_journal"
"""The folder of the store that says what was read; no model is called so."""
_KEPT_DAYS = 100
"""How long a file that is gone is remembered: the service keeps none so long."""
_encode = msgspec.json.Encoder().encode


class _Read(msgspec.Struct):
    """Up to which byte a file was read, and the day on which it was last there."""

    bytes: int
    seen: str


@dataclass
class Compacted:
    """What a run did.

    Attributes:
        files: how many files of the journal there are.
        records: how many records were new, by model.
        torn, foreign: lines that were passed over, see `lines.Skipped`.
        unreadable: records whose time is none.
    """

    files: int
    records: dict[str, int]
    torn: int = 0
    foreign: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        new = ", ".join(f"{count:,} of {model}" for model, count in sorted(self.records.items())) or "none"
        told = f"{self.files:,} journal file{'s' if self.files != 1 else ''}; new records: {new}"
        passed = {"torn lines": self.torn, "lines of others": self.foreign, "records without a time": self.unreadable}
        return told + "".join(f"; {count:,} {what} passed over" for what, count in passed.items() if count) + "."


def compact(journal: Journal, store: str = "") -> Compacted:
    """Bring what is new in a journal into the watch store.

    Args:
        journal: where the service writes; it may be writing.
        store: the address of the watch store, see `Store`.

    Raises:
        StoreError: the journal cannot be read or the store not be written; what was done until then stays.
    """
    notes = _Notes(Store(NOTES, store))
    sizes = journal.sizes()
    notes.see(sizes)
    done = Compacted(len(sizes), defaultdict(int))
    for part in journal.parts({path: each.bytes for path, each in notes.read.items()}):
        for (model, day), records in _by_day(part.records, done).items():
            Store(model, store).write_table(f"{day_folder(day)}/{_name(part)}.parquet", _table(records))
            done.records[model] += len(records)
        notes.note(part)
    done.torn, done.foreign = journal.skipped.torn, journal.skipped.foreign
    return done


class _Notes:
    """Up to where the journal was read."""

    _name = "read.json"

    def __init__(self, store: Store) -> None:
        self._store = store
        self._today = datetime.datetime.now(datetime.UTC).date()
        content = store.read(self._name)
        try:
            self.read = {} if content is None else msgspec.json.decode(content, type=dict[str, _Read])
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{NOTES}/{self._name} of {store.address} is damaged: {error}. Remove it: the journal is then read "
                "from its beginning, and no record counts twice."
            ) from error

    def see(self, paths: Collection[str]) -> None:
        """Forget files that are gone for long."""
        oldest = (self._today - datetime.timedelta(days=_KEPT_DAYS)).isoformat()
        for path in paths:
            if path in self.read:
                self.read[path].seen = self._today.isoformat()
        self.read = {path: each for path, each in self.read.items() if each.seen >= oldest}

    def note(self, part: Part) -> None:
        """Write that a part was read."""
        self.read[part.source] = _Read(part.end, self._today.isoformat())
        self._store.write_bytes(self._name, msgspec.json.encode(self.read))


def _by_day(records: Collection[Record], done: Compacted) -> dict[tuple[str, datetime.date], list[Record]]:
    found: dict[tuple[str, datetime.date], list[Record]] = defaultdict(list)
    for record in records:
        try:
            instant = datetime.datetime.fromisoformat(record.time)
        except ValueError:
            done.unreadable += 1
            continue
        instant = instant if instant.tzinfo else instant.replace(tzinfo=datetime.UTC)
        found[record.model, instant.astimezone(datetime.UTC).date()].append(record)
    return found


def _name(part: Part) -> str:
    source = hashlib.blake2b(part.source.encode(), digest_size=8).hexdigest()
    return f"{source}-{part.start:012d}-{part.end:012d}"


def _table(records: Collection[Record]) -> pd.DataFrame:
    """Records as the store has them; versions differ in their columns, so rows stay JSON."""
    columns = {
        TIME: pd.to_datetime([record.time for record in records], utc=True, format="ISO8601").as_unit("us"),
        VERSION: [record.version for record in records],
        PREDICTION_ID: [record.prediction_id for record in records],
        ROLE: [str(record.role) for record in records],
        PREDICTION: [_encode(record.prediction).decode() for record in records],
        SCORES: [record.scores for record in records],
        KEYS: [_encode(record.keys).decode() for record in records],
        ROW: [_encode(record.row).decode() for record in records],
    }
    return pd.DataFrame(columns)
