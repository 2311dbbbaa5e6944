"""Labelled rows beside the table: brought, joined, gated, and split."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import base
from problems.base import Problem
from tests.project import ROOT
from training.data import clean, gates, ingest, labelled, source, split, tables
from training.data.split import CALIBRATION, TEST, TRAIN, VALIDATION, LabelledShares
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError

HEAD = "travelCode,userCode,from,to,flightType,price,time,distance,agency,date"
PLACE = Workspace("flights")
TIMELESS = Problem(
    name="houses",
    title="Houses",
    contract=Contract(
        (
            Column(name="area", kind=Kind.REAL),
            Column(name="rooms", kind=Kind.REAL),
            Column(name="price", kind=Kind.REAL, role=Role.TARGET),
            Column(name="number", kind=Kind.INTEGER, role=Role.KEY),
        )
    ),
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())


def fares(count: int, first: int = 0, price: float = 100.0) -> pd.DataFrame:
    """Rows as requests carry them, a day each, with their true values."""
    days = np.datetime64("2023-01-01") + np.arange(first, first + count)
    return pd.DataFrame(
        {
            "origin": "Recife (PE)", "destination": "Natal (RN)", "cabin": "economic", "agency": "Rainbow",
            "duration_hours": 1.5, "distance_km": 500.0, "date": days.astype(str), "price": price + np.arange(count),
        }
    )  # fmt: skip


def raw(rows: pd.DataFrame) -> str:
    """The same as a raw table, booked one by one."""
    lines = (
        f"{place},1,{row.origin},{row.destination},{row.cabin},{row.price},{row.duration_hours},{row.distance_km},"
        f"{row.agency},{pd.Timestamp(str(row.date)):%m/%d/%Y}"
        for place, row in enumerate(rows.itertuples())
    )
    return "\n".join([HEAD, *lines, ""])


def brought(flights: Problem, table: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Silver of a table and labelled rows."""
    Path("table.csv").write_text(raw(table))
    new.to_parquet("new.parquet")
    source.main(flights, "table.csv", labelled="new.parquet")
    for stage in (ingest, clean):
        stage.main(flights)
    return tables.read(PLACE.silver)


def test_they_join_the_table_in_its_storage_types(flights: Problem) -> None:
    silver = brought(flights, fares(40), fares(10, first=40))
    assert silver[gates.LABELLED].tolist()[40:] == list(range(10))
    assert silver[gates.LABELLED].isna().sum() == 40
    assert silver["date"].is_monotonic_increasing
    assert silver["price"].tolist() == [*(100.0 + np.arange(40)), *(100.0 + np.arange(10))]


def test_the_hash_of_the_data_covers_them_and_the_table_keeps_its_own(flights: Problem) -> None:
    brought(flights, fares(40), fares(10, first=40))
    first = json.loads(PLACE.source.read_text())
    brought(flights, fares(40), fares(11, first=40))
    second = json.loads(PLACE.source.read_text())
    assert first["table"] == second["table"]
    assert first["sha256"] != second["sha256"]
    assert second["labelled"]["rows"] == 11


def test_they_stay_until_another_table_is_brought(flights: Problem) -> None:
    brought(flights, fares(40), fares(10, first=40))
    with_them = PLACE.source.read_text()
    source.main(flights)
    assert PLACE.source.read_text() == with_them
    source.main(flights, "table.csv")
    alone = json.loads(PLACE.source.read_text())
    assert not PLACE.labelled.exists()
    assert alone == {"origin": "table.csv", "sha256": json.loads(with_them)["table"]}
    fares(10, first=40).to_parquet("new.parquet")
    source.main(flights, labelled="new.parquet")
    fares(0).to_parquet("none.parquet")
    source.main(flights, labelled="none.parquet")
    assert json.loads(PLACE.source.read_text()) == alone


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "new.parquet does not exist"),
        (lambda path: path.write_text("origin,price\n"), "new.parquet is no Parquet file"),
        (lambda path: fares(3).drop(columns="price").to_parquet(path), "new.parquet lacks the column 'price'"),
    ],
)
def test_a_file_of_something_else_is_refused_and_changes_nothing(flights: Problem, write: object, says: str) -> None:
    Path("table.csv").write_text(raw(fares(40)))
    source.main(flights, "table.csv")
    before = PLACE.source.read_text()
    write(Path("new.parquet"))  # type: ignore[operator]
    with pytest.raises(TableError, match=says):
        source.main(flights, labelled="new.parquet")
    assert PLACE.source.read_text() == before


