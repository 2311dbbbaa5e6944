"""`python -m training run`, what `make train` does: one at a time, and asked first what would fail at the end."""

import fcntl
import json
import sqlite3
import subprocess
import sysconfig
from pathlib import Path

import pytest
import sqlalchemy

from tests.project import Project, free_port
from tests.training.test_pipeline import UP_TO_DATE
from training.registry import stores
from validation.errors import StoreError


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A copy of the trained project that may be changed."""
    return trained.copy(tmp_path / "project")


def test_one_run_at_a_time(project: Project) -> None:
    with (project.folder / ".dvc/run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Another run is in progress in this folder" in project.training("run flights", fails=True)


def test_a_process_that_is_gone_holds_nothing_up(project: Project) -> None:
    """Not even one that keeps its number, as the dead do until their parent looks."""
    held = project.folder / ".dvc/tmp/rwlock"
    held.parent.mkdir(exist_ok=True)
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as dead:
        assert dead.stdout is not None
        assert dead.stdout.read() == b""  # it has ended, and nobody has looked
        entry = {"pid": dead.pid, "cmd": "dvc repro"}
        model = str(project.folder / "data/flights/trained")
        held.write_text(json.dumps({"write": {model: entry}, "read": {model: [entry]}}))
        printed = project.training("run flights")
    assert f"DVC's lock of process {dead.pid}, which is gone, was removed" in printed
    assert UP_TO_DATE in printed
    assert " test rows, errors in USD" in printed
    held.write_text('{"write": {')  # killed while it wrote
    assert UP_TO_DATE in project.training("run flights")


def test_a_server_that_is_down_is_asked_before_anything_is_trained(project: Project) -> None:
    project.change_params({"train": {"rounds": 59}})
    address = f"http://127.0.0.1:{free_port()}"
    away = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    printed = project.run("python", "-m", "training", "run", "flights", fails=True, **away)
    assert f"run flights: MLflow at {address} cannot be reached: [Errno 111] Connection refused." in printed
    assert "stage" not in printed


def test_a_folder_that_mlflow_cannot_lie_in_is_named_before_anything_is_trained(project: Project) -> None:
    packages = project.folder / "a%2Fb"
    packages.symlink_to(sysconfig.get_path("purelib"))
    from_there = {"PYTHONPATH": f"{project.environment['PYTHONPATH']}:{packages}"}
    printed = project.run("python", "-m", "training", "run", "flights", fails=True, **from_there)
    assert f"MLflow cannot work from {packages}/mlflow: a folder above it has a % in its name" in printed
    assert "stage" not in printed


def test_a_full_disk_is_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///nowhere")
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/small.db")
    too_much = sqlalchemy.text("INSERT INTO t VALUES (zeroblob(100000))")
    with engine.connect() as database:
        database.execute(sqlalchemy.text("PRAGMA max_page_count = 3"))
        database.execute(sqlalchemy.text("CREATE TABLE t (c)"))
        with pytest.raises(StoreError, match=r"The disk that holds .*stores is full"), stores.in_use():
            database.execute(too_much)
    with pytest.raises(StoreError, match="its database cannot be used: unable to open database file"), stores.in_use():
        sqlite3.connect(tmp_path / "no folder/x.db")
