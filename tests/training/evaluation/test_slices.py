"""Slices of the test rows, and cross-validation."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from problems import base
from problems.base import Problem
from tests.project import Project
from training.data import tables
from training.data.split import SplitParams
from training.evaluation import slices
from training.evaluation.crossvalidate import cross_validate
from training.learning import metrics
from training.learning.params import TrainParams
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError

CONTRACT = Contract(
    (
        Column(name="cabin", kind=Kind.CATEGORY, nullable=True, example="a"),
        Column(name="direct", kind=Kind.FLAG, example=True),
        Column(name="km", kind=Kind.REAL, example=1.0),
        Column(name="date", kind=Kind.DATE, role=Role.TIME, example="2020-01-01"),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET),
    )
)


def table(days: int, rows: int = 400) -> pd.DataFrame:
    """Rows evenly spread over so many days from the first of January 2023."""
    offsets = pd.to_timedelta(np.arange(rows) * days // rows, unit="D")
    return pd.DataFrame(
        {
            "cabin": ["a", "a", "a", "b"] * (rows // 4),
            "direct": [True, False] * (rows // 2),
            "km": 1.0,
            "date": pd.Timestamp("2023-01-01") + offsets,
        }
    )


def test_slices_are_categories_flags_and_periods_with_enough_rows() -> None:
    rows = table(120)
    found = {(column, value): places for column, value, places in slices.find(CONTRACT, rows, 100)}
    assert [value for column, value in found if column == "cabin"] == ["a", "b"]
    assert [value for column, value in found if column == "direct"] == ["False", "True"]
    assert {column for column, _ in found} == {"cabin", "direct", "date"}
    assert found["cabin", "b"].tolist() == list(range(3, 400, 4))
    few = {(column, value) for column, value, _ in slices.find(CONTRACT, rows, 101)}
    assert ("cabin", "b") not in few
    assert ("cabin", "a") in few


@pytest.mark.parametrize(
    ("days", "first", "count"),
    [
        (4 * 365, "2023", 4),
        (3 * 365, "2023Q1", 12),
        (120, "2023-01", 4),
        (60, "2022-12-26/2023-01-01", 10),
        (5, "2023-01-01", 5),
        (2, "2023-01-01", 2),
    ],
)
def test_periods_are_the_coarsest_of_which_there_are_four(days: int, first: str, count: int) -> None:
    periods = [value for column, value, _ in slices.find(CONTRACT, table(days), 1) if column == "date"]
    assert periods[0] == first
    assert len(periods) == count


def test_the_periods_of_a_slice_share_no_row_and_leave_none_out() -> None:
    places = [places for column, _, places in slices.find(CONTRACT, table(365), 1) if column == "date"]
    assert sorted(np.concatenate(places).tolist()) == list(range(400))


def test_every_name_with_enough_rows_is_a_slice_and_so_are_missing_values() -> None:
    rows = table(30).assign(cabin=pd.Series([f"c{number // 10:02}" for number in range(350)]).reindex(range(400)))
    names = [value for column, value, _ in slices.find(CONTRACT, rows, 10) if column == "cabin"]
    assert names == ["(missing)", *(f"c{number:02}" for number in range(35))]


HOW = TrainParams(rounds=40, stop_after=10, seed=1, booster={"num_threads": 1, "num_leaves": 5, "learning_rate": 0.1})
SHARES = SplitParams(validation=0.1, calibration=0.1, test=0.2, seed=1)


@pytest.fixture(scope="module")
def churn() -> Problem:
    return base.load("churn")


@pytest.fixture(scope="module")
def customers(churned: Project) -> pd.DataFrame:
    return tables.read(churned.folder / Workspace("churn").silver)


def test_cross_validation_judges_every_row_by_a_model_that_did_not_see_it(
    churn: Problem, customers: pd.DataFrame
) -> None:
    found = cross_validate(churn, HOW, SHARES, customers, folds=3, resamples=20)
    assert found.folds == len(found.roc_auc_of_folds) == 3
    assert found.mean_roc_auc == pytest.approx(np.mean(found.roc_auc_of_folds))
    assert 0.75 < found.mean_roc_auc < 0.95
    assert metrics.number(found.scores["ece"]) < 0.06
    assert found == cross_validate(churn, HOW, SHARES, customers, folds=3, resamples=20)


def test_cross_validation_finds_nothing_where_there_is_nothing_to_find(churn: Problem, customers: pd.DataFrame) -> None:
    """Labels by chance, each row written twice: any leak from the judged rows into training or calibration, or from one
    copy of a row to the other, would show as skill."""
    labels = customers["churn"].sample(frac=1, random_state=1).to_numpy()
    half = customers.assign(churn=labels).head(len(customers) // 2)
    written_twice = pd.concat([half, half], ignore_index=True)
    found = cross_validate(churn, HOW, SHARES, written_twice, folds=3, resamples=20)
    assert found.mean_roc_auc == pytest.approx(0.5, abs=0.06)


def test_cross_validation_of_rows_in_time_judges_later_ones() -> None:
    """The share of a class drifts and nothing else tells classes apart: a date says something of its month only."""
    random = np.random.default_rng(4)
    days = np.sort(random.integers(0, 1_440, 6_000))
    share = random.choice([0.1, 0.5, 0.9], 48)[days // 30]
    contract = Contract(
        (
            Column(name="day", kind=Kind.DATE, role=Role.TIME),
            Column(name="noise", kind=Kind.REAL),
            Column(name="left", kind=Kind.FLAG, role=Role.TARGET),
        )
    )
    drifting = pd.DataFrame(
        {
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "noise": random.normal(size=6_000),
            "left": pd.Series(random.random(6_000) < share, dtype="boolean"),
        }
    )
    found = cross_validate(Problem(name="drift", title="", contract=contract), HOW, SHARES, drifting, 5, 20)
    assert found.in_time == "day"
    assert found.mean_roc_auc < 0.6  # 0.75 where folds are drawn at random
    repeated = drifting.assign(day=drifting["day"].min() + pd.to_timedelta(days // 480, unit="D"))
    with pytest.raises(TableError, match="'day' has too few different times for 6 stretches"):
        cross_validate(Problem(name="drift", title="", contract=contract), HOW, SHARES, repeated, 5, 20)


def test_class_weights_move_raw_scores_and_calibration_puts_them_right(churn: Problem, customers: pd.DataFrame) -> None:
    weighted = msgspec.structs.replace(HOW, class_weights={"Yes": 5.0})
    found = cross_validate(churn, weighted, SHARES, customers, folds=2, resamples=20)
    assert metrics.number(found.scores["ece"]) < 0.06
