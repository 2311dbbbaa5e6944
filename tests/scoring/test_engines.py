"""Spark and Dask, as real clusters of several processes: the same answers, and machines that are lost in the middle."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from model.predictor import open_predictor
from scoring.__main__ import main
from tests.project import ROOT, free_port
from tests.scoring import made
from tests.scoring.runs import contents

PYTHON = ROOT / ".venv-engines/bin/python"
PARTITIONS, ROWS = 60, 10_000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark and Dask are not here: make engines"),
]


@pytest.fixture(scope="module")
def source(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of as many partitions as a machine can be lost in the middle of, with a bad row in each."""
    path = tmp_path_factory.mktemp("engines") / "in.parquet"
    rows = made.rows(open_predictor(bundle), ROWS - 1)
    made.write(path, [*rows, {**rows[0], "duration_hours": -1.0}] * PARTITIONS)
    return path


@pytest.fixture(scope="module")
def alone(source: Path, bundle: Path) -> Path:
    """The output of this machine."""
    out = source.with_name("alone")
    assert main(["score", str(source), str(out), "--model", str(bundle), "--rows", str(ROWS)]) == 0
    return out


def scoring(
    source: Path, out: Path, bundle: Path, *engine: str, rows: str = str(ROWS), **further: str
) -> subprocess.Popen[str]:
    """A run on an engine; `further` are variables of its environment."""
    asked = [str(source), str(out), "--model", str(bundle), "--rows", rows, "--engine", *engine]
    command = [str(PYTHON), "-m", "scoring", "score", *asked]
    return subprocess.Popen(command, cwd=ROOT, env=_environment() | further, stderr=subprocess.PIPE, text=True)


def _environment() -> dict[str, str]:
    """Machines of a cluster find the project, and each other by an address of this one."""
    # Spark begins once both executors are there, however long one takes to start beside other tests
    both = {"spark.cores.max": 2, "spark.scheduler.minRegisteredResourcesRatio": 1.0}
    submit = " ".join(f"--conf {name}={value}" for name, value in both.items())
    spark = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_SUBMIT_ARGS": f"{submit} pyspark-shell"}
    return {**os.environ, "PYTHONPATH": str(ROOT), **spark}


def executors(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Those of a run on Spark."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # one of a moment
            if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in child.cmdline():
                found.append(child)
    return found


def in_the_middle(process: subprocess.Popen[str], out: Path) -> None:
    """Wait until some partitions are there; the others are not."""
    deadline = time.monotonic() + 240
    while len(list(out.glob("_done/*.json"))) < 4:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert json.loads((out / "_manifest.json").read_text())["status"] == "running"


def assert_the_same(out: Path, alone: Path) -> None:
    """The same files to the byte."""
    assert main(["verify", str(out)]) == 0
    assert contents(out) == contents(alone)


def assert_served(client: httpx.Client, source: Path, out: Path) -> None:
    """A sample of the answers is what the service says."""
    found = made.answers(out)
    places = np.random.default_rng(5).choice(len(found), 200, replace=False)
    rows = pq.read_table(source).take(found["row"].to_numpy()[places]).to_pylist()
    made.assert_served(client, rows, found.take(places))


def test_a_lost_executor_of_spark_loses_nothing(
    source: Path, alone: Path, bundle: Path, client: httpx.Client, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = scoring(source, out, bundle, "spark", "--master", "local-cluster[2,1,1024]")
    in_the_middle(process, out)
    there = executors(process)
    assert len(there) == 2
    there[0].kill()
    told = process.communicate()[1]
    assert process.returncode == 0, told
    assert_the_same(out, alone)
    assert_served(client, source, out)


@contextlib.contextmanager
def dask(folder: Path, project: bool = True) -> Iterator[tuple[str, Callable[..., subprocess.Popen[bytes]]]]:
    """The address of a scheduler, with the project or not, and what starts its processes; all end with it."""
    port, processes = free_port(), list[subprocess.Popen[bytes]]()

    def started(*arguments: str, project: bool = True) -> subprocess.Popen[bytes]:
        with (folder / f"dask-{len(processes)}.log").open("wb") as log:
            command = [str(PYTHON.with_name("dask")), *arguments, "--no-dashboard"]
            environment = _environment() if project else {**_environment(), "PYTHONPATH": ""}
            processes.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log))
        return processes[-1]

    started("scheduler", "--host", "127.0.0.1", "--port", str(port), project=project)
    try:
        yield f"tcp://127.0.0.1:{port}", started
    finally:
        for process in processes:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                child.kill()
            process.kill()
            process.wait()


