"""`python -m ui`: from its start beside a service to its end, used over HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.project import ROOT, free_port, wait_until_ready
from tests.ui.over_http import Script

UI = (sys.executable, "-u", "-m", "ui")


@pytest.fixture(scope="module")
def page(client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a page that ends, and leaves nothing, when the process beside it ends."""
    folder, port = tmp_path_factory.mktemp("page"), free_port()
    temporary = folder / "temporary"
    temporary.mkdir()
    with subprocess.Popen(["sleep", "infinity"]) as beside:
        command = [*UI, "--api", str(client.base_url), "--port", str(port), "--beside", str(beside.pid)]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        with (folder / "page.log").open("w") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as connected:
                wait_until_ready(connected, process, folder / "page.log", "/livez")
                yield connected
            beside.terminate()
            beside.wait()
            process.wait(30)
        finally:
            beside.kill()
            process.kill()
            process.wait()
    assert not list(temporary.glob("boxwood-page-*"))
    assert "Traceback" not in (folder / "page.log").read_text()


def test_every_event_brings_what_the_service_says(
    page: httpx.Client, client: httpx.Client, row: dict[str, Any]
) -> None:
    script = Script(page)
    [said] = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
    number = f'data-value="{said["prediction"]}"'
    answer, marks = script.tell("predict", "click")
    assert number in answer
    assert not json.loads(marks)["errors"]
    without = json.dumps(row | {"cabin": ""}, default=str)
    answer, marks = script.tell("predict", "click", form=without)
    assert "did not take this row" in answer
    assert json.loads(marks)["answered"] is None
    assert json.loads(marks)["errors"] == {"cabin": ["A value is needed."]}
    assert number in script.tell("Example", "click")[1]
    assert "Before it looks at the row" in script.tell("Why", "select")[0]
    assert number in script.tell("What if", "select", **{"what-if-column": "cabin"})[0]
    assert number in script.tell("what-if-column", "input", **{"what-if-column": "date"})[0]
    assert script.tell("keep", "click")[1].count(number) >= 2
    assert "Where it comes from" in script.tell("Model", "select")[0]
    for name in ("Why", "What if", "Compare"):
        refused, *_ = script.tell(name, "select", form=json.dumps({"origin": row["origin"]}))
        assert "Mend it under Ask" in refused
        varied = name == "What if"  # which gives values of its own to one column
        assert refused.count("A value is needed.") == len(row) - 1 - varied


def test_a_table_is_answered(page: httpx.Client, client: httpx.Client, row: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    pd.DataFrame([row, row | {"cabin": "none"}]).to_csv(path, index=False)
    script = Script(page)
    upload = script.upload(path)
    assert script.tell("upload", "change", upload=upload)[0]["interactive"]
    _, preview, file, stop = script.tell("predict-all", "click", upload=upload)
    assert "<b>1</b> of 2 rows" in preview
    assert not stop["visible"]
    (tmp_path / "answered.csv").write_bytes(script.download(file["value"]))
    answered = pd.read_csv(tmp_path / "answered.csv")
    [said] = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
    assert answered["prediction"][0] == said["prediction"]
    assert answered["errors"][1].startswith("cabin: ")
    path.write_text("origin\n")
    _, problem, file, _ = script.tell("predict-all", "click", upload=script.upload(path))
    assert "has no rows" in problem
    assert not file["visible"]
    assert not script.tell("upload", "change", upload=None)[0]["interactive"]
    assert "Nothing was kept" in script.tell("stop", "click")[1]


def test_a_file_above_the_limit_is_refused(page: httpx.Client) -> None:
    large = page.post("/gradio_api/upload", files={"files": ("rows.csv", b"a" * (100 * 2**20 + 1))})
    assert large.status_code == 413


def test_a_table_above_the_limit_gets_a_sentence(page: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("origin\n" + "x\n" * 200_001)
    script = Script(page)
    _, problem, *_ = script.tell("predict-all", "click", upload=script.upload(path))
    assert "200,000" in problem


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--api", "localhost:3000"), "takes a URL like https://fares.example"),
        (("--port", "http"), "invalid int value"),
    ],
)
def test_what_cannot_be_is_said(arguments: tuple[str, ...], sentence: str) -> None:
    done = subprocess.run([*UI, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_service_that_ends_before_it_is_ready_has_no_page() -> None:
    with subprocess.Popen(["true"]) as beside:
        beside.wait()
    arguments = ("--api", f"http://127.0.0.1:{free_port()}", "--beside", str(beside.pid))
    done = subprocess.run([*UI, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ended before it was ready" in done.stderr
