"""Outputs that something happened to: files that are lost, notes that are none, other runs, odd addresses."""

import json
import os
import time
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import pyarrow.parquet as pq
import pytest

from scoring import manifest
from scoring.job import Job
from storage.place import Place
from tests.scoring import made
from tests.scoring.runs import SMALL, contents, running, score, verify
from validation.errors import BundleError, StoreError


def interrupt(out: object) -> manifest.Manifest:
    """Make a complete output one whose run was killed before the manifest said so; returns the whole manifest."""
    place = Place(str(out))
    whole = manifest.read(place)
    assert whole is not None
    manifest.write(place, manifest.Manifest(whole.plan, manifest.RUNNING))
    for done in whole.done:
        manifest.note(place, whole.plan.digest, done)
    return whole


def test_an_address_is_the_same_place_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    address = Place("out").address
    monkeypatch.chdir("/")
    Place(address).write("x", b"")
    assert (tmp_path / "out/x").exists()


@pytest.mark.parametrize("lost", ["part-00001.parquet", "_quarantine/part-00001.parquet", "cut", "note"])
@pytest.mark.parametrize("complete", [True, False])
def test_what_is_lost_is_scored_again(
    complete: bool, lost: str, rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.parquet", [*rows, {**rows[0], "distance_km": -1.0}] * 2)
    out = tmp_path / "out"
    options = ("--rows", "3001", "--workers", "1")
    assert score(tmp_path / "in.parquet", out, bundle, *options) == 0
    before = contents(out)
    if not complete:
        interrupt(out)
    match lost:
        case "cut":
            (out / "part-00001.parquet").write_bytes(before["part-00001.parquet"][:100])
        case "note":  # as after a power loss
            (out / "_done").mkdir(exist_ok=True)
            (out / "_done/00001.json").write_bytes(b"")
        case _:
            (out / lost).unlink()
    kept = (out / "part-00000.parquet").stat().st_mtime_ns
    assert score(tmp_path / "in.parquet", out, bundle, *options) == 0
    assert contents(out) == before
    assert (out / "part-00000.parquet").stat().st_mtime_ns == kept
    assert verify(out) == 0
    assert not (out / "_done").exists()


def test_a_file_that_is_lost_during_a_run_is_a_sentence(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    """As on a machine that writes to a folder of its own, where all should share one."""
    made.write(tmp_path / "in.parquet", rows * 10)
    out, options = tmp_path / "out", ("--rows", "500", "--workers", "1")
    process = running(tmp_path / "in.parquet", out, bundle, *options)
    until_noted(process, out)
    (out / "part-00000.parquet").unlink()
    assert "1 of 60 partitions are scored, and their files are not at" in process.communicate()[1]
    assert process.returncode == 1
    assert score(tmp_path / "in.parquet", out, bundle, *options) == 0
    assert verify(out) == 0


def until_noted(process: object, out: Path) -> None:
    deadline = time.monotonic() + 120
    while not (out / "_done/00000.json").exists():
        assert process.poll() is None, process.communicate()[1]  # type: ignore[attr-defined]
        assert time.monotonic() < deadline


def test_an_input_that_changes_during_a_run_is_a_sentence(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.parquet", rows * 10)
    out = tmp_path / "out"
    process = running(tmp_path / "in.parquet", out, bundle, "--rows", "500", "--workers", "1")
    until_noted(process, out)
    os.utime(tmp_path / "in.parquet", (1, 1))
    assert "is of another input: in.parquet has changed" in process.communicate()[1]
    assert process.returncode == 1
    assert json.loads((out / "_manifest.json").read_text())["status"] == "running"


def test_a_part_of_another_size_than_planned_is_a_sentence(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.parquet"
    made.write(source, rows, row_group_size=700)
    assert score(source, tmp_path / "out", bundle) == 0
    plan = interrupt(tmp_path / "out").plan
    for name, count in (("fewer", 800), ("more", 2_950), ("none", 0)):
        made.write(source, rows[:count] if count else rows[:1], row_group_size=700)
        job = Job(bundle, msgspec.json.encode(plan), str(tmp_path / name))
        results = [str(job(number)[1]) for number in range(len(plan.partitions))]
        assert "when the run began" in results[4]
        assert [path.name for path in (tmp_path / name).rglob("part-00004.parquet")] == []


def test_only_the_model_of_the_plan_scores(
    rows: list[made.Row], bundle: Path, narrower: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "in.parquet", rows[:10])
    assert score(tmp_path / "in.parquet", tmp_path / "out", bundle) == 0
    assert score(tmp_path / "in.parquet", tmp_path / "other", narrower) == 0
    whole = interrupt(tmp_path / "out")
    job = Job(narrower, msgspec.json.encode(whole.plan), str(tmp_path / "out"))
    with pytest.raises(BundleError, match="it was replaced, or this machine has another"):
        job(0)
    # and where a partition is another model's all the same, `verify` says so
    done = manifest.read(Place(str(tmp_path / "other")))
    assert done is not None
    (tmp_path / "out/part-00000.parquet").write_bytes((tmp_path / "other/part-00000.parquet").read_bytes())
    manifest.write(Place(str(tmp_path / "out")), manifest.Manifest(whole.plan, manifest.COMPLETE, done.done))
    assert verify(tmp_path / "out") == 1
    assert f"Partition 0 has answers of {done.plan.version}" in capsys.readouterr().err


def test_a_file_that_somebody_removes_while_it_is_written_is_not_taken_for_written(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "out"))

    def write() -> None:
        with place.writing("x") as temporary:
            temporary.write_bytes(b"x")
            with place.alone():  # as of a run that goes on while a lost engine still writes
                pass

    with pytest.raises(StoreError, match="cannot be written"):
        write()
    assert place.sizes() == {}


@pytest.mark.parametrize("name", ["out[1]", "out?", "out*", "out #%20 x", "~x", "out{a,b}"])
def test_an_output_of_any_name_is_gone_on_with(name: str, rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.csv", rows[:100])
    out = tmp_path / name
    assert score(tmp_path / "in.csv", out, bundle, "--rows", "60", "--workers", "1") == 0
    before = contents(out)
    interrupt(out)
    (out / "part-00001.parquet").unlink()
    assert score(tmp_path / "in.csv", out, bundle, "--rows", "60", "--workers", "1") == 0
    assert contents(out) == before
    assert verify(out) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", name])
    assert sorted(path.name for path in out.iterdir()) == ["_manifest.json", *before]


@pytest.mark.parametrize("address", ["", "a::b", "memory://out[1]"])
def test_an_address_that_means_another_place_is_refused(
    address: str, rows: list[made.Row], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write(tmp_path / "in.csv", rows[:10])
    monkeypatch.chdir(tmp_path)
    assert score(tmp_path / "in.csv", address, bundle) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_notes_of_another_cut_are_passed_over(rows: list[made.Row], bundle: Path, tmp_path: Path) -> None:
    made.write(tmp_path / "in.csv", rows[:400])
    for name, count in (("a", "100"), ("b", "50")):
        assert score(tmp_path / "in.csv", tmp_path / name, bundle, "--rows", count, "--workers", "1") == 0
    before = contents(tmp_path / "b")
    other, whole = interrupt(tmp_path / "a"), interrupt(tmp_path / "b")
    place = Place(str(tmp_path / "b"))
    manifest.note(place, other.plan.digest, other.done[0])
    (tmp_path / "b/part-00000.parquet").write_bytes((tmp_path / "a/part-00000.parquet").read_bytes())
    assert len(manifest.there(place, manifest.Manifest(whole.plan, manifest.RUNNING))) == 7
    assert score(tmp_path / "in.csv", tmp_path / "b", bundle) == 0
    assert contents(tmp_path / "b") == before
    assert verify(tmp_path / "b") == 0


@pytest.mark.slow
def test_a_place_that_gets_its_first_file_while_it_is_listed_has_no_other(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(f"{bucket}/listed")
    listed = place.files._lsdir

    async def before(*arguments: Any, **options: Any) -> Any:
        monkeypatch.undo()
        found = await listed(*arguments, **options)
        await place.files._pipe_file(place.path("x"), b"1")
        return found

    monkeypatch.setattr(place.files, "_lsdir", before)
    assert place.sizes() == {}
    assert place.sizes() == {"x": 1}


@pytest.mark.slow
def test_two_first_runs_into_a_bucket_are_of_one_cut(
    rows: list[made.Row], bundle: Path, bucket: str, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.csv", rows)
    place = Place(f"{bucket}/first")
    assert [place.create("x", content) for content in (b"1", b"2")] == [True, False]
    assert place.read("x") == b"1"
    source, out = tmp_path / "in.csv", f"{bucket}/both"
    both = [running(source, out, bundle, "--rows", count, "--workers", "1") for count in ("150", "70")]
    for process in both:
        told = process.communicate()[1]
        assert process.returncode == 0, told
    assert verify(out) == 0
    found = fsspec.filesystem("s3").glob(f"{out}/part-*.parquet")
    assert len(found) in {20, 43}


def test_explanations_are_the_same_to_the_byte_whatever_was_scored_before(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in/a.parquet", rows[:2_000])
    made.write(tmp_path / "in/b.parquet", rows[2_000:2_005])
    out, options = tmp_path / "out", ("--explain", "--workers", "1")
    assert score(tmp_path / "in", out, bundle, *options) == 0
    before = contents(out)
    interrupt(out)
    (out / "part-00001.parquet").unlink()
    process = running(tmp_path / "in", out, bundle, *options)  # one that has explained nothing yet
    told = "score: 1 of 2 partitions are there already.\n"
    assert (process.communicate()[1], process.returncode) == (told, 0)
    assert contents(out) == before
    assert pq.read_metadata(out / "part-00001.parquet").num_rows == 5


def test_a_run_that_was_killed_in_its_last_moment_leaves_nothing(
    rows: list[made.Row], bundle: Path, tmp_path: Path
) -> None:
    made.write(tmp_path / "in.csv", rows[:10])
    out = tmp_path / "out"
    assert score(tmp_path / "in.csv", out, bundle, *SMALL) == 0
    manifest.write(Place(str(out)), interrupt(out))
    assert score(tmp_path / "in.csv", out, bundle, *SMALL) == 0
    assert sorted(path.name for path in out.iterdir()) == ["_manifest.json", "part-00000.parquet"]