def test_bad_ones_are_quarantined_with_their_reason(flights: Problem) -> None:
    new = fares(10, first=200)
    new.loc[3, "duration_hours"] = -1.0
    silver = brought(flights, fares(200), new)
    quarantined = pd.read_csv(PLACE.quarantine)
    assert quarantined["_row"].tolist() == [204]
    assert quarantined["_reason"].str.startswith("duration_hours: ").all()
    assert silver[gates.LABELLED].dropna().tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_one_that_the_table_has_too_counts_once_and_as_a_labelled_one(flights: Problem) -> None:
    table = fares(40)
    silver = brought(flights, table, pd.concat([table.tail(4), fares(6, first=40)], ignore_index=True))
    assert len(silver) == 46
    assert silver[gates.LABELLED].tolist()[36:] == list(range(10))
    assert silver["travel_code"].notna().sum() == 40


def test_keys_tell_equal_rows_apart(flights: Problem) -> None:
    table, new = fares(40), fares(40).tail(2)
    silver = brought(flights, table, new.assign(travel_code=[38, 1_000], user_code=1))
    assert len(silver) == 41
    assert silver[gates.LABELLED].dropna().to_dict() == {38: 0, 40: 1}
    assert silver["travel_code"].tolist()[-1] == 1_000


@given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_equal_rows_without_keys_are_as_many_as_the_side_that_has_more_of_them(old: list[int], new: list[int]) -> None:
    def rows(values: list[int]) -> pd.DataFrame:
        numbers = np.array(values, dtype=float)
        missing = pd.Series(np.nan, index=range(len(values)))
        unread = pd.Series(None, index=range(len(values)), dtype="str")
        return pd.DataFrame(
            {"area": numbers, "rooms": 1.0, "price": numbers, "number": missing, gates.UNREADABLE: unread}
        )

    joined = labelled.joined(TIMELESS.contract, rows(old), rows(new))
    assert joined.index.is_unique
    for value in range(6):
        assert (joined["area"] == value).sum() == max(old.count(value), new.count(value))
    assert sorted(joined[gates.LABELLED].dropna()) == list(range(len(new)))


def test_missing_keys_of_labelled_rows_are_no_mistake_and_those_of_the_table_are() -> None:
    place = Workspace("houses")
    place.folder.mkdir(parents=True)
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "\nhouses: {clean: {quarantine_limit: 0.5}}\n")
    numbers = pd.Series([1.0, np.nan, np.nan])
    bronze = pd.DataFrame({"area": 1.0, "rooms": 1.0, "price": [1.0, 2.0, 3.0], "number": numbers})
    bronze[gates.UNREADABLE] = pd.Series(None, index=bronze.index, dtype="str")
    bronze[gates.LABELLED] = [np.nan, np.nan, 0.0]
    tables.write(place.bronze, bronze)
    clean.main(TIMELESS)
    assert tables.read(place.silver)["price"].tolist() == [1.0, 3.0]


@given(st.integers(20, 60), st.integers(-100, 40), st.integers(0, 1_000))
def test_whatever_days_callers_ask_about_the_latest_labelled_rows_are_the_test(new: int, later: int, seed: int) -> None:
    silver = pd.concat([fares(100), fares(new, later, 500.0)], ignore_index=True)
    silver[gates.LABELLED] = [*[np.nan] * 100, *np.arange(float(new))]
    silver = silver.sample(frac=1, random_state=seed).reset_index(drop=True)
    labels = split.newest(base.load("flights"), silver, LabelledShares())
    assert (labels[~labelled.of(silver)] == TRAIN).all()
    came = [silver[gates.LABELLED][labels == name] for name in (TRAIN, VALIDATION, CALIBRATION, TEST)]
    for earlier, following in itertools.pairwise(came):
        assert not earlier.max() >= following.min()
    assert (labels == TEST).sum() == pytest.approx(new / 4, abs=1)


def test_without_time_they_follow_each_other_as_they_came_and_copies_stay_together() -> None:
    area = np.concatenate([np.arange(500.0), 1_000 + np.arange(100.0)])
    area[-1] = area[505]  # and so are the rooms
    silver = pd.DataFrame({"area": area, "rooms": area % 7, "price": np.arange(600.0), gates.LABELLED: np.nan})
    silver.loc[500:, gates.LABELLED] = np.arange(100.0)
    labels = split.newest(TIMELESS, silver, LabelledShares())
    assert (labels[:500] == TRAIN).all()
    assert labels.iloc[-1] == labels.iloc[505] == TRAIN
    assert labels[500:599].tolist() == sorted(labels[500:599], key=[TRAIN, VALIDATION, CALIBRATION, TEST].index)
    assert 23 <= (labels == TEST).sum() <= 25


def test_too_few_labelled_rows_for_a_split_are_told() -> None:
    silver = pd.DataFrame(
        {"area": np.arange(9.0), "rooms": 1.0, "price": 1.0, gates.LABELLED: [*[np.nan] * 6, 0, 1, 2]}
    )
    with pytest.raises(TableError, match="The labelled rows do not come to a split"):
        split.newest(TIMELESS, silver, LabelledShares())
