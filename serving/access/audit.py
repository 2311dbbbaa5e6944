"""The audit: a line for each request, of who asked what and how it ended; never the rows, and never a key.

The lines of the requests that end in one turn of the event loop are encoded together, at the end of it: so what they
are made of need not be kept, and no thread competes for the interpreter. A thread writes them. What comes faster
than it can be written is dropped and counted, and nothing here fails or delays a request.
"""

import collections
import datetime
import functools
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from serving import journal_files
from serving.access.buckets import Bucket
from serving.access.caller import ANYONE, Ended
from serving.counters import AuditMetrics
from serving.journal_files import Files, Sink, StandardOutput
from serving.settings import Settings
from serving.writer import Writer
from validation.wire import Predictions

EVENT = "request"
"""What tells a line of the audit from other lines of a structured log."""
LEFT_OUT = "requests-left-out"
"""The same of a line that counts requests without a line of their own."""
MOST_IDS = 1_000
"""The most ids of predictions in a line; the number of all of them is beside."""
STRANGERS_A_SECOND = 100
"""So many lines a second are written of requests without a good key, where one is wanted; others are counted."""
FLUSH_SECONDS = 0.2
MOST_WAITING = 32_000_000
"""So many bytes of lines wait to be written at most: those of seconds, where each request has one row."""
_FILE_MEGABYTES = 64
_NO_IDS: Sequence[str] = ()
_encoder = msgspec.json.Encoder()
_log = logging.getLogger("boxwood.audit")


class _Same(msgspec.Struct):
    """What many lines have in common: who asked what, how it ended, and when, to the millisecond.

    Requests that are no question have their method and path as `transport`.
    """

    caller: str
    transport: str
    verb: str
    model: str
    version: str
    outcome: str
    time: str


class _Line(msgspec.Struct, tag_field="event", tag=EVENT, gc=False):
    """A line: what it has in common with others, its rows, how long it took in seconds, and the ids of its predictions.

    Attributes:
        caller: the members of `_Same`, encoded, from the value of its first one on; they are written as they are.
        rows: how many it had.
        seconds: to the microsecond.
        prediction_ids: of its predictions.
        prediction_count: how many there are, where not all have their ids here.
        request_id: which its caller gave it.
    """

    caller: Raw
    rows: int
    seconds: float
    prediction_ids: Sequence[str]
    prediction_count: int | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


_CALLER = len(b'{"caller":')


class _LeftOut(msgspec.Struct, tag_field="event", tag=LEFT_OUT):
    """How many requests without a good key had no line of their own since the last of these lines."""

    requests: int
    time: str


class Audit:
    """Writes lines to a sink; `add` belongs to the event loop, all else to one thread."""

    def __init__(self, sink: Sink, clock: Callable[[], float] = time.time, *, guarded: bool = False) -> None:
        """Prepare it; `start` begins.

        Args:
            sink: where lines go.
            clock: seconds since 1970.
            guarded: whether callers have to be known, so that those who are not are strangers.
        """
        self._clock = clock
        self._writer = Writer("audit", sink, self._flush, FLUSH_SECONDS, "lines of the audit", _log)
        self._strangers = Bucket(STRANGERS_A_SECOND, STRANGERS_A_SECOND, time.monotonic()) if guarded else None
        self._blocks: collections.deque[tuple[bytes, int]] = collections.deque()
        """Lines that wait, and how many they are."""
        self._added = self._taken = 0
        """How many bytes of them began to wait, and how many do no longer; each is of one thread."""
        self._unwritten = dict.fromkeys(("dropped", "failed", "left_out"), 0)
        """Requests whose lines never waited, and why."""
        self._told = dict(self._unwritten)
        self._metrics = AuditMetrics()

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def stop(self) -> None:
        """Write what is left, and end; what a sink that hangs does not take by then is lost."""
        self._writer.stop()

    def add(self, ended: Sequence[Ended]) -> None:
        """Leave the lines of requests that ended to be written; raises nothing."""
        if self._added - self._taken >= MOST_WAITING:
            self._unwritten["dropped"] += len(ended)
            return
        if self._strangers is not None:
            ended = [one for one in ended if one[0].caller is not ANYONE or self._has_room(self._strangers)]
        if not ended:
            return
        when = _written(self._clock())
        try:
            self._leave(_lines(ended, when), len(ended))
        except Exception:  # noqa: BLE001  # who asks may be named by what is no Unicode; it costs no other its line
            for one in ended:
                self._leave_alone(one, when)

    def _has_room(self, strangers: Bucket) -> bool:
        """Whether one more line may be written of who is not known."""
        fits = strangers.take(1, time.monotonic())
        self._unwritten["left_out"] += not fits
        return fits

    def _leave_alone(self, one: Ended, when: str) -> None:
        try:
            self._leave(_lines([one], when), 1)
        except Exception as error:  # noqa: BLE001
            self._unwritten["failed"] += 1
            self._writer.lost(error)

    def _leave(self, block: bytes, lines: int) -> None:
        self._blocks.append((block, lines))
        self._added += len(block)

    def _flush(self) -> None:
        waiting = [self._blocks.popleft() for _ in range(len(self._blocks))]
        taken = sum(len(block) for block, _ in waiting)
        told, self._told = self._told, dict(self._unwritten)
        new = {outcome: number - told[outcome] for outcome, number in self._told.items()}
        if new["left_out"]:
            waiting.append((_encoder.encode(_LeftOut(new["left_out"], _written(self._clock()))), 1))
        lines = sum(count for _, count in waiting)
        written = self._writer.write([block for block, _ in waiting])
        self._taken += taken
        if new["dropped"]:
            self._writer.lost(why="there are more than can be written")
        self._metrics.count(**{**new, "written": written, "failed": new["failed"] + lines - written})


