"""Runs that something ends, and the same command afterwards."""

import json
import os
import resource
import time
from pathlib import Path

import psutil
import pytest

from scoring import manifest
from storage.place import Place
from tests import disks
from tests.scoring import made
from tests.scoring.runs import contents, running, score, verify


@pytest.mark.parametrize(
    ("kills", "explain"), [((3,), ()), pytest.param((3, 20, 60), ("--explain",), marks=pytest.mark.slow)]
)
def test_a_killed_run_goes_on_and_comes_to_the_same(
    kills: tuple[int, ...], explain: tuple[str, ...], rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.parquet", rows * 5 * kills[0] * len(kills))
    whole, out = tmp_path / "whole", tmp_path / "out"
    options = ("--rows", "500", *explain, "--workers", "2")
    assert score(tmp_path / "in.parquet", whole, bundle, "--rows", "500", *explain, "--workers", "1") == 0
    for target in kills:
        process = running(tmp_path / "in.parquet", out, bundle, *options)
        deadline = time.monotonic() + 120
        while len(list(out.glob("_done/*.json"))) < target:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        psutil.wait_procs(family, timeout=60)
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family)
        assert json.loads((out / "_manifest.json").read_text())["status"] == "running"
        assert verify(out) == 1
    there = {done.answers.path: (out / done.answers.path).stat().st_mtime_ns for done in noted(out)}
    assert len(there) >= kills[-1]
    process = running(tmp_path / "in.parquet", out, bundle, *options)
    told = process.communicate()[1]
    assert process.returncode == 0, told
    assert told.splitlines()[0].endswith(" partitions are there already.")
    assert {name: (out / name).stat().st_mtime_ns for name in there} == there
    assert contents(out) == contents(whole)
    assert verify(out) == 0
    assert not list(out.rglob(".tmp-*"))


def noted(out: Path) -> list[manifest.Done]:
    place = Place(str(out))
    known = manifest.read(place)
    return [] if known is None else list(manifest.there(place, known).values())


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_sentence_and_the_run_goes_on(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.parquet", rows * 10)
    out, options = tmp_path / "out", ("--rows", "500", "--workers", "2")
    process = running(tmp_path / "in.parquet", out, bundle, *options)
    deadline = time.monotonic() + 120
    while not list(out.glob("_done/*.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
    workers = [child for child in psutil.Process(process.pid).children(recursive=True) if not child.children()]
    max(workers, key=lambda child: child.create_time()).kill()
    assert "A worker ended before its partition did" in process.communicate()[1]
    assert process.returncode == 1
    assert score(tmp_path / "in.parquet", out, bundle, *options) == 0
    assert verify(out) == 0


def test_two_runs_at_a_time_are_one_too_many(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.csv", rows[:10])
    with Place(str(tmp_path / "out")).alone():
        assert score(tmp_path / "in.csv", tmp_path / "out", bundle) == 1
    assert "Another run is writing to" in capsys.readouterr().err
    assert score(tmp_path / "in.csv", tmp_path / "out", bundle) == 0


def _no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_with_room(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in/a.csv", rows[:100])
    made.write(tmp_path / "in/b.csv", rows)
    out = tmp_path / "out"
    process = running(tmp_path / "in", out, bundle, "--workers", "1", preexec_fn=_no_room)
    told = process.communicate()[1]
    assert process.returncode == 1
    assert f"score: There is no room at {out}: File too large." in told
    assert sorted(contents(out)) == ["part-00000.parquet"]
    assert not list(out.rglob(".tmp-*"))
    assert score(tmp_path / "in", out, bundle, "--workers", "1") == 0
    assert verify(out) == 0


def test_no_room_for_what_is_sent_to_a_bucket_names_the_folder(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.csv", rows)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = running(
        tmp_path / "in.csv", "memory://out", bundle, "--workers", "1", preexec_fn=_no_room, env=environment
    )
    assert process.communicate()[1].startswith(f"score: {tmp_path}, where files are written before they are sent")
    assert process.returncode == 1


def test_a_full_file_system(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    disk, options = tmp_path / "disk", ("--rows", "900", "--workers", "1")
    made.write(tmp_path / "in.parquet", rows)
    with disks.small(disk, "64k") as there:
        if not there:
            pytest.skip("this user mounts no file systems")
        process = running(tmp_path / "in.parquet", disk / "out", bundle, *options)
        assert "There is no room at" in process.communicate()[1]
        assert process.returncode == 1
        disks.enlarge(disk, "8m")
        assert score(tmp_path / "in.parquet", disk / "out", bundle, *options) == 0
        assert verify(disk / "out") == 0


def test_a_part_that_cannot_be_read_keeps_the_others_from_nothing(
    rows: list[made.Row], bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "in.parquet", tmp_path / "out"
    made.write(path, rows, row_group_size=700, compression="gzip")
    mend = made.spoil(path, 2)
    assert score(path, out, bundle) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"score: 1 of 5 partitions cannot be read. The first: {path} cannot be read: ")
    assert sorted(contents(out)) == [f"part-0000{place}.parquet" for place in (0, 1, 3, 4)]
    mend()
    assert score(path, out, bundle) == 0
    assert verify(out) == 0
