"""The journal becomes tables: every record once, in the types of the contract, whatever happens on the way."""

import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.record import EVENT, Record
from model.watched import score_columns
from monitoring import journal
from monitoring.compact import Compacted, compact
from monitoring.lines import Journal
from monitoring.store import Store
from tests import strategies
from tests.monitoring.records import CONTRACT, DAY, MODEL, VERSION, record, write
from tests.project import ROOT
from training.data import tables
from validation.contract import Contract
from validation.decode import to_arrays
from validation.errors import StoreError
from validation.values import reader

NEXT = DAY + datetime.timedelta(days=1)


def brought(folder: Path) -> Compacted:
    return compact(Journal(str(folder / "journal")), str(folder / "watch"))


def loaded(folder: Path, **chosen: Any) -> Any:
    return journal.load(Store(MODEL, str(folder / "watch")), CONTRACT, DAY, NEXT, **chosen)


def ids(folder: Path, **chosen: Any) -> list[str]:
    found: list[str] = loaded(folder, **chosen)[journal.PREDICTION_ID].tolist()
    return found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), strategies.contracts())
def test_rows_come_back_as_the_request_decoder_would_have_given_them_to_the_model(
    data: st.DataObject, contract: Contract
) -> None:
    rows = data.draw(st.lists(strategies.good_rows(contract, {}), min_size=1, max_size=5))
    scores = data.draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3))
    number = contract.target.continuous
    records = [
        Record(
            event=EVENT, time=f"2026-11-30T00:00:00.{place:03d}Z", model=MODEL, version=VERSION,
            prediction_id=str(place), row=row, scores=scores, prediction=scores[0] if number else "a class",
        )
        for place, row in enumerate(rows)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "journal/a.jsonl"), records)
        brought(Path(folder))
        found = journal.load(Store(MODEL, f"{folder}/watch"), contract, DAY, DAY)
    readers = {column.name: reader(column) for column in contract.inputs}
    read = [tuple(None if row.get(name) is None else read(row[name]) for name, read in readers.items()) for row in rows]
    for name, expected in to_arrays(contract.inputs, read).items():
        np.testing.assert_array_equal(tables.inputs(contract, found)[name], expected)
    assert found[score_columns(len(scores))].to_numpy().tolist() == [scores] * len(rows)
    assert found[journal.PREDICTION].tolist() == [records[0].prediction] * len(rows)


def test_names_that_training_did_not_see_keep_their_text_and_numbers_beyond_bounds_their_value(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1, district="Atlantis", area=-5), record(2, area="large")])
    brought(tmp_path)
    found = loaded(tmp_path)
    assert found["district"].tolist() == ["Atlantis", "North"]
    assert found["area"].tolist()[0] == -5
    assert np.isnan(found["area"].tolist()[1])


def test_running_again_adds_only_what_was_written_since(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1), record(2)])
    assert brought(tmp_path).records == {MODEL: 2}
    assert brought(tmp_path).records == {}
    write(tmp_path / "journal/a.jsonl", [record(3)], "ab")
    write(tmp_path / "journal/b.jsonl", [record(4, day=NEXT)])
    assert brought(tmp_path).records == {MODEL: 2}
    assert ids(tmp_path) == ["id-1", "id-2", "id-3", "id-4"]
    assert [str(day) for day in journal.days(Store(MODEL, str(tmp_path / "watch")))] == ["2026-11-30", "2026-12-01"]


def test_a_record_that_is_half_written_is_read_once_it_is_whole(tmp_path: Path) -> None:
    line = msgspec.json.encode(record(2)) + b"\n"
    path = tmp_path / "journal/a.jsonl"
    for length in (1, len(line) // 2, len(line) - 1):
        write(path, [record(1)])
        with path.open("ab") as file:
            file.write(line[:length])
        brought(tmp_path)
        with path.open("ab") as file:
            file.write(line[length:])
        brought(tmp_path)
        assert ids(tmp_path) == ["id-1", "id-2"]


def test_lines_that_are_no_records_are_passed_over_and_counted(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1)])
    with (tmp_path / "journal/a.jsonl").open("ab") as file:
        file.write(b'{"event":"prediction","time":"2026-11\n\n{"severity":"INFO","message":"started"}\n[1]\n\xff\n')
    write(tmp_path / "journal/a.jsonl", [record(2)], "ab")
    write(tmp_path / "journal/a.jsonl", [msgspec.structs.replace(record(3), time="yesterday")], "ab")
    done = brought(tmp_path)
    assert (done.torn, done.foreign, done.unreadable) == (2, 2, 1)
    assert "2 torn lines passed over" in str(done)
    assert ids(tmp_path) == ["id-1", "id-2"]


