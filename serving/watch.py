"""The last verdicts on models and their metrics, as `python -m monitoring` leaves them in a folder.

    <model>/verdict.json     a document; the service knows its head only
    <model>/metrics.prom     Prometheus' text format; all families begin with boxwood_watch_

A file is read again when it was replaced. One that is damaged counts as none, and is logged once. The folder may be of
another machine's: while it hangs, what was read last is passed on.
"""

import asyncio
import concurrent.futures
import logging
import os
import re
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from model.watched import METRICS, VERDICT

_NAME = re.compile("boxwood_watch_[a-z0-9_]+")
_TYPE = "gauge"
_MOST_BYTES = 16 * 2**20
"""A larger file is damaged or no verdict; workers would hold it."""
_PATIENCE_SECONDS = 0.5
"""How long a request waits for a file: probes of readiness, which ask for a model's description, give up after 1."""
_log = logging.getLogger("boxwood.watch")
T = TypeVar("T")


class VerdictSummary(msgspec.Struct, frozen=True):
    """The head of a verdict: all that the service knows of it.

    Attributes:
        status: "ok", "changed" (in ways that do no harm), "alarm" or "too_few_rows".
        sentence: the same for people.
        made: when, RFC 3339 in UTC.
        first, last: the days that it is about, ISO 8601.
        version: of the model, which gave the answers of these days.
    """

    status: str
    sentence: str
    made: str
    first: str
    last: str
    version: str


class Verdict(msgspec.Struct, frozen=True):
    """A verdict: its head, and the whole document as it is in the file."""

    summary: VerdictSummary
    document: bytes


class Watch:
    """Passes on what is in the folder of a watch store."""

    def __init__(self, folder: str, models: Collection[str]) -> None:
        """Pass on what is said of these models.

        Args:
            folder: of the watch store; an empty text if there is none.
            models: their names.
        """
        self.folder = folder
        verdicts = {name: _File(Path(folder, name, VERDICT), _verdict) for name in models if folder}
        self._verdicts = {name: _Latest(str(file.path), file.content) for name, file in verdicts.items()}
        self._files = {name: _File(Path(folder, name, METRICS), _families) for name in models if folder}
        self._metrics = _Latest(f"{METRICS} of {folder}", self._exposition)

    async def verdict(self, model: str, version: str = "") -> Verdict | None:
        """The last verdict on a model, if it is on this version of it; None if there is none that can be read."""
        latest = self._verdicts.get(model)
        last = None if latest is None else await latest.value()
        return None if last is None or version not in ("", last.summary.version) else last

    def why_none(self, model: str, version: str = "") -> str:
        """A sentence that says why there is no verdict, and what to do."""
        if not self.folder:
            return (
                f"Nobody watches '{model}' here: start the service with BOXWOOD_WATCH, the folder of the watch store, "
                "and with BOXWOOD_JOURNAL, so that there is something to judge."
            )
        of_version = f" in version '{version}'" if version else ""
        return (
            f"There is no verdict on '{model}'{of_version} yet: `make drift PROBLEM={model}` makes one of the journal."
        )

    async def exposition(self) -> bytes:
        """The metrics of all models in Prometheus' text format, each family once; a model's own samples only."""
        return (await self._metrics.value() or b"") if self._files else b""

    def _exposition(self) -> bytes:
        merged: dict[str, Metric] = {}
        for model, file in self._files.items():
            for family in file.content() or ():
                whole = merged.setdefault(family.name, Metric(family.name, family.documentation, _TYPE))
                whole.samples += [sample for sample in family.samples if sample.labels.get("model") == model]
        if not merged:
            return b""
        return generate_latest(_Collected(list(merged.values())))


class _Latest(Generic[T]):
    """What a function gives, called in a thread of its own; what it gave last, where it takes long.

    The thread is no executor's, whose others would wait behind it, and for which the process would wait at its end.
    """

    def __init__(self, name: str, read: Callable[[], T]) -> None:
        self._name, self._read = name, read
        self._reading: concurrent.futures.Future[T] | None = None
        self._hangs = False
        self._last: T | None = None

    async def value(self) -> T | None:
        """What it gives; None if it takes long, and did so from the first time on."""
        if self._reading is None or self._reading.done():
            self._reading, self._hangs = self._begun(), False
        elif self._hangs:
            return self._last
        reading = self._reading
        await asyncio.wait([asyncio.wrap_future(reading)], timeout=_PATIENCE_SECONDS)
        if reading.done():
            return reading.result()
        if not self._hangs:
            self._hangs = True
            _log.warning("%s takes long to be read; until then the last that was read is passed on", self._name)
        return self._last

    def _begun(self) -> "concurrent.futures.Future[T]":
        reading: concurrent.futures.Future[T] = concurrent.futures.Future()
        reading.set_running_or_notify_cancel()  # nobody who leaves cancels it for the others

        def read() -> None:
            try:
                self._last = self._read()
                reading.set_result(self._last)
            except Exception as error:  # noqa: BLE001  # whoever waits gets it
                reading.set_exception(error)

        threading.Thread(target=read, name="watch", daemon=True).start()
        return reading


class _File(Generic[T]):
    """A file that is replaced from time to time, and what was read from it last."""

    def __init__(self, path: Path, read: Callable[[bytes], T]) -> None:
        self.path = path
        self._read = read
        self._last: tuple[tuple[int, int, int] | None, T | None] = None, None

    def content(self) -> T | None:
        """What is in it; None if it is not there, or damaged."""
        state, content = self._last
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                now = status.st_mtime_ns, status.st_ino, status.st_size
                if now != state:
                    content = self._parsed(file.read(_MOST_BYTES + 1))
                    self._last = now, content
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                _log.warning("%s cannot be read: %s", self.path, error)
            return None
        return content

    def _parsed(self, content: bytes) -> T | None:
        try:
            if len(content) > _MOST_BYTES:
                raise ValueError(f"it has more than {_MOST_BYTES} bytes")
            return self._read(content)
        except Exception as error:  # noqa: BLE001 whatever a parser finds wrong: the file is another program's
            _log.warning("%s is damaged and left out: %s", self.path, error)
            return None


def _verdict(content: bytes) -> Verdict:
    document: Any = msgspec.json.decode(content)  # all of it: what is passed on is to be JSON
    return Verdict(msgspec.convert(document, VerdictSummary), content)


def _families(content: bytes) -> list[Metric]:
    """The families of a text; raises ValueError where they could be mistaken for the service's or for each other."""
    families = list(text_string_to_metric_families(content.decode()))
    for family in families:
        if family.type != _TYPE or not _NAME.fullmatch(family.name):
            raise ValueError(f"{family.name} is no {_TYPE} whose name begins with boxwood_watch_")
    series = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]
    if len(set(series)) != len(series):
        raise ValueError("a series is there twice")
    return families


class _Collected(Collector):
    """Families that were collected already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """The families."""
        return self._families
