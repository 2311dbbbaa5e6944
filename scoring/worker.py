"""A worker process of a run: what it begins with, what it is asked for, and that it ends with its parent."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from scoring.manifest import Done, Plan

_work: Any = None
"""Of this process."""


def begin(bundle: Path, plan: Plan, out: str, environment: Mapping[str, str]) -> None:
    """Begin as a worker process, which ends with its parent.

    Args:
        bundle: the folder of the model.
        plan: what is scored.
        out: the address of the output.
        environment: the parent's variables, with the keys of buckets: the process that this is a copy of may be older.
    """
    global _work  # noqa: PLW0603 a pool has no other place for what its tasks share
    from scoring.work import Work  # with LightGBM, which the process of the run does without

    parent = multiprocessing.parent_process()
    if parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the parent decides
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    os.environ.update(environment)
    pa.set_cpu_count(1)
    _work = Work(bundle, plan, out)


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)  # killed as it is: its files have no names yet


def score(number: int) -> Done:
    """Score a partition in a worker process; see `Work.score`."""
    done: Done = _work.score(number)
    return done