def _lines(ended: Sequence[Ended], when: str) -> bytes:
    """A block of the lines of requests; raises ValueError, or what msgspec does, for what cannot be encoded."""
    lines = []
    caller, labels, outcome, same = None, None, "", Raw()
    for asked, went, how, seconds, request in ended:
        if asked.caller is not caller or went is not labels or how is not outcome:
            caller, labels, outcome = asked.caller, went, how
            same = Raw(_encoder.encode(_Same(caller.id, *labels, outcome, when))[_CALLER:-1])
        answer, ids = asked.answer, _NO_IDS
        count: int | UnsetType = UNSET
        if type(answer) is Predictions and len(answer.predictions) == 1:  # as most are
            ids = [answer.predictions[0].prediction_id]
        elif answer is not None:
            ids, count = _ids(answer)
        line = _Line(same, asked.rows, int(seconds * 1e6) / 1e6, ids, count)
        if request is not None:
            line.request_id = request
        lines.append(line)
    return _encoder.encode_lines(lines)[:-1]


def _ids(answer: Any) -> tuple[Sequence[str], int | UnsetType]:
    """The ids of the predictions in an answer, whatever its form, and how many there are if not all are listed."""
    predictions = getattr(answer, "predictions", None)
    if predictions is not None:
        ids = [prediction.prediction_id for prediction in predictions if prediction is not None]
    elif isinstance(answer, list):  # of BentoML's API
        ids = [row["prediction_id"] for row in answer if "prediction_id" in row]
    else:  # explanations have none
        ids = getattr(answer, "ids", [])
    return ids[:MOST_IDS], UNSET if len(ids) <= MOST_IDS else len(ids)


def _written(when: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    return f"{_second(int(when))}.{int(when * 1_000) % 1_000:03}Z"


@functools.lru_cache(maxsize=2)
def _second(when: int) -> str:
    # several times as slow as all else that a turn's lines have in common
    return f"{datetime.datetime.fromtimestamp(when, datetime.UTC):%Y-%m-%dT%H:%M:%S}"


class _Files(Files):
    """Those of the audit."""

    setting = "BOXWOOD_AUDIT"


def begun(settings: Settings, clock: Callable[[], float] = time.time) -> Audit:
    """The audit that the settings ask for, writing; raises SettingsError."""
    sink: Sink = (
        StandardOutput()
        if settings.audit == journal_files.STANDARD_OUTPUT
        else _Files(
            Path(settings.audit),
            file_megabytes=_FILE_MEGABYTES,
            megabytes=settings.audit_mb,
            days=settings.audit_days,
            workers=settings.workers,
        )
    )
    audit = Audit(sink, clock, guarded=settings.guarded)
    audit.start()
    return audit
