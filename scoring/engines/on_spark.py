"""Partitions on Spark: a task each, on whichever executor is free."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import BoxwoodError, StoreError, TableError

_PROJECT = Path(__file__).parents[2]
_TRIES = 3
"""How often a partition is tried where writing it failed."""


def scored(master: str, job: Job, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """Score partitions; see `Engine.scored`. `master` is Spark's, as local[2] or spark://host:7077."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = None
    try:
        session = (
            SparkSession.builder.master(master)
            .appName("boxwood scoring")
            .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(filter(None, (str(_PROJECT), _inherited()))))
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
        # one partition a task: what is lost with an executor is what it was at
        tasks = session.sparkContext.parallelize(numbers, len(numbers))
        found = tasks.map(functools.partial(_tried, job)).collect()
    except (Py4JError, PySparkException, OSError) as error:
        raise StoreError(f"Spark at {master} gave up: {_reason(error)}. The same command goes on.") from error
    finally:
        if session is not None:
            with contextlib.suppress(Py4JError, OSError):  # the driver's Java may be gone
                session.stop()
    for number, result in found:
        if isinstance(result, BoxwoodError) and not isinstance(result, TableError):
            raise result
        yield number, result


def _tried(job: Job, number: int) -> tuple[int, Done | BoxwoodError]:
    """What came of a partition. An error of ours is a value: of one that is raised Spark writes pages into its log."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(StoreError):
            return job.on_one_core(number)
    try:
        return job.on_one_core(number)
    except BoxwoodError as error:
        return number, error


def _inherited() -> str:
    return os.environ.get("PYTHONPATH", "")


def _reason(error: Exception) -> str:
    """The first line of what Spark says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")