def test_a_torn_end_of_a_file_that_gets_no_more_lines_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "journal/a.jsonl"
    write(path, [record(1)])
    with path.open("ab") as file:
        file.write(msgspec.json.encode(record(2))[:50])
    assert brought(tmp_path).torn == 0, "the rest of it may come"
    yesterday = time.time() - 90_000
    os.utime(path, (yesterday, yesterday))
    assert [brought(tmp_path).torn for _ in range(2)] == [1, 0]
    assert ids(tmp_path) == ["id-1"]


def test_hourly_files_of_cloud_logging_are_read(tmp_path: Path) -> None:
    entries = []
    for number in (1, 2):
        payload = msgspec.to_builtins(record(number)) | {"a_later_member": 1}
        entries.append({"insertId": "x", "timestamp": payload.pop("time"), "jsonPayload": payload})
    entries.append({"insertId": "y", "timestamp": "2026-11-30T10:00:00Z", "textPayload": "a log line"})
    folder = tmp_path / "journal/run.googleapis.com/stdout/2026/11/30"
    folder.mkdir(parents=True)
    (folder / "10:00:00_10:59:59_S0.json").write_bytes(b"\n".join(map(msgspec.json.encode, entries)) + b"\n")
    assert brought(tmp_path).foreign == 1
    assert ids(tmp_path) == ["id-1", "id-2"]


def test_a_run_that_was_killed_before_it_noted_what_it_read_leaves_no_record_twice(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1), record(2)])
    brought(tmp_path)
    (tmp_path / "watch/_journal/read.json").unlink()  # the data was written, the note was not
    write(tmp_path / "journal/a.jsonl", [record(3)], "ab")
    brought(tmp_path)
    assert ids(tmp_path) == ["id-1", "id-2", "id-3"]


def test_runs_that_are_killed_at_any_time_come_to_every_record_once(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"journal/{number:02d}.jsonl", [record(number)])
    asked = [sys.executable, "-m", "monitoring", "compact", "--journal", str(tmp_path / "journal")]
    environment = {**os.environ, "BOXWOOD_WATCH": str(tmp_path / "watch")}
    killed = 0
    for wanted in (1, 10, 25):
        run = subprocess.Popen(asked, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        while run.poll() is None and len([*(tmp_path / "watch").glob("flats/predictions/*/*.parquet")]) < wanted:
            pass
        run.kill()
        killed += run.wait() < 0
    assert killed
    subprocess.run(asked, cwd=ROOT, env=environment, check=True)
    assert sorted(ids(tmp_path)) == sorted(f"id-{number}" for number in range(40))


def test_a_shadow_and_the_champion_answer_one_id_and_each_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1), record(1, role="shadow", version="b" * 16)])
    write(tmp_path / "journal/a.jsonl", [record(2, role="challenger", version="b" * 16)], "ab")
    brought(tmp_path)
    assert ids(tmp_path) == ["id-1"]
    assert ids(tmp_path, role="shadow") == ["id-1"]
    assert ids(tmp_path, role=None) == ["id-1", "id-1", "id-2"]
    assert ids(tmp_path, role=None, version="b" * 16) == ["id-1", "id-2"]


def test_each_model_has_a_folder_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1), msgspec.structs.replace(record(2), model="rents")])
    assert brought(tmp_path).records == {MODEL: 1, "rents": 1}
    assert ids(tmp_path) == ["id-1"]
    rents = journal.load(Store("rents", str(tmp_path / "watch")), CONTRACT, DAY, DAY)
    assert rents[journal.PREDICTION_ID].tolist() == ["id-2"]


def test_days_without_records_have_the_same_columns_and_types(tmp_path: Path) -> None:
    nothing = loaded(tmp_path)
    write(tmp_path / "journal/a.jsonl", [record(1)])
    brought(tmp_path)
    something = loaded(tmp_path)
    assert len(nothing) == 0
    assert dict(nothing.dtypes) == {name: something.dtypes[name] for name in nothing}
    assert str(something["listed"].dtype) == "datetime64[s]"


def test_a_damaged_note_is_told_and_can_be_removed(tmp_path: Path) -> None:
    write(tmp_path / "journal/a.jsonl", [record(1)])
    brought(tmp_path)
    (tmp_path / "watch/_journal/read.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="Remove it"):
        brought(tmp_path)
    (tmp_path / "watch/_journal/read.json").unlink()
    brought(tmp_path)
    assert ids(tmp_path) == ["id-1"]


def test_journal_and_store_may_be_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [record(1), record(2)])
    fsspec.filesystem("s3").put(str(tmp_path / "a.jsonl"), "watching/journal/a.jsonl")
    for _ in range(2):
        compact(Journal(f"{bucket}/journal"), f"{bucket}/watch")
    found = journal.load(Store(MODEL, f"{bucket}/watch"), CONTRACT, DAY, NEXT)
    assert found[journal.PREDICTION_ID].tolist() == ["id-1", "id-2"]
