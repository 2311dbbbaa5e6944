"""What a run says on its way, and of what it was asked for and cannot do."""

import importlib.util
import os
import pty
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scoring import __main__ as commands
from tests.project import ROOT
from tests.scoring import made
from tests.scoring.runs import contents, running, score
from tests.scoring.test_outputs import interrupt, until_noted


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--scheduler", "tcp://127.0.0.1:1"), "--scheduler needs --engine dask"),
        (("--engine", "spark", "--scheduler", "tcp://127.0.0.1:1"), "--scheduler needs --engine dask"),
        (("--master", "spark://127.0.0.1:1"), "--master needs --engine spark"),
        (("--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--workers", "2"), "--workers counts processes"),
        (("--engine", "dask"), "--engine dask needs --scheduler"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(
    options: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path / "in.csv", tmp_path / "out", tmp_path, *options) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("source", "out"), [("", "out"), ("in.csv", ""), ("", "")])
def test_without_a_table_or_an_output_nothing_is_taken_for_one(
    source: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands.main(["score", source, out, "--model", "flights"]) == 1
    assert "make score IN=tables OUT=scored" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("stray", "content"), [("notes.md", b"# Notes"), ("c.parquet", b"PAR1" + b"x" * 50)])
def test_one_of_several_files_that_is_no_table_is_left_out_by_a_pattern(
    stray: str, content: bytes, rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in/below/a.parquet", rows[:10])
    made.write(tmp_path / "in/below/b.parquet", rows[10:20])
    (tmp_path / "in" / stray).write_bytes(content)
    assert score(tmp_path / "in", tmp_path / "out", bundle) == 1
    told = capsys.readouterr().err
    assert "Nothing is scored yet: mend or remove it, or name the others by a pattern" in told
    assert ".." not in told
    assert score(f"{tmp_path}/in/*/*.parquet", tmp_path / "out", bundle) == 0
    assert score(tmp_path / "in" / stray, tmp_path / "other", bundle) == 1
    assert "pattern" not in capsys.readouterr().err


def test_how_far_a_run_is_and_what_was_there_already_is_said(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.parquet", rows)
    out = tmp_path / "out"
    assert score(tmp_path / "in.parquet", out, bundle) == 0
    before = contents(out)
    interrupt(out)
    (out / "part-00001.parquet").unlink()
    capsys.readouterr()
    assert score(tmp_path / "in.parquet", out, bundle, "--rows", "900", "--workers", "1") == 0
    told = capsys.readouterr().err
    assert "score: 4 of 5 partitions are there already." in told
    assert f"score: {out} stays cut as it was begun, and --rows is passed over." in told
    assert contents(out) == before
    assert score(tmp_path / "in.parquet", out, bundle) == 0
    assert score(tmp_path / "in.parquet", out, bundle, "--workers", "1") == 0
    assert capsys.readouterr().err == ""


def test_a_long_run_says_how_far_it_is_without_a_terminal(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows * 30)
    process = running(tmp_path / "in.parquet", tmp_path / "out", bundle, "--rows", "100", "--workers", "1")
    assert process.stderr is not None
    line = process.stderr.readline()  # the first comes long before the end
    process.kill()
    process.communicate()
    assert line.startswith("score: ")
    assert " of 900 partitions, " in line
    assert "\r" not in line


def test_a_worker_that_is_killed_is_said_with_what_helps(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows * 10)
    process = running(tmp_path / "in.parquet", tmp_path / "out", bundle, "--rows", "100", "--workers", "2")
    until_noted(process, tmp_path / "out")
    busiest = max(psutil.Process(process.pid).children(recursive=True), key=lambda child: sum(child.cpu_times()[:2]))
    busiest.kill()
    told = process.communicate()[1]
    assert process.returncode == 1
    assert "fewer --workers take less" in told
    assert "--rows" not in told


def test_a_terminal_has_one_line_that_changes(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows)
    ours, theirs = pty.openpty()
    asked = [str(tmp_path / "in.parquet"), str(tmp_path / "out"), "--model", str(bundle), "--rows", "700"]
    command = [sys.executable, "-m", "scoring", "score", *asked, "--workers", "1"]
    subprocess.run(command, cwd=ROOT, stderr=theirs, check=True)
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "\r5 of 5 partitions, 3,000 rows, " in told


def test_a_name_of_the_registry_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argument = ["score", str(tmp_path), str(tmp_path / "out"), "--model", "flights@champion"]
    assert commands.main(argument) == 1
    assert "`make bento PROBLEM=flights@champion` brings that version into the store" in capsys.readouterr().err


def test_a_table_without_a_row_is_said_to_have_none(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.csv", rows[:1])
    (tmp_path / "in.csv").write_text((tmp_path / "in.csv").read_text().splitlines()[0])
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle) == 0
    assert "the input has none" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is not None, reason="Spark is here")
def test_an_engine_that_is_not_installed_leaves_nothing(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.csv", rows[:10])
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle, "--engine", "spark") == 1
    assert "which `make engines` installs" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*"))
