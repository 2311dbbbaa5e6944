"""Records of the journal, wherever its lines lie: in files of the service, or in a bucket that Cloud Logging fills."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from model.record import EVENT, Record
from storage.place import opened
from validation.errors import StoreError

ADDRESS = "BOXWOOD_JOURNAL"
DEFAULT = "stores/journal"
_SUFFIXES = (".jsonl", ".json")
"""Of the service's files, and of those that Cloud Logging writes each hour."""
_ENDED_SECONDS = 86_400
"""A file that nobody has written to for so long gets no more lines: the service begins another each day."""
_PART_BYTES = 8 << 20
"""How much of a file is held at once."""


class _Entry(msgspec.Struct, rename={"payload": "jsonPayload"}):
    """Cloud Logging's LogEntry; its agent moves a line's `time` to `timestamp`."""

    payload: dict[str, Any]
    timestamp: str = ""


_record = msgspec.json.Decoder(Record).decode
_entry = msgspec.json.Decoder(_Entry).decode


@dataclass
class Skipped:
    """Lines that are no records.

    Attributes:
        torn: no JSON: a crash cut them off.
        foreign: other lines of a structured log, and records that this code cannot read.
    """

    torn: int = 0
    foreign: int = 0


class Part(NamedTuple):
    """Whole lines of a file.

    Attributes:
        source: the file.
        start, end: where they begin and end in it, in bytes.
        records: what they say.
    """

    source: str
    start: int
    end: int
    records: list[Record]


@dataclass
class Journal:
    """A journal to read.

    Attributes:
        address: a folder or a prefix, at any address that fsspec knows.
        skipped: what was met so far and is no record.
    """

    address: str
    skipped: Skipped = field(default_factory=Skipped)

    def sizes(self) -> dict[str, int]:
        """How many bytes each of its files has, by path; raises StoreError."""
        files, root = opened(self.address)
        try:
            files.invalidate_cache()
            found = files.find(root, detail=True)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"The journal {self.address} cannot be listed: {error}.") from error
        return {str(path): int(each["size"]) for path, each in found.items() if str(path).endswith(_SUFFIXES)}

    def parts(self, read: Mapping[str, int]) -> Iterator[Part]:
        """What was written since, file by file.

        A line whose end is not written yet is left for the next time, until the file gets no more lines.

        Args:
            read: up to which byte each file was read.

        Raises:
            StoreError: a file cannot be read. One that was removed meanwhile is passed over.
        """
        files, _ = opened(self.address)
        for path, size in sorted(self.sizes().items()):
            start = read.get(path, 0)
            start = start if start <= size else 0  # another file has that name now
            if start == size:
                continue
            try:
                with files.open(path, "rb") as file:
                    file.seek(start)
                    yield from self._of_file(files, path, start, file)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"{path} cannot be read: {error}.") from error

    def _of_file(self, files: Any, path: str, start: int, file: Any) -> Iterator[Part]:
        rest = b""
        while more := file.read(_PART_BYTES):
            whole, newline, rest = (rest + more).rpartition(b"\n")
            if newline:
                yield self._part(path, start, whole + newline)
                start += len(whole) + 1
        if rest and (_is_whole(rest) or _is_ended(files, path)):
            yield self._part(path, start, rest)

    def _part(self, path: str, start: int, lines: bytes) -> Part:
        records = [record for line in lines.split(b"\n") if line.strip() and (record := self._read(line)) is not None]
        return Part(path, start, start + len(lines), records)

    def _read(self, line: bytes) -> Record | None:
        try:
            record = _decoded(line)
        except msgspec.ValidationError:
            record = None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.skipped.torn += 1
            return None
        if record is None or record.event != EVENT:
            self.skipped.foreign += 1
            return None
        return record


def _decoded(line: bytes) -> Record:
    try:
        return _record(line)
    except msgspec.ValidationError:
        entry = _entry(line)
    return msgspec.convert({"time": entry.timestamp, **entry.payload}, Record)


def _is_whole(line: bytes) -> bool:
    """Whether a last line without its end is a whole record: no beginning of a JSON object is one."""
    try:
        return _decoded(line).event == EVENT
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _is_ended(files: Any, path: str) -> bool:
    """Whether a file gets no more lines."""
    try:
        changed = files.modified(path)
    except NotImplementedError:  # of addresses that do not say so
        return False
    return bool(time.time() - changed.timestamp() > _ENDED_SECONDS)


def journal(address: str = "") -> Journal:
    """The journal at an address: `ADDRESS` of the environment, else `DEFAULT`, where none is given."""
    return Journal(address or os.environ.get(ADDRESS) or DEFAULT)
