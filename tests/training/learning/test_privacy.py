"""What leaves the machine that trains is nobody's: golden rows are made up, ends are means of several rows."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import bundle
from model.features import FeatureMatrix
from model.model import BOOSTER, Model
from model.predictor import Predictor
from model.reference import QUANTILES, Numbers
from problems.base import Problem, calendar_features
from tests.project import Project
from training.data import tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import made_up, privacy
from training.learning.bundle import reference
from training.learning.params import TrainParams
from training.learning.train import learn
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role
from validation.decode import Columns, to_arrays

PLACE = Workspace("flights")
RICHEST = 987_654.25


def features(columns: Columns, state: Any) -> Columns:
    """The columns, and a name that only one shop of twenty has for each of a hundred goods."""
    pairs = [f"{shop}/{good}" for shop, good in zip(columns["shop"], columns["good"], strict=True)]
    return {**calendar_features(columns, state), "shop+good.pair": np.array(pairs, dtype=object)}


def a_problem() -> Problem:
    columns = (
        Column(name="shop", kind=Kind.CATEGORY),
        Column(name="good", kind=Kind.CATEGORY),
        Column(name="income", kind=Kind.REAL, ge=0, unit="€"),
        Column(name="rooms", kind=Kind.INTEGER, ge=1, le=9, nullable=True),
        Column(name="new", kind=Kind.FLAG),
        Column(name="born", kind=Kind.DATE, nullable=True),
        Column(name="at", kind=Kind.TIMESTAMP),
        Column(name="y", kind=Kind.REAL, role=Role.TARGET),
    )
    return Problem(name="odd", title="Odd", contract=Contract(columns), features=features)


def a_table(rows: int = 3_000) -> pd.DataFrame:
    """Sales; of one person there are one income that nobody else comes near, one birthday and one shop."""
    random = np.random.default_rng(1)
    good = random.integers(0, 100, rows)
    table = pd.DataFrame(
        {
            "shop": [f"s{number % 20}" for number in good],
            "good": [f"g{number}" for number in good],
            "income": np.round(random.lognormal(3, 1, rows), 2),
            "rooms": pd.array(random.integers(1, 10, rows), dtype="Int64"),
            "new": random.random(rows) < 0.02,
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(random.integers(0, 20_000, rows), unit="D"),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 10_000_000, rows), unit="s"),
        }
    )
    effects = random.normal(size=100)[good] + np.log(table["income"]) + 3 * table["new"]
    table["y"] = effects + table["born"].dt.year / 20 + table["rooms"].astype(float) + random.normal(size=rows) / 9
    for name in ("rooms", "born"):
        table[name] = table[name].mask(random.random(rows) < 0.03)
    for name, value in (("shop", "Ada's"), ("income", RICHEST), ("born", pd.Timestamp("1901-02-03"))):
        table.loc[7, name] = value
    return table


@pytest.fixture(scope="module")
def learned() -> tuple[Model, pd.DataFrame]:
    table = a_table()
    parts = {TRAIN: table[:2_400], VALIDATION: table[2_400:2_600], CALIBRATION: table[2_600:]}
    how = TrainParams(rounds=40, stop_after=40, seed=1, booster={"num_threads": 1, "min_data_in_leaf": 5})
    return learn(a_problem(), how, parts)[0], table[:2_400]


def test_made_up_rows_reach_every_feature_and_are_nobodys(learned: tuple[Model, pd.DataFrame]) -> None:
    model, table = learned
    problem = a_problem()
    rows = made_up.rows(model, reference(problem.contract, table, real=False), 20)
    assert len(rows) == 20
    real = tables.rows(problem.contract, table)
    assert not [row for row in rows if row in real]
    assert not {"Ada's", RICHEST, "1901-02-03"} & {value for row in rows for value in row.values()}

    def matrix(of: list[dict[str, Any]]) -> np.ndarray:
        records = Predictor(model).decode(of).raise_if_rejected().inputs
        return FeatureMatrix(problem, model.fitted)(to_arrays(problem.contract.inputs, records))

    made, seen = matrix(rows), matrix(real)
    booster = lgb.Booster(model_str=model.boosters[BOOSTER])
    for place, name in enumerate(booster.feature_name()):
        several = len({value for value in seen[:, place] if not math.isnan(value)}) > 1
        assert (len({value for value in made[:, place] if not math.isnan(value)}) > 1) == several, name
        assert np.isnan(made[:, place]).any() >= np.isnan(seen[:, place]).any(), name

    def leaves(of: np.ndarray) -> int:
        return sum(len(set(tree)) for tree in np.asarray(booster.predict(of, pred_leaf=True)).T)

    chance = np.random.default_rng(1).choice(len(seen), 20, replace=False)
    assert leaves(made) > leaves(seen[chance])


def test_made_up_rows_are_the_same_every_time(learned: tuple[Model, pd.DataFrame]) -> None:
    model, table = learned
    seen = reference(a_problem().contract, table, real=False)
    assert made_up.rows(model, seen, 20) == made_up.rows(model, seen, 20)


def test_the_ends_of_a_column_are_no_single_rows() -> None:
    contract, table = a_problem().contract, a_table()
    found = (reference(contract, table, real=real).columns for real in (False, True))
    hidden, real = (
        {name: seen.quantiles for name, seen in columns.items() if isinstance(seen, Numbers)} for columns in found
    )
    assert real["income"][-1] == RICHEST
    five = np.sort(table["income"])[-5:]
    assert hidden["income"][-1] == pytest.approx(five.mean())
    for name in ("income", "born", "at", "y"):
        assert hidden[name][0] > real[name][0]
        assert hidden[name][-1] < real[name][-1]
        assert hidden[name][1:-1] == real[name][1:-1]
    assert hidden["rooms"] == real["rooms"]  # hundreds of rows have one room, or nine


@given(values=st.lists(st.floats(-8e307, 8e307), min_size=1, max_size=60), whole=st.booleans())
def test_deciles_never_fall_and_stay_within_what_there_was(values: list[float], whole: bool) -> None:
    column = Column(name="x", kind=Kind.REAL)
    contract = Contract((column, Column(name="y", kind=Kind.REAL, role=Role.TARGET)))
    table = pd.DataFrame({"x": values, "y": 0.0})
    seen = reference(contract, table, real=whole)
    for found in (seen.deciles(column), msgspec.to_builtins(seen)["columns"]["x"]["quantiles"]):
        assert found == sorted(found)
        assert min(values) <= found[0] <= found[-1] <= max(values)
    assert (len(seen.deciles(column)), len(found)) == (11, QUANTILES)


def test_a_booster_answers_the_same_without_its_ranges(learned: tuple[Model, pd.DataFrame]) -> None:
    model, table = learned
    hidden = without_ranges(model)
    assert str(RICHEST)[:6] in model.boosters[BOOSTER]
    assert str(RICHEST)[:6] not in hidden.boosters[BOOSTER]
    rows = tables.rows(a_problem().contract, table[:100])
    before, after = map(Predictor, (model, hidden))
    records = before.decode(rows).raise_if_rejected().inputs
    assert (before.scores(records) == after.scores(records)).all()
    assert before.explanations(records) == after.explanations(records)


def without_ranges(model: Model) -> Model:
    boosters = {name: privacy.without_ranges(text) for name, text in model.boosters.items()}
    return dataclasses.replace(model, boosters=boosters)


def test_the_registry_has_no_row_and_no_extreme_of_the_table(trained: Project, flights: Problem) -> None:
    silver = tables.read(trained.folder / PLACE.silver)
    real = tables.rows(flights.contract, silver)
    artifacts = trained.folder / "stores/mlflow/artifacts"
    [golden], [example] = artifacts.rglob("golden.json"), artifacts.rglob("input_example.json")
    shown = json.loads(example.read_text())
    rows = json.loads(golden.read_text())["rows"]
    examples = [dict(zip(shown["columns"], values, strict=True)) for values in shown["data"]]
    for row, shown_row in zip(rows[: len(examples)], examples, strict=True):
        assert row["duration_hours"] == shown_row["duration_hours"]
    assert not [row for row in rows if row in real]
    [seen] = artifacts.rglob("reference.json")
    train = silver.loc[tables.read(trained.folder / PLACE.split)["split"] == TRAIN, "price"]
    deciles = json.loads(seen.read_text())["columns"]["price"]["quantiles"]
    assert train.min() < deciles[0] < deciles[-1] < train.max()
    assert not list(artifacts.rglob("case-*.png"))
    [judged], [page] = artifacts.rglob("metrics.json"), artifacts.rglob("eda.html")
    metrics = json.loads(judged.read_text())
    assert not [row for row in metrics["examples"] if row in real]
    assert min(metrics["reliability"]["rows"]) >= 20
    assert sum(metrics["reliability"]["rows"]) == metrics["rows"]
    assert "No figure is of fewer than 20 rows" in page.read_text()


@pytest.mark.slow
def test_real_rows_leave_where_the_parameters_say_so(trained: Project, flights: Problem, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    project.change_params({"privacy": {"real_rows": True}})
    project.stages("bundle", "evaluate", "plot")
    real = tables.rows(flights.contract, tables.read(project.folder / PLACE.silver))
    opened = bundle.read(project.folder / PLACE.bundle)
    assert len(opened.golden.rows) == 20
    assert not [row for row in opened.golden.rows if row not in real]
    assert opened.model.boosters[BOOSTER] == (project.folder / PLACE.trained / BOOSTER).read_text()
    assert list((project.folder / PLACE.plots).glob("case-*.png"))
