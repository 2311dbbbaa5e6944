"""The audit: a line for each request, of who asked what and how it ended; never the rows, and never a key.

A request leaves a structure and goes on; a thread encodes and writes them in bulk, as the journal's
does. What comes faster than it can be written is dropped and counted, and nothing here fails or delays a request.
"""

import collections
import datetime
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from serving import journal_files
from serving.access.caller import Asked
from serving.counters import AuditMetrics
from serving.journal_files import Files, Sink, StandardOutput
from serving.settings import Settings
from validation.wire import Predictions

EVENT = "request"
"""What tells a line of the audit from other lines of a structured log."""
MOST_IDS = 1_000
"""The most ids of predictions in a line; the number of all of them is beside."""
FLUSH_SECONDS = 0.2
_MOST_WAITING = 100_000
_STOP_SECONDS = 3.0
_PART = 128
"""Lines after which the thread lets others have the interpreter."""
_FILE_MEGABYTES = 64
_QUIET_SECONDS = 60.0
_NO_IDS: Sequence[str] = ()
_encode = msgspec.json.Encoder().encode_lines
_log = logging.getLogger("boxwood.audit")


class Line(msgspec.Struct, tag_field="event", tag=EVENT, gc=False):
    """A line: who asked what, how it ended, how long it took in seconds, and the ids of its predictions.

    Requests that are no question have their method and path as `transport`. `prediction_count` is there where not all
    ids are.
    """

    caller: str
    transport: str
    verb: str
    model: str
    version: str
    outcome: str
    time: str
    rows: int
    seconds: float
    prediction_ids: Sequence[str]
    prediction_count: int | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


class Audit:
    """Writes lines to a sink; `add` belongs to the event loop, all else to one thread."""

    def __init__(self, sink: Sink, clock: Callable[[], float] = time.time) -> None:
        """Prepare it; `start` begins. `clock` is seconds since 1970."""
        self._clock = clock
        self._sink = sink
        self._waiting: collections.deque[Line] = collections.deque()
        self._dropped = 0
        self._told = 0
        self._logged = -_QUIET_SECONDS
        self._metrics = AuditMetrics()
        self._millisecond, self._time = -1, ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end; what a sink that hangs does not take by then is lost."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def add(
        self, asked: Asked, labels: tuple[str, str, str, str], outcome: str, seconds: float, request: str | None
    ) -> None:
        """Leave the line of a request to be written; see `Access.ended`."""
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        millisecond = int(self._clock() * 1_000)
        if millisecond != self._millisecond:  # at full load many requests have the same
            self._millisecond, self._time = millisecond, _written(millisecond)
        answer, ids = asked.answer, _NO_IDS
        count: int | UnsetType = UNSET
        if type(answer) is Predictions and len(answer.predictions) == 1:  # as most are
            ids = [answer.predictions[0].prediction_id]
        elif answer is not None:
            ids, count = _ids(answer)
        took = int(seconds * 1e6) / 1e6
        line = Line(asked.caller.id, *labels, outcome, self._time, asked.rows, took, ids, count)
        if request is not None:
            line.request_id = request
        self._waiting.append(line)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()
        self._sink.close()

    def _flush(self) -> None:
        try:
            self._sink.clean()
        except OSError as error:
            self._complain("old lines of the audit cannot be removed", error)
        lines = self._lines(len(self._waiting))
        written = self._write(lines)
        dropped = self._dropped
        self._metrics.count(written=written, failed=len(lines) - written, dropped=dropped - self._told)
        if dropped > self._told:
            self._complain("lines of the audit are lost: there are more than can be written", None)
        self._told = dropped

    def _lines(self, count: int) -> list[bytes]:
        lines: list[bytes] = []
        for first in range(0, count, _PART):
            part = [self._waiting.popleft() for _ in range(min(_PART, count - first))]
            lines += _encode(part).splitlines()
            time.sleep(0)
        return lines

    def _write(self, lines: Sequence[bytes]) -> int:
        if not lines:
            return 0
        try:
            written = self._sink.write(lines)
        except OSError as error:
            self._complain("lines of the audit are lost", error)
            return 0
        if written < len(lines):
            self._complain("lines of the audit are lost", OSError("the disk is full"))
        return written

    def _complain(self, event: str, error: Exception | None) -> None:
        now = time.monotonic()
        if now - self._logged >= _QUIET_SECONDS:
            self._logged = now
            _log.error(event, exc_info=error)


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


def _written(millisecond: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    instant = datetime.datetime.fromtimestamp(millisecond // 1_000, datetime.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{millisecond % 1_000:03}Z"


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
    audit = Audit(sink, clock)
    audit.start()
    return audit
