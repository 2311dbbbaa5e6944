"""The service's metrics for Prometheus, summed over its workers.

The supervisor sets the folder in which the workers of prometheus-client share their values, so no metric may be created
before a worker runs: `instruments` creates them at first use.
"""

import asyncio
import bisect
import collections
import functools
import math
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

from model.bundle import Bundle
from validation.errors import CallerLeft, RequestError

MEDIA_TYPE = CONTENT_TYPE_LATEST
OK = "ok"
CANCELLED = CallerLeft.kind
FAILED = "failed"
_MODEL = ("model", "version")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FEW = 24
"""Up to so many amounts are quicker to count one by one."""
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_JOURNAL = (
    "Answered rows by what became of them in the journal: written, sampled_out (there is to be a share only), "
    "dropped (more than it takes a second) or failed (they could not be written)."
)
_REFUSALS = "Requests for a challenger that it refused or failed at, so that the champion answered them."
_SHADOW = "Rows that a shadow was asked for: answered, refused (they do not satisfy its contract) or failed."

_HANDSHAKES = (
    "TLS handshakes over HTTP by how they ended: done, failed, unfinished (the client left or took too long) or "
    "refused (too many were under way)."
)
_AUDIT = (
    "Lines of the audit by what became of them: written, left_out (of requests without a good key, above the budget), "
    "dropped (too many waited) or failed (they could not be written)."
)


class _Distribution(Histogram):
    """A histogram that takes many values at once, at a hundredth of the cost of single calls."""

    def observe_all(self, amounts: np.ndarray) -> None:
        """Observe amounts, shape (amounts,)."""
        if len(amounts) == 1:  # as most are, and then this is the quicker way
            self.observe(float(amounts[0]))
            return
        if len(amounts) <= _FEW:
            self._observe_few(amounts.tolist())
            return
        amounts = amounts[~np.isnan(amounts)]  # in no bucket, and the sum would be none for ever
        self._sum.inc(float(amounts.sum()))
        for place, count in enumerate(np.bincount(np.searchsorted(self._upper_bounds, amounts))):
            if count:
                self._buckets[place].inc(int(count))

    def _observe_few(self, amounts: list[float]) -> None:
        """The same, for which NumPy would take longer."""
        known = [amount for amount in amounts if not math.isnan(amount)]
        self._sum.inc(sum(known))
        places = [bisect.bisect_left(self._upper_bounds, amount) for amount in known]
        for place in set(places):
            self._buckets[place].inc(places.count(place))


class Instruments(NamedTuple):
    """Every metric of the service."""

    requests: Counter
    seconds: _Distribution
    batch_rows: Histogram
    waiting_rows: Gauge
    unseen: Counter
    warm_up: Gauge
    journal_rows: Counter
    challenger_refusals: Counter
    shadow_rows: Counter
    caller_requests: Counter
    caller_rows: Counter
    audit_lines: Counter
    handshakes: Counter


@functools.cache
def instruments() -> Instruments:
    """The metrics of this process."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        process = os.getpid()  # the client would call getpid at each count; workers do not fork
        _remove_dead_workers(process)
        values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
    requests = ("transport", "verb", *_MODEL)
    return Instruments(
        Counter(
            "boxwood_requests",
            "Requests by how they ended: ok, cancelled, or the kind of the error.",
            (*requests, "outcome"),
        ),
        _Distribution(
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
        Counter("boxwood_journal_rows", _JOURNAL, ("outcome",)),
        Counter("boxwood_challenger_refusals", _REFUSALS, _MODEL),
        Counter("boxwood_shadow_rows", _SHADOW, (*_MODEL, "outcome")),
        Counter(
            "boxwood_caller_requests", "Requests by the id of who asked and how they ended.", ("caller", "outcome")
        ),
        Counter("boxwood_caller_rows", "Rows that were asked for, by the id of who asked.", ("caller",)),
        Counter("boxwood_audit_lines", _AUDIT, ("outcome",)),
        Counter("boxwood_tls_handshakes", _HANDSHAKES, ("outcome",)),
    )


def _remove_dead_workers(process: int) -> None:
    """Remove the gauges of workers that were killed: a new one with the same process id would go on with them."""
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
    """The metrics of all workers; a file that a starting worker has just created is still empty, and skipped."""

    def collect(self) -> Iterable[Metric]:
        """Sum them; raises OSError for a file that cannot be read."""
        files = [str(file) for file in Path(self._path).glob("*.db") if _size(file)]
        merged: Iterable[Metric] = self.merge(files)  # type: ignore[no-untyped-call]
        return merged


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # a new worker removed the file of a dead one
        return 0


def exposition() -> bytes:
    """The metrics of all workers in Prometheus' text format."""
    instruments()  # a worker without a request yet reports zeros
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        _Workers(registry)  # type: ignore[no-untyped-call]
    text: bytes = generate_latest(registry)
    return text


