"""The audit: a line for each request, of who asked what and how it ended; never the rows, and never a key.

A request leaves a few references and goes on; a thread makes lines of them and writes them in bulk, as the journal's
does. What comes faster than it can be written is dropped and counted, and nothing here fails or delays a request.
"""

import collections
import datetime
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from serving import journal_files
from serving.journal_files import Files, Sink, StandardOutput
from serving.settings import Settings
from serving.telemetry import AuditMetrics

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
_MILLISECONDS = [f".{number:03}Z" for number in range(1_000)]
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("boxwood.audit")


class Line(NamedTuple):
    """What a request leaves; see `Access.ended`."""

    when: float
    caller: str
    labels: tuple[str, str, str, str]
    outcome: str
    rows: int
    seconds: float
    answer: Any
    """Whatever has the ids of its predictions, or the only one of them."""
    request: str | None


class Audit:
    """Writes lines to a sink; `add` belongs to the event loop, all else to one thread."""

    def __init__(self, sink: Sink) -> None:
        """Prepare it; `start` begins."""
        self._sink = sink
        self._waiting: collections.deque[Line] = collections.deque()
        self._dropped = 0
        self._told = 0
        self._logged = -_QUIET_SECONDS
        self._metrics = AuditMetrics()
        self._heads: dict[tuple[Any, ...], str] = {}
        self._second, self._instant = -1, ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end; what a sink that hangs does not take by then is lost."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def add(self, line: Line) -> None:
        """Leave a line to be written; a plain tuple of its members will do, which takes half the time to make."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(line)
        else:
            self._dropped += 1

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
        lines = []
        for place in range(count):
            lines.append(self._line(self._waiting.popleft()))
            if place % _PART == _PART - 1:
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

    def _line(self, line: Line) -> bytes:
        when, caller, labels, outcome, rows, seconds, answer, request = line
        kind = (caller, labels, outcome)
        head = self._heads.get(kind)
        if head is None:
            if len(self._heads) >= 1_000:
                self._heads.clear()
            names = ("transport", "verb", "model", "version")
            said = {"event": EVENT, "caller": caller, **dict(zip(names, labels, strict=True)), "outcome": outcome}
            head = self._heads[kind] = _encode(said)[:-1].decode()
        second = int(when)
        if second != self._second:  # most of a time is the same for all of a second
            self._second = second
            self._instant = f"{datetime.datetime.fromtimestamp(second, datetime.UTC):%Y-%m-%dT%H:%M:%S}"
        more = "" if request is None else f',"request_id":{_encode(request).decode()}'
        if type(answer) is str:
            listed = f'["{answer}"]'
        else:
            ids = _ids(answer)
            listed = '["' + '","'.join(ids[:MOST_IDS]) + '"]' if ids else "[]"
            if len(ids) > MOST_IDS:
                more += f',"prediction_count":{len(ids)}'
        instant = self._instant + _MILLISECONDS[int((when - second) * 1_000)]
        measured = f'"time":"{instant}","rows":{rows},"seconds":{seconds:.6f}'
        return f'{head},{measured},"prediction_ids":{listed}{more}}}'.encode()

    def _complain(self, event: str, error: Exception | None) -> None:
        now = time.monotonic()
        if now - self._logged >= _QUIET_SECONDS:
            self._logged = now
            _log.error(event, exc_info=error)


def _ids(answer: Any) -> list[str]:
    """The ids of the predictions in an answer, whatever its form; explanations have none."""
    predictions = getattr(answer, "predictions", None)
    if predictions is not None:
        return [prediction.prediction_id for prediction in predictions if prediction is not None]
    if isinstance(answer, list):  # of BentoML's API
        return [row["prediction_id"] for row in answer if "prediction_id" in row]
    ids: list[str] = getattr(answer, "ids", [])
    return ids


class _Files(Files):
    """Those of the audit."""

    setting = "BOXWOOD_AUDIT"


def begun(settings: Settings) -> Audit:
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
    audit = Audit(sink)
    audit.start()
    return audit
