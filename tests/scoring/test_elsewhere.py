"""Buckets and servers that do not answer: a sentence, whatever their clients raise."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests import remotes
from tests.project import free_port
from tests.scoring import made
from tests.scoring.runs import running, score, verify


class _Failing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500)
        self.send_header("content-length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 as http.server calls it

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what it saw."""


@pytest.fixture
def failing() -> Iterator[str]:
    """The address of a server that fails."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Failing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_over_http_what_fails_is_not_an_empty_address(
    failing: str, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(f"{failing}/x.csv", tmp_path / "out", bundle) == 1
    assert f"{failing}/x.csv cannot be listed: 500" in capsys.readouterr().err
    assert score(f"http://127.0.0.1:{free_port()}/x.csv", tmp_path / "out", bundle) == 1
    assert "cannot be listed: Cannot connect to host" in capsys.readouterr().err


@pytest.mark.slow
def test_a_bucket_that_stops_in_the_middle_is_a_sentence(
    rows: list[made.Row], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.write(tmp_path / "in.parquet", rows * 20)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with remotes.storage(tmp_path) as found:
        for variable, value in {**found.keys, "AWS_ENDPOINT_URL": found.url}.items():
            monkeypatch.setenv(variable, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        fsspec.filesystem("s3").mkdir("scored")
        process = running(tmp_path / "in.parquet", "s3://scored/out", bundle, "--rows", "500", "--workers", "1")
        deadline = time.monotonic() + 120
        while not any("_done" in name for name in found.names("scored")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
    told = process.communicate()[1]
    assert process.returncode == 1
    [*progress, sentence] = told.splitlines()
    assert sentence.startswith("score: ")
    assert all(" of 120 partitions" in line for line in progress)
    for source, out in (("s3://scored/in", tmp_path / "out"), (tmp_path / "in.parquet", "s3://scored/out")):
        assert score(source, out, bundle) == 1
        assert "Could not connect to the endpoint URL" in capsys.readouterr().err
    assert verify("s3://scored/out") == 1
    assert "Could not connect to the endpoint URL" in capsys.readouterr().err


def test_a_bucket_without_keys_is_a_sentence(
    rows: list[made.Row], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made.write(tmp_path / "in.csv", rows[:10])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    assert score(tmp_path / "in.csv", "s3://scored/out", bundle) == 1
    assert "Unable to locate credentials" in capsys.readouterr().err
