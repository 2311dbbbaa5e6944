"""Partitions on Dask: a task each, on whichever worker is free."""

import contextlib
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client, Future, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import SettingsError, StoreError, TableError

_TRIES = 3
"""How often a partition is tried again where writing it failed."""
_WAIT = 30.0
"""Seconds for which there may be no worker that works: Dask itself waits for one for ever."""
_EVERY, _NAP = 1.0, 0.02
_ENDED = "The same command goes on."


def demand(scheduler: str) -> None:
    """Raise StoreError where there is no scheduler, or none with a worker; `scheduler` is as tcp://host:8786."""
    with _connected(scheduler) as client:
        watch = _Watch(client, scheduler)
        while not watch.look():
            time.sleep(_EVERY)


def scored(scheduler: str, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """Score partitions; see `Engine.scored`."""
    with _connected(scheduler) as client:
        left = len(numbers)
        found = as_completed(client.map(_task(job), numbers, pure=False, retries=_TRIES))
        watch = _Watch(client, scheduler)
        while left:
            if found.has_ready():
                yield _result(next(found), watch)
                left -= 1
            else:
                watch.look()
                time.sleep(_NAP)


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """A client of the scheduler; what Dask raises as sentences."""
    try:
        with _client(scheduler) as client:
            yield client
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"A worker of Dask does not find {error.name}: its PYTHONPATH names this project, and its environment has "
            "the project's packages (requirements/engines.txt)."
        ) from error
    except KilledWorker as error:
        raise StoreError(
            f"Dask's workers ended before a partition did, {_TRIES} times and more, as where memory is short: give "
            f"each more, or fewer threads. {_ENDED}"
        ) from error
    except (CancelledError, CommClosedError, OSError, TimeoutError) as error:  # as each way to lose it is called
        raise StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. {_ENDED}") from error


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler)
    except ValueError as error:
        raise StoreError(f"{scheduler} is no address of a scheduler of Dask: {error}.") from error


class _Watch:
    """Looks whether there is a worker that works."""

    def __init__(self, client: Client, scheduler: str) -> None:
        self._client, self._scheduler = client, scheduler
        self._looked, self._well = 0.0, time.monotonic()

    def look(self) -> bool:
        """Whether there was one at the last look, a moment ago; raises StoreError if there was none for long."""
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            self._looked = now
            known: Mapping[str, Any] = self._client.scheduler_info(n_workers=-1)
            if "workers" not in known:
                raise CommClosedError("it does not answer")
            workers = known["workers"].values()
            if any(worker.get("status") != "paused" for worker in workers):
                self._well = now
            elif now - self._well > _WAIT:
                what = "has no worker but paused ones, whose memory is nearly full," if workers else "has no worker"
                raise StoreError(
                    f"Dask's scheduler at {self._scheduler} {what} for {_WAIT:.0f} seconds. Start some (dask worker "
                    f"{self._scheduler}), or see in their logs why they ended. {_ENDED}"
                )
        return self._well >= self._looked


def _result(task: Future, watch: _Watch) -> tuple[int, Done | TableError]:
    """What came of a task that has ended; it is made again if its worker was lost with it."""
    while True:
        try:
            found: tuple[int, Done | TableError] = task.result(timeout=_EVERY)
        except TimeoutError:
            if task.status == "error":  # its own
                raise
            watch.look()
        else:
            return found


def _task(job: Job) -> Callable[[int], tuple[int, Done | TableError]]:
    """What a worker runs. It is sent as it is, and the job as bytes, so that one without this project can say so.

    A worker that cannot read a task ends, and who waits for it waits on. So would the scheduler.
    """
    pickled = pickle.dumps(job)
    # without annotations, which would name this project
    return lambda number: pickle.loads(pickled).on_one_core(number)  # noqa: S301 a cluster runs whatever it is sent
