"""The record of who moved traffic, when, from what and to what: one file an entry, which is never overwritten.

The folder may be a bucket (fsspec); with a retention policy, not even its owner can change what was written.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence

import fsspec
import msgspec

from deploy.errors import CloudError

Splits = Mapping[str, Mapping[str, int]]
"""Percent by revision, by service."""


class Entry(msgspec.Struct, frozen=True):
    """One change of traffic.

    Attributes:
        id: unique; of the rollout and its step.
        at: when. by: who. what: rollout, abort or rollback. why: in a sentence, of an abort or a rollback.
        before, after: the splits. revisions: what the revisions are (image, bento, models), by name.
    """

    id: str
    at: datetime.datetime
    by: str
    what: str
    before: Splits
    after: Splits
    revisions: Mapping[str, Mapping[str, str]]
    why: str = ""


class Ledger:
    """The entries in one folder."""

    def __init__(self, folder: str) -> None:
        """Use a folder, or a bucket as `gs://…`; it need not exist yet."""
        self._folder = folder.rstrip("/")

    def append(self, entry: Entry) -> None:
        """Write an entry, unless it exists: a continued rollout writes the same ones again. Raises CloudError."""
        try:
            files, folder = fsspec.url_to_fs(self._folder)
            path = f"{folder}/{entry.id}.json"
            if not files.exists(path):
                files.makedirs(folder, exist_ok=True)
                files.pipe_file(path, msgspec.json.encode(entry), mode="create")
        except FileExistsError:
            return
        except Exception as error:
            raise CloudError(f"The ledger at {self._folder} cannot be written: {error}") from error

    def entries(self) -> Sequence[Entry]:
        """All entries by time; raises CloudError."""
        try:
            files, folder = fsspec.url_to_fs(self._folder)
            paths = files.glob(f"{folder}/*.json") if files.exists(folder) else []
            read = [msgspec.json.decode(content, type=Entry) for content in files.cat(paths).values()] if paths else []
        except Exception as error:
            raise CloudError(f"The ledger at {self._folder} cannot be read: {error}") from error
        return sorted(read, key=lambda entry: (entry.at, entry.id))

    def on(self, day: datetime.date) -> Iterator[tuple[datetime.datetime, Entry]]:
        """What served on a day (UTC): since when, and the entry whose `after` holds from then on."""
        start = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
        end = start + datetime.timedelta(days=1)
        entries = self.entries()
        for place, entry in enumerate(entries):
            until = entries[place + 1].at if place + 1 < len(entries) else None
            if entry.at < end and (until is None or until > start):
                yield max(entry.at, start), entry
