"""The list of retraining runs."""

import datetime
from pathlib import Path

import pytest

from monitoring import runs
from monitoring.__main__ import main
from monitoring.store import Store
from validation.errors import StoreError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("BOXWOOD_WATCH", str(tmp_path / "watch"))
    return Store("flights")


def test_runs_are_listed_in_the_order_in_which_they_began(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    first = runs.begun(store, "schedule", "a schedule")
    runs.ended(store, first, "refused", ["worse: rmse 3 instead of 2"], labelled=1_200, registry_version="7")
    second = runs.begun(store, "verdict", "an alarm")
    assert [run.id for run in runs.listed(store)] == [first.id, second.id]
    assert main(["runs", "flights"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "status", "began", "by", "seconds", "labelled", "version", "why"]
    assert lines[0].split()[:6] == [first.id, "refused", "schedule", "0", "1,200", "7"]
    assert lines[0].endswith("worse: rmse 3 instead of 2")
    assert lines[1].endswith("an alarm")


def test_a_run_that_never_ended_is_marked_and_others_stay(store: Store) -> None:
    ended = runs.ended(store, runs.begun(store, "schedule", "x", "here"), "promoted", ["better"])
    left = runs.begun(store, "schedule", "x", "here")
    assert [run.id for run in runs.interrupted(store, "here")] == [left.id]
    assert [run.status for run in runs.listed(store)] == ["promoted", "interrupted"]
    assert runs.listed(store)[0] == ended
    assert runs.interrupted(store, "here") == []


def test_a_run_of_another_folder_is_taken_for_running_for_two_days(store: Store) -> None:
    now = datetime.datetime.now(datetime.UTC)
    there = runs.begun(store, "schedule", "x", "there")
    assert runs.interrupted(store, "here") == []
    began = [(now - datetime.timedelta(hours=hours)).isoformat() for hours in (49, 47)]
    late, _ = (runs.changed(store, runs.begun(store, "schedule", "x", "there"), started=each) for each in began)
    assert [run.id for run in runs.interrupted(store, "here")] == [late.id]
    assert there.id in [run.id for run in runs.interrupted(store, "there")]


def test_a_damaged_document_is_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    store.write_bytes("runs/20260101.json", b"{")
    with pytest.raises(StoreError, match=r"runs/20260101\.json"):
        runs.listed(store)
    assert main(["runs", "flights", "--json"]) == 1
    assert "is no document of a run" in capsys.readouterr().err
