"""Partitions on Dask: a task each, on whichever worker is free."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from distributed import Client, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import SettingsError, StoreError, TableError

_TRIES = 3
"""How often a partition is tried again where writing it failed."""


def scored(scheduler: str, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """Score partitions; see `Engine.scored`. `scheduler` is Dask's, as tcp://host:8786."""
    try:
        with _client(scheduler) as client:
            tasks = client.map(_task(job), numbers, pure=False, retries=_TRIES)
            for task in as_completed(tasks):
                yield task.result()
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"A worker of Dask does not find {error.name}: its PYTHONPATH names this project, and its environment has "
            "the project's packages (requirements/engines.txt)."
        ) from error
    except KilledWorker as error:
        raise StoreError(
            f"Dask's workers ended before a partition did, {_TRIES} times and more, as where memory is short (--rows). "
            "The same command goes on."
        ) from error
    except (CancelledError, CommClosedError, OSError, TimeoutError) as error:  # as each way to lose it is called
        raise StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. The same command goes on.") from error


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler)
    except ValueError as error:
        raise StoreError(f"{scheduler} is no address of a scheduler of Dask: {error}.") from error


def _task(job: Job) -> Callable[[int], tuple[int, Done | TableError]]:
    """What a worker runs. It is sent as it is, and the job as bytes, so that one without this project can say so.

    A worker that cannot read a task ends, and who waits for it waits on.
    """
    pickled = pickle.dumps(job)
    # without annotations, which would name this project
    return lambda number: pickle.loads(pickled).on_one_core(number)  # noqa: S301 a cluster runs whatever it is sent
