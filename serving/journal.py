"""The journal: a bounded, sampled record of answered rows, written off the request path.

A request leaves references to what it holds anyway and goes on; a thread makes lines of them once a second, and writes
whole lines at once. What does not fit is dropped and counted. Nothing here fails or delays a request.
"""

import collections
import datetime
import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import numpy as np

from model.record import EVENT, KeyHash, Record, Role
from serving.journal_files import STANDARD_OUTPUT, Files, StandardOutput
from serving.settings import Settings
from serving.telemetry import JournalMetrics
from validation.decode import Decoded
from validation.table import Table
from validation.wire import Prediction

if TYPE_CHECKING:
    from model.predictor import Predictor

FLUSH_SECONDS = 1.0
"""How long an answered row may wait until it is written: what a crash loses at most."""
_PART = 32
"""Rows after which the thread lets others have the interpreter: a millisecond or less."""
_QUIET_SECONDS = 60.0
"""A failure that goes on is logged once in so many seconds."""
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("boxwood.journal")


class Sink(Protocol):
    """Where lines go."""

    def write(self, lines: bytes) -> None:
        """Write whole lines, all of them or none that a reader would take; raises OSError."""

    def close(self) -> None:
        """Release what is open."""


class Entry(NamedTuple):
    """What a request leaves.

    Attributes:
        predictor: what answered.
        rows: all rows of the request, as they came.
        decoded: which of them are good, and their keys.
        scores: of the good rows, shape (rows, outputs).
        answers: to them; those of a table are there as ids alone.
        places: which of the good rows to write.
        when: seconds since 1970.
        role: of what answered.
    """

    predictor: "Predictor"
    rows: Sequence[Any] | Table
    decoded: Decoded
    scores: np.ndarray
    answers: Sequence[Prediction] | Sequence[str]
    places: Sequence[int]
    when: float
    role: Role


class Shadow(Protocol):
    """What is asked for the rows that are written, beside the model that answered."""

    def records(self, answered: Sequence[tuple[Entry, Sequence[Record]]]) -> list[Record]:
        """The records of other models' answers to the same rows; does not fail."""


