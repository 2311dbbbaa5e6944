"""True values come late, twice, wrong, corrected, by ids or by keys, and each answer has the right one in the end."""

import datetime
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from monitoring import outcomes, truth
from monitoring.__main__ import FAILED, FINE, main
from monitoring.compact import compact
from monitoring.lines import Journal
from monitoring.outcomes import Brought, bring
from monitoring.store import Store
from problems import base
from tests.monitoring.records import CONTRACT, DAY, MODEL, SECRET, record, write
from validation.errors import SettingsError, StoreError, TableError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with the answers to flats 1 to 4, and the fourth asked for twice."""
    again = record(5)
    write(tmp_path / "journal/a.jsonl", [*(record(number) for number in (1, 2, 3, 4))])
    write(tmp_path / "journal/b.jsonl", [msgspec.structs.replace(again, keys=record(4).keys)])
    compact(Journal(str(tmp_path / "journal")), str(tmp_path / "watch"))
    return Store(MODEL, str(tmp_path / "watch"))


def told(store: Store, text: str, secret: str = "", name: str = "table.csv") -> Brought:
    path = Path(store.address).parent / name
    path.write_text(text)
    return bring(store, CONTRACT, str(path), secret)


def known(store: Store) -> dict[str, float]:
    """The true values that rows have."""
    rows = truth.with_truth(store, CONTRACT, DAY, DAY)
    rows = rows[rows[truth.ACTUAL].notna()]
    return dict(zip(rows["record.prediction_id"], rows[truth.ACTUAL], strict=True))


def test_a_table_with_ids_is_joined_once_and_again_changes_nothing(store: Store) -> None:
    text = "prediction_id,price\nid-1,120\nid-2,250.5\nid-99,7\nid-3,\n"
    done = told(store, text)
    assert (done.rows, done.joined, done.waiting, done.new, done.empty) == (4, 2, 1, 3, 1)
    files = store.names("outcomes")
    again = told(store, text, name="the same under another name.csv")
    assert (again.joined, again.waiting, again.new, again.corrected) == (2, 1, 0, 0)
    assert store.names("outcomes") == files
    assert known(store) == {"id-1": 120.0, "id-2": 250.5}


def test_the_later_value_counts_and_how_many_were_corrected_is_said(store: Store) -> None:
    told(store, "prediction_id,price\nid-1,120\nid-2,250\n")
    done = told(store, "prediction_id,price\nid-1,130\nid-2,250\n")
    assert (done.new, done.corrected) == (0, 1)
    assert "corrected: 1" in str(done)
    assert known(store) == {"id-1": 130.0, "id-2": 250.0}
    assert told(store, "prediction_id,price\nid-1,120\n").corrected == 1  # what was there first may be right after all
    assert known(store)["id-1"] == 120.0


@pytest.mark.parametrize("value", range(10, 18))
def test_the_later_value_counts_also_after_a_file_was_removed(store: Store, value: int) -> None:
    for identity in ("id-2", "id-3", "id-1"):
        told(store, f"prediction_id,price\n{identity},{value}\n")
    store.remove(store.names("outcomes")[0])
    told(store, f"prediction_id,price\nid-1,{value + 100}\n")
    assert known(store)["id-1"] == value + 100


def test_outcomes_may_come_before_their_predictions(store: Store, tmp_path: Path) -> None:
    assert told(store, "prediction_id,price\nid-7,700\n").waiting == 1
    write(tmp_path / "journal/c.jsonl", [record(7)])
    compact(Journal(str(tmp_path / "journal")), store.address)
    assert known(store) == {"id-7": 700.0}


@pytest.mark.parametrize("header", ["flat,price", "Flat No;Price paid", "Flat No\tprice"])
def test_keys_say_which_answers_are_meant_if_the_secret_is_that_of_the_service(store: Store, header: str) -> None:
    delimiter = next(sign for sign in ",;\t" if sign in header)
    text = "\n".join((header, f"1{delimiter}110", f"2.0{delimiter}220", ""))
    done = told(store, text, SECRET)
    assert (done.joined, done.shared) == (2, 0)
    assert known(store) == {"id-1": 110.0, "id-2": 220.0}


def test_answers_to_no_case_have_no_true_value(store: Store, tmp_path: Path) -> None:
    explored = msgspec.structs.replace(record(8, role="exploring"), keys=record(4).keys)
    write(tmp_path / "journal/c.jsonl", [explored])
    compact(Journal(str(tmp_path / "journal")), store.address)
    assert told(store, "prediction_id,price\nid-8,800\n").waiting == 1
    done = told(store, "flat,price\n4,400\n", SECRET)
    assert (done.joined, done.shared) == (1, 1)
    assert known(store) == {"id-4": 400.0, "id-5": 400.0}


def test_a_key_of_several_answers_gives_its_value_to_each_and_an_id_goes_before_it(store: Store) -> None:
    done = told(store, "flat,price\n4,400\n", SECRET)
    assert (done.joined, done.shared) == (1, 1)
    assert "1 key with several answers" in str(done)
    assert known(store) == {"id-4": 400.0, "id-5": 400.0}
    told(store, "prediction_id,price\nid-5,500\n")
    assert known(store) == {"id-4": 400.0, "id-5": 500.0}


def test_keys_need_the_secret_and_a_wrong_one_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="BOXWOOD_JOURNAL_SECRET is not set"):
        told(store, "flat,price\n1,110\n")
    assert "Is BOXWOOD_JOURNAL_SECRET that of the service?" in str(told(store, "flat,price\n1,110\n", "a wrong one"))
    assert known(store) == {}
    bare = Store(MODEL, str(tmp_path / "bare"))
    assert "No answer in the store has keys" in str(told(bare, "flat,price\n1,110\n", SECRET))


def test_keys_are_in_the_store_as_hashes_only(store: Store) -> None:
    told(store, "flat,price\n987654,110\n98765x,3\n,3\n", SECRET)
    for name in (*store.names("outcomes"), *store.names(outcomes.REFUSED)):
        frame = pd.read_parquet(io.BytesIO(store.read(name) or b""))
        assert "98765" not in frame.to_csv()
    assert store.names(outcomes.REFUSED)


def test_bad_rows_are_refused_with_reasons_and_the_good_ones_taken(store: Store) -> None:
    text = "prediction_id,price\nid-1,110\nid-2,much\n,5\nid-3,-4\nid-4,1\nid-4,2\n"
    done = told(store, text)
    assert (done.good, done.refused, done.joined) == (1, 5, 1)
    assert known(store) == {"id-1": 110.0}
    [name] = store.names(outcomes.REFUSED)
    assert name in done.refusals
    refused = pd.read_parquet(io.BytesIO(store.read(name) or b""))
    assert refused["row"].tolist() == [2, 3, 4, 5, 6]
    assert refused["reason"].str.contains("'price'|prediction_id|different values").all()
    told(store, text)
    assert store.names(outcomes.REFUSED) == [name]


def test_equal_rows_are_one_value(store: Store) -> None:
    done = told(store, "prediction_id,price\nid-1,110\nid-1,110.0\n")
    assert (done.good, done.refused) == (1, 0)


@pytest.mark.parametrize("text", ["", "prediction_id,cost\nid-1,2\n", "price\n2\n", 'prediction_id,price\n"id-1,2\n'])
def test_tables_that_say_nothing_are_refused_whole(store: Store, text: str) -> None:
    with pytest.raises(TableError):
        told(store, text)
    assert store.names("outcomes") == []


def test_a_row_with_too_many_cells_is_no_reason_to_guess(store: Store) -> None:
    with pytest.raises(TableError, match="Row 2 of"):
        told(store, "prediction_id,price\nid-1,1\nid-2,1,5\n")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv.gz"])
def test_other_formats_are_read_alike(store: Store, tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"prediction_id": ["id-1", "id-2", "id-3"], "Price paid": [110.0, 220.0, None]})
    path = tmp_path / f"table.{suffix}"
    write_table: dict[str, Any] = {
        "parquet": table.to_parquet,
        "jsonl": lambda path: table.to_json(path, orient="records", lines=True),
        "csv.gz": lambda path: table.to_csv(path, index=False),
    }
    write_table[suffix](path)
    done = bring(store, CONTRACT, str(path))
    assert (done.joined, done.empty) == (2, 1)
    assert known(store) == {"id-1": 110.0, "id-2": 220.0}


def test_a_store_that_cannot_be_written_has_nothing_of_the_table(store: Store) -> None:
    folder = Path(store.address, MODEL, "outcomes")
    folder.write_text("a file is where the folder would be")
    with pytest.raises(StoreError):
        told(store, "prediction_id,price\nid-1,110\n")
    folder.unlink()
    assert known(store) == {}


def test_the_commands_say_what_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        code = main([*arguments])
        captured: Sequence[str] = capsys.readouterr()
        return code, "".join(captured)

    monkeypatch.setenv("BOXWOOD_WATCH", str(tmp_path / "watch"))
    monkeypatch.setenv("BOXWOOD_JOURNAL", str(tmp_path / "journal"))
    now = datetime.datetime.now(datetime.UTC).date()
    answered = record(1, day=now)
    write(tmp_path / "journal/a.jsonl", [msgspec.structs.replace(answered, model="flights")])
    assert run("compact") == (FINE, "1 journal file; new records: 1 of flights.\n")
    table = tmp_path / "table.jsonl"
    table.write_text(json.dumps({"prediction_id": "id-1", "price": "101"}))
    code, said = run("outcomes", "flights", str(table))
    assert (code, said.startswith("1 row. True values with their answer: 1;")) == (FINE, True)
    table.write_text(json.dumps({"prediction_id": "id-1", "price": "a lot"}))
    assert run("outcomes", "flights", str(table))[0] == FAILED
    code, said = run("compare", "flights")
    assert code == FAILED
    assert "no reference rows" in said


def test_training_gets_every_labelled_answer_once_the_earliest_first(tmp_path: Path) -> None:
    store = Store("flights", str(tmp_path / "watch"))
    assert outcomes.labelled(store).empty
    later, earlier = DAY, DAY - datetime.timedelta(days=1)
    answered = [record(1, day=later), record(2, day=earlier), record(3, role="challenger", version="b" * 16)]
    answered += [record(1, day=later, role="shadow", version="b" * 16), record(4)]
    write(tmp_path / "journal/a.jsonl", [msgspec.structs.replace(each, model="flights") for each in answered])
    compact(Journal(str(tmp_path / "journal")), store.address)
    table = tmp_path / "table.csv"
    table.write_text("prediction_id,price\nid-1,101\nid-2,202\nid-3,303\n")
    bring(store, base.load("flights").contract, str(table))
    found = outcomes.labelled(store)
    assert found["record.prediction_id"].tolist() == ["id-2", "id-1", "id-3"]
    assert found["price"].tolist() == [202.0, 101.0, 303.0]


def test_training_gets_a_true_value_of_many_answers_once_with_the_last_of_them(tmp_path: Path) -> None:
    store = Store("flights", str(tmp_path / "watch"))
    keys = record(7).keys  # one booking, asked for again and again
    asked = [record(number, day=DAY - datetime.timedelta(days=number % 2)) for number in range(50)]
    answered = [*(msgspec.structs.replace(each, keys=keys) for each in asked), record(50), record(51)]
    write(tmp_path / "journal/a.jsonl", [msgspec.structs.replace(each, model="flights") for each in answered])
    compact(Journal(str(tmp_path / "journal")), store.address)
    place = truth.Identity(keys=tuple(keys.items()))
    truth.write(store, "000001-a", {place: 500.0, truth.Identity("id-50"): 60.0, truth.Identity("id-51"): 61.0})
    found = outcomes.labelled(store)
    assert found["record.prediction_id"].tolist() == ["id-48", "id-50", "id-51"]
    assert found["price"].tolist() == [500.0, 60.0, 61.0]
