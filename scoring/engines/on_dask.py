"""Partitions on Dask: a task each, on whichever worker is free."""

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError

from distributed import Client, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import StoreError, TableError

_TRIES = 3
"""How often a partition is tried again where writing it failed."""


def scored(scheduler: str, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """Score partitions; see `Engine.scored`. `scheduler` is Dask's, as tcp://host:8786."""
    try:
        with Client(scheduler) as client:
            tasks = client.map(job.on_one_core, numbers, pure=False, retries=_TRIES)
            for task in as_completed(tasks):
                yield task.result()
    except KilledWorker as error:
        raise StoreError(
            f"Dask's workers ended before a partition did, {_TRIES} times and more, as where memory is short (--rows). "
            "The same command goes on."
        ) from error
    except (CancelledError, CommClosedError, OSError, TimeoutError) as error:  # as each way to lose it is called
        raise StoreError(f"Dask's scheduler at {scheduler} is not there: {error}. The same command goes on.") from error
