"""Partitions on Spark: a task each, on whichever executor is free."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import StoreError, TableError

_PROJECT = Path(__file__).parents[2]


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
        found = session.sparkContext.parallelize(numbers, len(numbers)).map(job.on_one_core).collect()
    except (Py4JError, PySparkException, OSError) as error:
        raise StoreError(f"Spark at {master} gave up: {_reason(error)}. The same command goes on.") from error
    finally:
        if session is not None:
            session.stop()
    yield from found


def _inherited() -> str:
    return os.environ.get("PYTHONPATH", "")


def _reason(error: Exception) -> str:
    """The last line of the trace of a Python worker, or the first of Java's."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("validation.errors.")]
    told = ours[-1].partition(": ")[2] if ours else (lines or [type(error).__name__])[0]
    return told.rstrip(".")
