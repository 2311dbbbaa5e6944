"""Similar cases: groups that are large enough, small to publish, and found again from a row as requests carry it."""

import json
from collections import defaultdict
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.metrics import Similar
from tests.project import Project
from training.data import tables
from training.evaluation import similar
from ui import described
from ui.similar import Cases
from ui.similar import find as looked_up
from validation.contract import Column, Contract, Kind, Role

COLUMNS = (
    Column(name="name", kind=Kind.CATEGORY, nullable=True),
    Column(name="shop", kind=Kind.CATEGORY),
    Column(name="new", kind=Kind.FLAG, nullable=True),
    Column(name="rooms", kind=Kind.INTEGER, nullable=True),
    Column(name="income", kind=Kind.REAL, nullable=True),
    Column(name="born", kind=Kind.DATE, nullable=True),
    Column(name="at", kind=Kind.TIMESTAMP, role=Role.TIME),
    Column(name="y", kind=Kind.REAL, role=Role.TARGET),
)
CONTRACT = Contract(COLUMNS)


def drawn(seed: int, rows: int, length: int, names: int) -> pd.DataFrame:
    """Rows of every kind, of which any may lack what may be missing; names are so many and so long."""
    chance = np.random.default_rng(seed)
    codes = np.minimum(chance.zipf(1.5, rows), names)
    table = pd.DataFrame(
        {
            "name": [f"{code}-{'n' * length}" for code in codes],
            "shop": chance.choice(["others", "Ada's", "Bo's"], rows),
            "new": pd.array(chance.random(rows) < 0.3, dtype="boolean"),
            "rooms": pd.array(chance.integers(1, 5, rows), dtype="Int64"),
            "income": chance.lognormal(3, 5, rows) * chance.choice([-1, 1], rows),
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(chance.integers(0, 40_000, rows), unit="D"),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(chance.integers(0, 10**9, rows)), unit="us"),
        }
    )
    told = np.log(np.abs(table.income)) + codes % 3 + table.rooms.astype(float) + 4 * table.new.astype(float)
    for column in ("name", "new", "rooms", "income", "born"):
        share = chance.choice([0.0, 0.2, 0.9, 1.0], p=[0.5, 0.3, 0.15, 0.05])
        table[column] = table[column].mask(chance.random(rows) < share)
    return table.assign(y=told + chance.normal(0, 1, rows))


def seen(found: Similar) -> described.Model:
    """A model as the page reads it of the service."""
    said = [column.describe() for column in COLUMNS]
    metrics = {"similar": json.loads(msgspec.json.encode(found))}
    return described.Model.model_validate(
        {"name": "m", "version": "1", "title": "M", "contract": said, "metrics": metrics}
    )


def by_group(found: Similar, table: pd.DataFrame, answer: dict[str, Any]) -> dict[tuple[str, ...], list[int]]:
    """The places of the rows whose conditions are the same, by what the page says of them."""
    model, groups = seen(found), defaultdict(list)
    for place, row in enumerate(tables.rows(CONTRACT, table)):
        cases = looked_up(model, json.loads(json.dumps(row)), answer)
        assert cases is not None
        groups[tuple(cases.conditions)].append(place)
    return groups


def of(found: Similar, row: dict[str, Any], answer: dict[str, Any]) -> Cases:
    cases = looked_up(seen(found), row, answer)
    assert cases is not None
    return cases


@settings(max_examples=4)
@example(seed=1, rows=100, length=1, names=40)
@example(seed=2, rows=200, length=1, names=10_000)
@given(st.integers(0, 10**6), st.integers(40, 700), st.sampled_from([1, 900]), st.sampled_from([2, 40, 10_000]))
def test_each_row_finds_its_group_of_twenty_and_what_became_of_it(
    seed: int, rows: int, length: int, names: int
) -> None:
    table = drawn(seed, rows, length, names)
    actual = table.y.to_numpy()
    found = similar.find(CONTRACT, table, actual, ())
    if found is None:  # one group is all rows
        assert rows < 100 or length > 1
        return
    assert len(msgspec.json.encode(found)) <= similar.MOST_BYTES
    assert sum(group.rows for group in found.groups) == found.rows == rows
    groups = by_group(found, table, {"prediction": 0.0})
    assert sorted(map(len, groups.values())) == sorted(group.rows for group in found.groups)
    requested = tables.rows(CONTRACT, table)
    for places in groups.values():
        cases = of(found, requested[places[0]], {"prediction": 0.0})
        assert len(places) == cases.rows >= 20
        low, middle, high = (float(each or 0) for each in (cases.low, cases.middle, cases.high))
        truths = actual[places]
        assert low <= middle <= high
        assert np.mean((low <= truths) & (truths <= high)) >= 0.65
        assert not {low, middle, high} & set(truths.tolist())


@settings(max_examples=3)
@given(st.integers(0, 10**6), st.sampled_from([2, 3]))
def test_groups_of_classes_count_them(seed: int, several: int) -> None:
    table = drawn(seed, 600, 3, 40)
    labels = [f"class {place}" for place in range(several)]
    actual = pd.qcut(table.y, several, labels=False).to_numpy().astype(float)
    found = similar.find(CONTRACT, table, actual, labels)
    assert found is not None
    answer = {"prediction": labels[0], "probabilities": dict.fromkeys(labels, 1 / several)}
    requested = tables.rows(CONTRACT, table)
    for places in by_group(found, table, answer).values():
        counts = np.bincount(actual[places].astype(int), minlength=several).tolist()
        expected = {label: count for label, count in zip(labels, counts, strict=True) if count}
        assert of(found, requested[places[0]], answer).classes == expected


def test_the_same_rows_give_the_same_groups_and_too_few_give_none() -> None:
    table = drawn(1, 500, 3, 40)
    first, second = (similar.find(CONTRACT, table, table.y.to_numpy(), ()) for _ in range(2))
    assert first == second is not None
    assert similar.find(CONTRACT, table.head(39), table.y.head(39).to_numpy(), ()) is None
    assert similar.find(CONTRACT, table, np.ones(500), ()) is None


def test_the_evaluation_publishes_groups_and_ties(trained: Project) -> None:
    metrics = json.loads((trained.folder / "data/flights/metrics.json").read_text())
    rows = sum(metrics["splits"].values()) - metrics["splits"]["test"]
    assert sum(group["rows"] for group in metrics["similar"]["groups"]) == metrics["similar"]["rows"] == rows
    [tie] = [tie for tie in metrics["ties"] if {tie["one"], tie["other"]} == {"distance_km", "duration_hours"}]
    assert tie["measure"] == "rank correlation"
    assert tie["size"] > 0.8


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        (1_100.0, 1_234.5, 1_200.0),
        (-3.2, 4.0, 0.0),
        (998.0, 1_003.0, 1_000.0),
        (-0.377, -0.312, -0.32),
        (7.0, 8.0, 8.0),
    ],
)
def test_groups_are_cut_at_round_places(below: float, above: float, expected: float) -> None:
    column = Column(name="x", kind=Kind.REAL)
    contract = Contract((column, COLUMNS[-1]))
    table = pd.DataFrame({"x": [below] * 30 + [above] * 30, "y": [0.0] * 30 + [1.0] * 30})
    found = similar.find(contract, table, table.y.to_numpy(), ())
    assert found is not None
    [fork] = found.forks
    assert fork.below == expected