class RequestMetrics:
    """The requests to one model by one transport and verb."""

    def __init__(self, transport: str, verb: str, model: str, version: str) -> None:
        shared = instruments()
        self.labels = (transport, verb, model, version)
        self._requests = shared.requests
        self._seconds: _Distribution = shared.seconds.labels(*self.labels)
        self._good = shared.requests.labels(*self.labels, OK)
        self._waiting: list[float] = []

    def count(self, seconds: float, outcome: str = OK) -> None:
        """Count a request that took so long and ended so; good ones together, once this turn of the loop is over."""
        if outcome != OK:
            self._seconds.observe(seconds)
            self._requests.labels(*self.labels, outcome).inc()
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._count)
        self._waiting.append(seconds)

    def _count(self) -> None:
        seconds, self._waiting = self._waiting, []
        self._seconds.observe_all(np.array(seconds))
        self._good.inc(len(seconds))


class Measurement:
    """A context manager that times and counts one request, which began when this object was created.

    Attributes:
        metrics: counts the request; may be set once the request was read. None to count nothing.
        seconds: its duration; 0 until it has ended.
        outcome: how it ended, in a word.
    """

    __slots__ = ("_started", "metrics", "outcome", "seconds")

    def __init__(self, metrics: RequestMetrics | None) -> None:
        self.metrics = metrics
        self.seconds = 0.0
        self.outcome = OK
        self._started = time.perf_counter()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Count."""
        self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Count a request that ended with an error, or well."""
        self.seconds = time.perf_counter() - self._started
        if error is not None:
            self.outcome = _outcome(error)
        if self.metrics is not None:
            self.metrics.count(self.seconds, self.outcome)


def _outcome(error: BaseException) -> str:
    """How a request ended, in a word."""
    match error:
        case RequestError():
            return error.kind
        case asyncio.CancelledError():
            return CANCELLED
    return FAILED


def bounds(opened: Bundle) -> Sequence[float]:
    """The bounds of the histogram of predictions: the deciles of the target in training, or tenths of a probability."""
    target = opened.model.problem.contract.target
    deciles = opened.reference.deciles(target) if target.continuous else ()
    return sorted(set(deciles)) or [tenth / 10 for tenth in range(1, 10)]


class ModelMetrics:
    """What one model is doing."""

    def __init__(self, model: str, version: str, bounds: Sequence[float]) -> None:
        """Count its predictions between these bounds."""
        shared = instruments()
        self._model = (model, version)
        # in no registry, since each model has its own bounds; the collector reads it from the workers' files
        self._predictions: _Distribution = _Distribution(
            "boxwood_prediction",
            "Predicted values between the deciles of training. Of two classes the probability of the last one, of "
            "several that of the most probable one, in tenths.",
            _MODEL,
            buckets=bounds,
            registry=None,
        ).labels(*self._model)
        self._unseen = shared.unseen
        self.batch_rows = shared.batch_rows.labels(*self._model)
        self.warm_up = shared.warm_up.labels(*self._model)

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
