"""`make serve` as a newcomer types it: trains, builds, serves, and goes straight to serving the second time."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import port
from tests.project import CODE, MAKEFILES, OF_MAKE, PIPELINE, ROOT, free_port, wait_until_ready


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a folder with a blank in its name, with the environments that are there already."""
    folder = tmp_path_factory.mktemp("make") / "my project"
    for name in (*CODE, *PIPELINE, *MAKEFILES, "ui"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)  # keeps times, by which make sees that the environments are ready
        else:
            shutil.copy2(ROOT / name, target)
    for environment in (".venv", ".venv-serving"):
        (folder / environment).symlink_to(ROOT / environment)
    return folder


def environment() -> dict[str, str]:
    """That of somebody who types make."""
    # MLflow puts its address into the environment of whoever uses it
    return {name: value for name, value in os.environ.items() if name not in ("BENTOML_HOME", "MLFLOW_TRACKING_URI")}


def serve(folder: Path, row: dict[str, Any], **variables: str) -> str:
    """What `make serve` prints until it answers a row and shows its page, both of which end with it."""
    listening, page = free_port(), free_port()
    log = folder / "make.log"
    arguments = [f"{name}={value}" for name, value in variables.items()]
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "serve", f"PORT={listening}", f"UI_PORT={page}", *arguments],
            cwd=folder,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening}") as client:
            wait_until_ready(client, process, log)
            answer = client.post("/v1/models/flights:predict", json={"instances": [row]})
            assert answer.status_code == 200, answer.text
            assert client.get("/ui").headers["location"] == f"http://127.0.0.1:{page}"
        with httpx.Client(base_url=f"http://127.0.0.1:{page}") as visitor:
            wait_until_ready(visitor, process, log, "/livez")
            assert visitor.get("/").status_code == 200
    finally:
        process.terminate()
        process.wait(30)
    wait_until_free(page)
    return log.read_text()


def wait_until_free(number: int) -> None:
    """Wait until nobody listens on a port any more."""
    deadline = time.monotonic() + 30
    while port.refusal("127.0.0.1", number, ""):
        assert time.monotonic() < deadline, f"somebody still listens on {number}"
        time.sleep(0.1)


@pytest.mark.slow
def test_make_serve(clone: Path, row: dict[str, Any]) -> None:
    first = serve(clone, row)
    assert "Running stage 'train@flights'" in first
    assert "95 % bootstrap intervals" in first
    second = serve(clone, row)
    assert "Running stage" not in second
    assert "Data and pipelines are up to date." in second
    assert "bento: building" not in second
    shutil.rmtree(clone / "stores/bentoml/bentos")
    elsewhere = {
        **environment(),
        "BOXWOOD_WATCH": "gs://bucket",
        "BOXWOOD_GRPC_PORT": "no port",
    }  # of who will serve it
    built = subprocess.run(["make", "bento"], cwd=clone, env=elsewhere, capture_output=True, text=True, check=True)
    assert "Running stage" not in built.stdout
    assert "bento: building" in built.stdout


@pytest.mark.slow
def test_make_takes_any_text_as_data(clone: Path) -> None:
    for data in ("it's.csv", "x'; touch harmed; '.csv", "a b.csv", "$(HOME).csv"):
        done = subprocess.run(["make", "train", f"DATA={data}"], cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert f"{data} does not exist" in done.stderr
    assert not (clone / "harmed").exists()


def test_what_make_test_was_given_is_not_for_what_tests_make() -> None:
    """Of use where `make` runs this, as CI does: it puts PROBLEM, DATA and what was typed into the environment."""
    assert {"ARGS", "PROBLEM", "DATA", "TARGET", "IN", "OUT", "MODEL", "PORT", "TO", "MAKEFLAGS"} <= OF_MAKE
    assert not OF_MAKE & os.environ.keys()


@pytest.mark.parametrize("value", ["0", "65536", "99999", "-1", "http"])
def test_an_impossible_port_is_refused(value: str) -> None:
    assert f"PORT={value} is no port" in str(port.main("127.0.0.1", value, "PORT"))


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        assert f"Nothing can listen on 127.0.0.1:{number}" in str(port.main("127.0.0.1", str(number), "UI_PORT"))
    assert port.main("127.0.0.1", str(free_port()), "PORT") is None
