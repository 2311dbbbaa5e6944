"""Partitions on Spark: a task each, on whichever executor is free."""

import contextlib
import functools
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from scoring.job import Job
from scoring.manifest import Done
from validation.errors import BoxwoodError, SettingsError, StoreError, TableError

_PROJECT = Path(__file__).parents[2]
_TRIES = 3
"""How often a partition is tried where writing it failed."""
_PORT, _PATIENCE = 7077, 10.0
"""Of a master, and the seconds in which it should answer: Spark tries for a minute and writes pages meanwhile."""
_JAVA = (
    "Spark needs Java 17 or newer (on Debian 12: apt-get install openjdk-17-jre-headless), in JAVA_HOME or the PATH."
)


def demand(master: str) -> None:
    """Raise SettingsError where there is no Java, and StoreError where a master of Spark's own does not answer."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(str(Path(home, "bin/java")) if home else "java"):
        raise SettingsError(f"{_JAVA} JAVA_HOME is {home}, where there is none." if home else _JAVA)
    if not master.startswith("spark://"):
        return
    errors = [_unanswered(place) for place in master.removeprefix("spark://").split(",")]
    if all(errors):
        raise StoreError(f"No master of Spark is at {master}: {errors[0]}. Start it, and the same command goes on.")


def _unanswered(place: str) -> str:
    """Why nothing answers at host:port; empty where something does."""
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host.strip("[]") or place, int(port) if host else _PORT), _PATIENCE).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


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
    """What Spark says, without where in its code."""
    if "JAVA_GATEWAY_EXITED" in str(error):  # before it could say anything itself
        return f"its Java ended at once. {_JAVA[:-1]}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    # "An error occurred while calling …" is Py4J's, and Java's own error is the line below it
    return next((line.removeprefix(": ") for line in lines if line.startswith(": ")), lines[0]).rstrip(".")
