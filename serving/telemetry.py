"""What the service tells Prometheus, summed over its workers.

BentoML's supervisor sets the folder through which prometheus-client's workers share their counts, so nothing here may
be made before a worker runs: `instruments` makes it at first use.
"""

import asyncio
import collections
import functools
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    multiprocess,
    values,
)

from validation.errors import CallerLeft, RequestError

MEDIA_TYPE = CONTENT_TYPE_LATEST
OK = "ok"
CANCELLED = CallerLeft.kind
FAILED = "failed"
_MODEL = ("model", "version")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Instruments(NamedTuple):
    """Every metric of the service."""

    requests: Counter
    seconds: Histogram
    batch_rows: Histogram
    waiting_rows: Gauge
    unseen: Counter
    warm_up: Gauge


@functools.cache
def instruments() -> Instruments:
    """The metrics of this process."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        process = os.getpid()  # by itself the client asks for it, a system call, at each count; workers do not fork
        _forget_the_dead(process)
        values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
    requests = ("transport", "verb", *_MODEL)
    return Instruments(
        Counter(
            "boxwood_requests",
            "Requests by how they ended: ok, cancelled, or the kind of the error.",
            (*requests, "outcome"),
        ),
        Histogram(
            "boxwood_request_seconds",
            "Time from the request's head until its answer is made.",
            requests,
            buckets=_SECONDS,
        ),
        Histogram("boxwood_batch_rows", "Rows that were predicted together.", _MODEL, buckets=_ROWS),
        Gauge(
            "boxwood_waiting_rows", "Rows let in and not answered yet.", ("verb", *_MODEL), multiprocess_mode="livesum"
        ),
        Counter(
            "boxwood_unseen_values",
            "Names that training did not see, and numbers far from all that it saw.",
            (*_MODEL, "column"),
        ),
        Gauge("boxwood_warm_up_seconds", "Time to load and prove a model.", _MODEL, multiprocess_mode="livemax"),
    )


def _forget_the_dead(process: int) -> None:
    """A worker that was killed leaves its gauges behind, and one of the same number would go on with them."""
    for file in Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("gauge_live*.db"):
        number = int(file.stem.rsplit("_", 1)[1])
        if number == process or not _runs(number):
            multiprocess.mark_process_dead(number)  # type: ignore[no-untyped-call]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


class _Workers(multiprocess.MultiProcessCollector):
    """The counts of all workers, of those too that are just making their files: such a file is empty for a moment."""

    def collect(self) -> Iterable[Metric]:
        """The sums; raises OSError for a file that cannot be read."""
        files = [str(file) for file in Path(self._path).glob("*.db") if _size(file)]
        merged: Iterable[Metric] = self.merge(files)  # type: ignore[no-untyped-call]
        return merged


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # a new worker took a dead one's away
        return 0


def exposition() -> bytes:
    """The metrics of all workers in Prometheus' text format."""
    instruments()  # a worker that nobody asked anything yet has zeros to tell
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        _Workers(registry)  # type: ignore[no-untyped-call]
    text: bytes = generate_latest(registry)
    return text


class RequestMetrics:
    """The requests to one model by one transport and verb."""

    def __init__(self, transport: str, verb: str, model: str, version: str) -> None:
        made = instruments()
        self._labels = (transport, verb, model, version)
        self._requests = made.requests
        self._seconds = made.seconds.labels(*self._labels)
        self._good = made.requests.labels(*self._labels, OK)

    def count(self, seconds: float, outcome: str = OK) -> None:
        """Count a request that took so long and ended so."""
        self._seconds.observe(seconds)
        (self._good if outcome == OK else self._requests.labels(*self._labels, outcome)).inc()


class Measurement:
    """Times and counts what happens inside it as one request, which began when this was made.

    Attributes:
        metrics: what counts it, which may be known only when it was read; None if nobody does.
        seconds: how long it took; 0 before its end.
        outcome: how it ended, in a word.
    """

    def __init__(self, metrics: RequestMetrics | None) -> None:
        self.metrics = metrics
        self.seconds = 0.0
        self.outcome = OK
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Count."""
        self.seconds = time.perf_counter() - self._started
        self.outcome = _outcome(error)
        if self.metrics is not None:
            self.metrics.count(self.seconds, self.outcome)


def _outcome(error: BaseException | None) -> str:
    """How a request ended, in a word."""
    match error:
        case None:
            return OK
        case RequestError():
            return error.kind
        case asyncio.CancelledError():
            return CANCELLED
    return FAILED


class _Distribution(Histogram):
    """A histogram that takes many values at once, at a hundredth of the cost of one after the other."""

    def observe_all(self, amounts: np.ndarray) -> None:
        """Observe amounts, shape (amounts,)."""
        if len(amounts) == 1:  # as most are, and then this is the quicker way
            self.observe(float(amounts[0]))
            return
        self._sum.inc(float(amounts.sum()))
        for place, count in enumerate(np.bincount(np.searchsorted(self._upper_bounds, amounts))):
            if count:
                self._buckets[place].inc(int(count))


class ModelMetrics:
    """What one model is doing."""

    def __init__(self, model: str, version: str, bounds: Sequence[float]) -> None:
        """Count its predictions between these bounds."""
        made = instruments()
        self._model = (model, version)
        # each model has bounds of its own, which is why no registry may know: the collector reads the workers' files
        self._predictions: _Distribution = _Distribution(
            "boxwood_prediction",
            "Predicted values between the deciles of training, or probabilities of the last class in tenths.",
            _MODEL,
            buckets=bounds,
            registry=None,
        ).labels(*self._model)
        self._unseen = made.unseen
        self.batch_rows = made.batch_rows.labels(*self._model)
        self.warm_up = made.warm_up.labels(*self._model)

    def answered(self, values: np.ndarray) -> None:
        """Count the predictions that callers get, shape (rows,)."""
        self._predictions.observe_all(values)

    def waiting(self, verb: str) -> Gauge:
        """The gauge of rows that wait for an answer of this kind."""
        return instruments().waiting_rows.labels(verb, *self._model)

    def unseen(self, columns: Sequence[str]) -> None:
        """Count the values that training did not see, by the columns that had them."""
        for column, count in collections.Counter(columns).items():
            self._unseen.labels(*self._model, column).inc(count)
