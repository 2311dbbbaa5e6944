"""Partitions on Dask: a task each, on whichever worker is free."""

import contextlib
import pickle
import time
from collections.abc import Callable, Iterator, Sequence

from distributed import Client

from clusters import dask
from scoring.job import Job
from scoring.manifest import Done
from validation.errors import TableError

_WAIT = 30.0
"""Seconds for which there may be no worker that works."""


def demand(scheduler: str) -> None:
    """Raise an error where there is no scheduler, or none with a worker; see `Engine.scored`."""
    with _connected(scheduler) as client:
        watch = dask.Watch(client, _WAIT)
        while not watch.look():
            time.sleep(1)


def scored(scheduler: str, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """Score partitions; see `Engine.scored`."""
    with _connected(scheduler) as client:
        tasks = client.map(_task(job), numbers, pure=False, retries=dask.TRIES)
        for _, found in dask.results(client, dict(zip(tasks, numbers, strict=True)), _WAIT):
            yield found


def _connected(scheduler: str) -> contextlib.AbstractContextManager[Client]:
    return dask.connected(scheduler, "A worker", "give each more, or fewer threads")


def _task(job: Job) -> Callable[[int], tuple[int, Done | TableError]]:
    """What a worker runs. It is sent as it is, and the job as bytes, so that one without this project can say so.

    A worker that cannot read a task ends, and who waits for it waits on. So would the scheduler.
    """
    pickled = pickle.dumps(job)
    # without annotations, which would name this project
    return lambda number: pickle.loads(pickled).on_one_core(number)  # noqa: S301 a cluster runs whatever it is sent