class Journal:
    """Writes answered rows to a sink; `add` belongs to the event loop, all else to one thread."""

    def __init__(
        self,
        sink: Sink,
        *,
        share: float = 1.0,
        rows_per_second: int = 200,
        secret: str = "",
        shadow: Shadow | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare it; `start` begins.

        Args:
            sink: where lines go.
            share: of the rows, from 0 to 1.
            rows_per_second: the most rows that are written; the rest is dropped.
            secret: what key columns are hashed with; they are left out without one.
            shadow: is asked for the same rows; its answers are written too.
            clock: seconds since 1970; what it says is written and nothing else depends on it.
        """
        self._shadow = shadow
        self._sink = sink
        self._share = share
        self._most = max(1, round(rows_per_second * FLUSH_SECONDS))
        self._hash = KeyHash(secret)
        self._clock = clock
        self._random = random.Random()  # noqa: S311  # a sample, not a secret
        self._entries: collections.deque[Entry] = collections.deque()
        self._room = self._most
        self._dropped = self._sampled_out = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._logged = -_QUIET_SECONDS
        self._metrics = JournalMetrics()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(
        self,
        predictor: "Predictor",
        rows: Sequence[Any] | Table,
        decoded: Decoded,
        scores: np.ndarray,
        answers: Sequence[Prediction] | Sequence[str],
        role: Role = "",
    ) -> None:
        """Leave the good rows of an answered request to the journal; see `Entry`."""
        count = len(answers)
        if self._room <= 0:
            self._dropped += count
            return
        places = range(count) if self._share == 1.0 and count <= self._room else self._sampled(count)
        if places:
            self._room -= len(places)
            self._entries.append(Entry(predictor, rows, decoded, scores, answers, places, self._clock(), role))

    def _sampled(self, count: int) -> Sequence[int]:
        """Places of rows, evenly apart from a random start: of a long table not only the head is seen."""
        wanted = int(count * self._share + self._random.random())
        taken = min(wanted, self._room)
        self._sampled_out += count - wanted
        self._dropped += wanted - taken
        if not taken:
            return ()
        step = count / taken
        start = self._random.random() * step
        return [min(int(start + place * step), count - 1) for place in range(taken)]

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()
        self._sink.close()

    def _flush(self) -> None:
        """Write all entries; whatever goes wrong is counted, and the next second is another try."""
        written = failed = 0
        try:
            lines = [_encode(record) for record in self._records()]
            written = len(lines)
            if lines:
                self._sink.write(b"\n".join([*lines, b""]))
        except Exception as error:  # noqa: BLE001  # of the disk, or of a value that cannot be written: no request's business
            written, failed = 0, max(written, 1)
            self._complain(error)
        self._room = self._most
        dropped, self._dropped = self._dropped, 0
        sampled_out, self._sampled_out = self._sampled_out, 0
        self._metrics.count(written=written, failed=failed, dropped=dropped, sampled_out=sampled_out)

    def _records(self) -> list[Record]:
        records: list[Record] = []
        for part in self._parts():
            answered = [(entry, self._of(entry)) for entry in part]
            records += itertools.chain.from_iterable(made for _, made in answered)
            if self._shadow is not None:
                records += self._shadow.records(answered)
            time.sleep(0)  # a turn for the event loop, which waits for the interpreter
        return records

    def _parts(self) -> Iterator[list[Entry]]:
        """The entries, `_PART` rows at a time; large ones are divided."""
        part: list[Entry] = []
        room = _PART
        while self._entries:
            entry = self._entries.popleft()
            for first in range(0, len(entry.places), _PART):
                places = entry.places[first : first + _PART]
                part.append(entry._replace(places=places))
                room -= len(places)
                if room <= 0:
                    yield part
                    part, room = [], _PART
        if part:
            yield part

    def _of(self, entry: Entry) -> list[Record]:
        """The records of an entry's places."""
        predictor, places = entry.predictor, entry.places
        when = _written(entry.when)
        scores = entry.scores if len(places) == len(entry.scores) else entry.scores[np.asarray(places)]
        keys = entry.decoded.keys
        return [
            Record(
                event=EVENT,
                time=when,
                model=predictor.name,
                version=predictor.version,
                prediction_id=_id(entry.answers[place]),
                row=row,
                scores=score,
                prediction=answer.prediction,
                keys=self._hash(keys[place]) if place < len(keys) else {},
                role=entry.role,
            )
            for place, row, score, answer in zip(
                places, inputs(predictor, sent(entry)), scores.tolist(), predictor.outcome.answers(scores), strict=True
            )
        ]

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._logged >= _QUIET_SECONDS:
            self._logged = now
            _log.error("journal rows are lost", exc_info=error)


def sent(entry: Entry) -> list[dict[str, Any]]:
    """The rows of an entry's places as the caller sent them, with their keys."""
    positions = [entry.decoded.positions[place] for place in entry.places]
    return entry.rows.rows(np.array(positions)) if isinstance(entry.rows, Table) else [entry.rows[p] for p in positions]


def _id(answer: Prediction | str) -> str:
    return answer if isinstance(answer, str) else answer.prediction_id


def inputs(predictor: "Predictor", rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model reads of rows as the caller sent them."""
    names = [column.name for column in predictor.contract.inputs]
    return [{name: row[name] for name in names if name in row} for row in rows]


def _written(when: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    instant = datetime.datetime.fromtimestamp(when, datetime.UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def begun(settings: Settings, shadow: Shadow | None = None) -> Journal | None:
    """The journal that the settings ask for, writing; None if they ask for none. Raises SettingsError."""
    if not settings.journal:
        return None
    sink: Sink = StandardOutput()
    if settings.journal != STANDARD_OUTPUT:
        sink = Files(
            Path(settings.journal),
            file_megabytes=settings.journal_file_mb,
            megabytes=settings.journal_mb,
            days=settings.journal_days,
        )
    journal = Journal(
        sink,
        share=settings.journal_percent / 100,
        rows_per_second=settings.journal_rows_per_second,
        secret=settings.journal_secret,
        shadow=shadow,
    )
    journal.start()
    return journal
