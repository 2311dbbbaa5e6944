"""Answers are counted by their ids as they are when rows are read, and samples of them are even and stay the same."""

import datetime
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.record import Record, Role
from monitoring import counts, journal, truth
from monitoring.compact import compact
from monitoring.lines import Journal
from monitoring.outcomes import bring
from monitoring.store import Store
from monitoring.truth import Truth
from tests.monitoring.records import CONTRACT, DAY, MODEL, SECRET, VERSION, record, write
from validation.errors import StoreError

NEXT = DAY + datetime.timedelta(days=1)
OTHER = "b" * 16


def brought(folder: Path) -> Store:
    compact(Journal(str(folder / "journal")), str(folder / "watch"))
    return Store(MODEL, str(folder / "watch"))


def records() -> st.SearchStrategy[list[Record]]:
    """Answers of two versions, by themselves and beside each other, some of them twice."""
    numbers, versions = st.integers(1, 9), st.sampled_from([VERSION, OTHER])
    roles = st.sampled_from(["", "", "shadow", "challenger", "exploring"])

    def answer(number: int, role: Role, version: str) -> Record:
        return record(number, role=role, version=version)

    return st.lists(st.builds(answer, numbers, roles, versions))


@settings(max_examples=40, deadline=None)
@given(st.lists(records(), min_size=1, max_size=3), st.sets(st.integers(1, 9)), st.sets(st.integers(1, 9)))
def test_counts_are_those_of_the_rows(files: list[list[Record]], ids: set[int], keys: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, written in enumerate(files):
            write(Path(folder, f"journal/{name}.jsonl"), written)
        store = brought(Path(folder))
        for column, told in (
            ("prediction_id", [f"id-{number}" for number in ids]),
            ("flat", [str(key) for key in keys]),
        ):
            table = Path(folder, "table.csv")
            table.write_text("\n".join([f"{column},price", *(f"{each},100" for each in told), ""]))
            bring(store, CONTRACT, str(table), SECRET)
        found = counts.of_day(store, DAY, Truth(truth.read(store)))
        rows = truth.with_truth(store, CONTRACT, DAY, DAY)
        others = truth.with_truth(store, CONTRACT, DAY, DAY, role=None)
    labelled = rows[rows[truth.ACTUAL].notna()][journal.VERSION].value_counts().to_dict()
    assert found.answers == rows[journal.VERSION].value_counts().to_dict()
    assert {version: count for version, count in found.labelled.items() if count} == labelled
    explored = others[journal.ROLE].to_numpy() == "exploring"
    assert found.beside == (len(others) - explored.sum() > len(rows))
    assert found.exploring == others[journal.PREDICTION_ID][explored].nunique()


def test_a_sample_is_even_stays_the_same_and_has_each_answer_with_its_shadow(tmp_path: Path) -> None:
    for name, numbers in (("a", range(3_000)), ("b", range(3_000, 4_000))):
        write(tmp_path / f"journal/{name}.jsonl", [record(number) for number in numbers])
        shadows = [record(number, role="shadow", version=OTHER) for number in numbers]
        write(tmp_path / f"journal/{name}-shadows.jsonl", shadows)
    store = brought(tmp_path)

    def sample(share: float, role: Role) -> set[str]:
        return {*journal.load(store, CONTRACT, DAY, DAY, role=role, share=share)[journal.PREDICTION_ID]}

    quarter, half = sample(0.25, ""), sample(0.5, "")
    assert quarter < half < sample(1, "")
    assert len(quarter) == pytest.approx(1_000, abs=110)  # four standard deviations
    assert len(half) == pytest.approx(2_000, abs=127)
    assert sum(int(each.removeprefix("id-")) >= 3_000 for each in half) == pytest.approx(500, abs=64)
    assert sample(0.5, "shadow") == half


def test_the_champion_is_who_has_enough_answers_and_not_who_answered_last(tmp_path: Path) -> None:
    other, before = "b" * 16, DAY - datetime.timedelta(days=1)
    answered = [record(number, day=before) for number in range(20)]
    answered += [record(number, version=other) for number in range(20, 30)]
    write(tmp_path / "journal/a.jsonl", [*answered, record(30, day=NEXT), record(31, day=NEXT)])
    store = brought(tmp_path)
    assert [counts.champion(store, NEXT, fewest) for fewest in (1, 2, 3, 10, 11, 100)] == [
        VERSION, VERSION, other, other, VERSION, VERSION,
    ]  # fmt: skip
    assert counts.champion(store, before, fewest=100) == VERSION


def test_without_answers_there_is_no_champion(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="monitoring compact"):
        counts.champion(Store(MODEL, str(tmp_path / "elsewhere")), NEXT, fewest=1)
