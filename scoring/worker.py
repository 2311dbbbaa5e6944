"""A worker process of a run: what it begins with, what it is asked for, and that it ends with its parent."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Mapping

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import TableError

_job: Job
"""Of this process."""


def begin(job: Job, environment: Mapping[str, str]) -> None:
    """Begin as a worker process, which ends with its parent.

    Args:
        job: what is scored.
        environment: the parent's variables, with the keys of buckets: the process that this is a copy of may be older.
    """
    global _job  # noqa: PLW0603 a pool has no other place for what its tasks share
    parent = multiprocessing.parent_process()
    if parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the parent decides
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    os.environ.update(environment)
    _job = job


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # killed as it is: its files have no names yet


def score(number: int) -> tuple[int, Done | TableError]:
    """Score a partition in a worker process; see `Job`."""
    return _job.on_one_core(number)