def test_a_lost_worker_of_dask_loses_nothing(
    source: Path, alone: Path, bundle: Path, client: httpx.Client, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with dask(tmp_path) as (address, started):
        workers = [started("worker", address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
        process = scoring(source, out, bundle, "dask", "--scheduler", address)
        in_the_middle(process, out)
        workers[0].kill()
        told = process.communicate()[1]
        assert process.returncode == 0, told
    assert_the_same(out, alone)
    assert_served(client, source, out)


def test_dask_writes_to_the_output_of_who_asks_and_the_same_to_the_byte(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.parquet", rows[:2_010])  # the last partition has few rows
    asked = ["--explain", "--model", str(bundle), "--rows", "1000"]
    assert main(["score", str(tmp_path / "in.parquet"), str(tmp_path / "alone"), *asked]) == 0
    command = [str(PYTHON), "-m", "scoring", "score", "in.parquet", "out", *asked, "--engine", "dask", "--scheduler"]
    (tmp_path / "elsewhere").mkdir()
    with dask(tmp_path / "elsewhere") as (address, started):
        started("worker", address, "--nthreads", "1", "--no-nanny")
        subprocess.run([*command, address], cwd=tmp_path, env=_environment(), check=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_a_scheduler_of_dask_needs_no_project(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows[:2_000])
    with dask(tmp_path, project=False) as (address, started):
        started("worker", address, "--nthreads", "1", "--no-nanny")
        process = scoring(
            tmp_path / "in.parquet", tmp_path / "out", bundle, "dask", "--scheduler", address, rows="1000"
        )
        assert (process.communicate(timeout=120)[1], process.returncode) == ("", 0)
    assert main(["verify", str(tmp_path / "out")]) == 0


def test_dask_without_workers_is_not_waited_for_for_ever(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    """At the beginning nothing is written then, and in the middle the same command goes on."""
    made.write(tmp_path / "in.parquet", rows * 10)
    out = tmp_path / "out"
    with dask(tmp_path) as (address, started):
        asked = (tmp_path / "in.parquet", out, bundle, "dask", "--scheduler", address)
        process = scoring(*asked, rows="100")
        assert f"score: Dask's scheduler at {address} has had no worker for 30" in process.communicate(timeout=120)[1]
        assert process.returncode == 1
        assert not list(out.rglob("*"))
        worker = started("worker", address, "--nthreads", "1", "--no-nanny")
        process = scoring(*asked, rows="100")
        in_the_middle(process, out)
        worker.kill()
        assert (
            f"has had no worker for 30 seconds. Start some (dask worker {address})"
            in process.communicate(timeout=120)[1]
        )
    assert main(["score", str(asked[0]), str(out), "--model", str(bundle)]) == 0
    assert main(["verify", str(out)]) == 0


def test_a_worker_of_dask_without_the_project_is_said(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows[:10])
    with dask(tmp_path) as (address, started):
        # in this environment only PYTHONPATH leads to the project
        started("worker", address, "--nthreads", "1", "--no-nanny", project=False)
        process = scoring(tmp_path / "in.parquet", tmp_path / "out", bundle, "dask", "--scheduler", address)
        assert (
            "A worker of Dask does not find scoring: PYTHONPATH names this project there"
            in process.communicate(timeout=120)[1]
        )
    assert process.returncode == 1


def test_without_its_scheduler_a_run_ends_with_a_sentence_and_goes_on_here(
    source: Path, alone: Path, bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with dask(tmp_path) as (address, started):
        started("worker", address, "--nthreads", "1", "--no-nanny")
        process = scoring(source, out, bundle, "dask", "--scheduler", address)
        in_the_middle(process, out)
    told = process.communicate()[1]
    assert process.returncode == 1, told
    assert "The same command goes on" in told
    assert main(["score", str(source), str(out), "--model", str(bundle), "--rows", str(ROWS)]) == 0
    assert_the_same(out, alone)


NOTHING_THERE = [
    ("spark", ("--master", "nowhere"), {}, "Spark at nowhere gave up: "),
    ("spark", ("--master", "spark://127.0.0.1:1"), {}, "No master of Spark is at spark://127.0.0.1:1: "),
    ("spark", (), {"JAVA_HOME": "/nowhere"}, "Spark needs Java 17 or newer"),
    ("dask", ("--scheduler", "nowhere"), {}, "nowhere"),
]


@pytest.mark.parametrize(("engine", "address", "further", "sentence"), NOTHING_THERE)
def test_an_engine_that_is_not_there_is_said(
    engine: str, address: tuple[str, ...], further: dict[str, str], sentence: str, rows: list[made.Row], bundle: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    made.write(tmp_path / "in.parquet", rows)
    process = scoring(tmp_path / "in.parquet", tmp_path / "out", bundle, engine, *address, **further)
    told = process.communicate()[1]
    assert f"score: {sentence}" in told or (engine == "dask" and sentence in told)
    assert "An error occurred while calling" not in told.splitlines()[-1]
    assert process.returncode == 1
    assert (engine == "spark" and address == ("--master", "nowhere")) or not list((tmp_path / "out").rglob("*"))
