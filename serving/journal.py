"""The journal: a bounded, sampled record of answered rows, written off the request path.

A request leaves references to what it holds anyway and goes on; a thread makes lines of them once a second, and writes
whole lines at once. What does not fit is dropped and counted. Nothing here fails or delays a request.
"""

import collections
import datetime
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from model.record import EVENT, EXPLORING, SHADOW, KeyHash, Record, Role
from serving import journal_files
from serving.counters import JournalMetrics
from serving.journal_entry import Entry, inputs, keys, sent
from serving.journal_files import Sink
from serving.settings import Settings
from serving.writer import Writer
from validation.decode import Decoded
from validation.table import Table
from validation.wire import Prediction

if TYPE_CHECKING:
    from model.predictor import Predictor

FLUSH_SECONDS = 1.0
"""How long an answered row may wait until it is written: what a crash loses at most."""
_APART = 4
"""Rows that are no cases have a room of their own, for a quarter of the rows that cases have: many of them cost no case
its record."""
_PART = 32
"""Rows after which the thread lets others have the interpreter: a millisecond or less."""
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("boxwood.journal")


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
            rows_per_second: the most cases that are written, and a quarter as many rows that are none; the rest is
                dropped.
            secret: what key columns are hashed with; they are left out without one.
            shadow: is asked for the same rows; its answers are written too.
            clock: seconds since 1970; what it says is written and nothing else depends on it.
        """
        self._shadow = shadow
        self._writer = Writer("journal", sink, self._flush, FLUSH_SECONDS, "journal rows", _log)
        self._share = share
        most = max(1, round(rows_per_second * FLUSH_SECONDS))
        self._most = {False: most, True: max(1, most // _APART)}  # of cases, and of rows that are none
        self._hash = KeyHash(secret)
        self._clock = clock
        self._random = random.Random()  # noqa: S311  # a sample, not a secret
        self._entries: collections.deque[Entry] = collections.deque()
        self._room = self._most.copy()
        self._dropped = self._sampled_out = 0
        self._taken = 0
        self._metrics = JournalMetrics()

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def stop(self) -> None:
        """Write what is left, and end; what a sink that hangs does not take by then is lost."""
        self._writer.stop()

    def add(
        self,
        predictor: "Predictor",
        rows: Sequence[Any] | Table,
        decoded: Decoded,
        scores: np.ndarray,
        answers: Sequence[Prediction] | Sequence[str],
        role: Role = "",
        caller: str = "",
    ) -> None:
        """Leave the good rows of an answered request to the journal; see `Entry`."""
        count, rooms, explored = len(answers), self._room, role == EXPLORING
        room = rooms[explored]
        if room <= 0:
            self._dropped += count
            return
        places = range(count) if self._share == 1.0 and count <= room else self._sampled(count, room)
        if places:
            rooms[explored] = room - len(places)
            self._entries.append(Entry(predictor, rows, decoded, scores, answers, places, self._clock(), role, caller))

    def _sampled(self, count: int, room: int) -> Sequence[int]:
        """Places of rows, evenly apart from a random start: of a long table not only the head is seen."""
        wanted = int(count * self._share + self._random.random())
        taken = min(wanted, room)
        self._sampled_out += count - wanted
        self._dropped += wanted - taken
        if not taken:
            return ()
        step = count / taken
        start = self._random.random() * step
        return [min(int(start + place * step), count - 1) for place in range(taken)]

    def _flush(self) -> None:
        """Write all entries; whatever goes wrong is counted, and the next second is another try."""
        self._taken = 0
        lines = self._lines()
        count = self._writer.write([line for line, _ in lines])
        written = sum(answered for _, answered in lines[:count])
        self._room = self._most.copy()
        dropped, self._dropped = self._dropped, 0
        sampled_out, self._sampled_out = self._sampled_out, 0
        failed = self._taken - written
        self._metrics.count(written=written, failed=failed, dropped=dropped, sampled_out=sampled_out)

    def _lines(self) -> list[tuple[bytes, bool]]:
        """A line of each record, and whether it is an answer that a caller got; without what cannot be written."""
        lines: list[tuple[bytes, bool]] = []
        for part in self._parts():
            self._taken += sum(len(entry.places) for entry in part)
            for record in self._records(part):
                try:
                    lines.append((_encode(record), record.role != SHADOW))
                except Exception as error:  # noqa: BLE001  # a caller may have sent what is no JSON
                    self._writer.lost(error)
            time.sleep(0)  # a turn for the event loop, which waits for the interpreter
        return lines

    def _records(self, part: Sequence[Entry]) -> list[Record]:
        answered = [made for entry in part for made in self._answered(entry)]
        records = [record for _, made in answered for record in made]
        if self._shadow is None:
            return records
        try:
            return records + self._shadow.records(answered)
        except Exception as error:  # noqa: BLE001  # the answers that callers got are to be written all the same
            self._writer.lost(error)
            return records

    def _answered(self, entry: Entry) -> list[tuple[Entry, list[Record]]]:
        """An entry and its records; where they cannot be made, those of each place that has one."""
        try:
            return [(entry, self._of(entry))]
        except Exception as error:  # noqa: BLE001  # a row costs no other its record
            if len(entry.places) == 1:
                self._writer.lost(error)
                return []
        return [made for place in entry.places for made in self._answered(entry._replace(places=[place]))]

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
        rows = sent(entry)
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
                keys=self._hash(sent_keys),
                role=entry.role,
                caller=entry.caller,
            )
            for place, row, sent_keys, score, answer in zip(
                places,
                inputs(predictor, rows),
                keys(predictor, rows),
                scores.tolist(),
                predictor.outcome.answers(scores),
                strict=True,
            )
        ]


def _id(answer: Prediction | str) -> str:
    return answer if isinstance(answer, str) else answer.prediction_id


def _written(when: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    instant = datetime.datetime.fromtimestamp(when, datetime.UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def begun(settings: Settings, shadow: Shadow | None = None) -> Journal | None:
    """The journal that the settings ask for, writing; None if they ask for none. Raises SettingsError."""
    if not settings.journal:
        return None
    if not settings.journal_secret:
        _log.info("keys are not recorded without BOXWOOD_JOURNAL_SECRET: true values will be joined by prediction_id")
    journal = Journal(
        journal_files.opened(settings),
        share=settings.journal_percent / 100,
        rows_per_second=settings.journal_rows_per_second,
        secret=settings.journal_secret,
        shadow=shadow,
    )
    journal.start()
    return journal
