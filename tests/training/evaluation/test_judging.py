"""Splits, baselines and metrics, against what is known by hand or from scikit-learn."""

import itertools
import json
import random
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from model import loss
from model.features import FeatureMatrix
from model.metrics import Duplicates, Importance, Metrics, Score, Scores
from model.predictor import Predictor
from problems.base import Problem
from tests.project import Project
from training.data import copies, tables
from training.data.split import CALIBRATION, SPLITS, TEST, TRAIN, VALIDATION, SplitParams, assign, shuffled
from training.evaluation import baselines, evaluate, report
from training.learning import metrics
from training.learning.tasks.regression import RegressionTask
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role
from validation.errors import TableError


@given(days=st.lists(st.integers(0, 30), min_size=1, max_size=200), share=st.sampled_from([0.02, 0.1, 0.29]))
def test_splits_are_ordered_and_share_no_day(days: list[int], share: float) -> None:
    order = pd.Series(days)
    params = SplitParams(validation=share, calibration=0.1, test=0.2, seed=1)
    if order.nunique() < 4:
        with pytest.raises(TableError, match="needs four at least"):
            assign(order, params)
        return
    labels = assign(order, params)
    ranges = [order[labels == name] for name in SPLITS]
    # each has a row at least, and is strictly earlier than the next: a day is in one split
    assert all(len(values) for values in ranges)
    assert all(earlier.max() < later.min() for earlier, later in itertools.pairwise(ranges))
    assert sum(map(len, ranges)) == len(order)


SHARES = SplitParams(validation=0.1, calibration=0.15, test=0.2, seed=1)


def test_a_few_days_are_split_as_nearly_as_they_allow() -> None:
    fifths = assign(pd.Series([1] * 25 + [2] * 25 + [3] * 25 + [4] * 25 + [5] * 25), SHARES)
    assert fifths.value_counts().to_dict() == {TRAIN: 50, VALIDATION: 25, CALIBRATION: 25, TEST: 25}


def test_splits_have_their_shares() -> None:
    counts = assign(pd.Series(range(1000)), SHARES).value_counts()
    assert counts.to_dict() == {TRAIN: 550, VALIDATION: 100, CALIBRATION: 150, TEST: 200}


CHANCE = Problem(
    name="chance",
    title="Whether somebody leaves",
    contract=Contract(
        (
            Column(name="x", kind=Kind.REAL),
            Column(name="y", kind=Kind.CATEGORY, nullable=True),
            Column(name="gone", kind=Kind.CATEGORY, role=Role.TARGET, choices=("No", "Yes")),
        )
    ),
)


def customers(rows: int) -> pd.DataFrame:
    random = np.random.default_rng(3)
    names = np.array(["a", "b", None], dtype=object)[random.integers(0, 3, rows)]
    return pd.DataFrame({"x": random.normal(size=rows), "y": names, "gone": random.choice(["No", "Yes"], rows)})


def test_without_time_the_order_is_by_chance_and_each_class_is_spread_evenly() -> None:
    """Random shares of a rare class would differ from split to split, and calibration needs both classes."""
    silver = customers(1_000).assign(gone=["Yes"] * 100 + ["No"] * 900)
    labels = assign(shuffled(CHANCE, silver, 1), SHARES)
    for name, rows in (("train", 550), ("validation", 100), ("calibration", 150), ("test", 200)):
        assert (labels == name).sum() == rows
        assert (silver["gone"][labels == name] == "Yes").sum() == pytest.approx(rows / 10, abs=1)
    assert not labels.equals(assign(shuffled(CHANCE, silver, 2), SHARES))
    assert labels.equals(assign(shuffled(CHANCE, silver, 1), SHARES))


def test_a_row_keeps_its_split_when_the_table_grows() -> None:
    table = customers(3_000)
    before, after = (assign(shuffled(CHANCE, table.head(rows), 1), SHARES) for rows in (2_500, 3_000))
    judged_before_and_learned = (before == "test") & (after[before.index] != "test")
    learned_and_judged = (before != "test") & (after[before.index] == "test")
    assert judged_before_and_learned.mean() < 0.02
    assert learned_and_judged.mean() < 0.02
    shifted = pd.concat([table.tail(500), table.head(2_500)]).reset_index(drop=True)
    moved = assign(shuffled(CHANCE, shifted, 1), SHARES).iloc[500:].reset_index(drop=True)
    assert (moved != after.iloc[:2_500]).mean() < 0.02


INPUTS = ["x", "y"]


@settings(max_examples=20)
@given(times=st.lists(st.integers(1, 4), min_size=100, max_size=150), order=st.randoms(use_true_random=False))
def test_copies_stay_in_one_split_whatever_their_target(times: list[int], order: random.Random) -> None:
    repeated = np.repeat(np.arange(len(times)), times).tolist()
    order.shuffle(repeated)
    silver = customers(len(times)).iloc[repeated].reset_index(drop=True)
    silver["gone"] = [order.choice(["No", "Yes"]) for _ in repeated]
    labels = assign(shuffled(CHANCE, silver, 1), SHARES)
    assert labels.groupby(repeated).nunique().max() == 1
    assert copies.summary(silver, INPUTS) == Duplicates(len(silver) - len(times), len(silver) - len(times))
    for name, share in ((TEST, 0.2), (CALIBRATION, 0.15), (VALIDATION, 0.1)):
        assert (labels == name).sum() == pytest.approx(share * len(silver), abs=5)


def test_rows_of_a_kind_that_is_common_are_no_copies() -> None:
    """With few columns of few values all rows have twins; kept together, the model would be asked for kinds that
    taught nothing."""
    random = np.random.default_rng(0)
    silver = pd.DataFrame({"x": random.choice([1.0, 2.0, 3.0], 900), "y": random.choice(["a", "b"], 900)})
    silver["gone"] = random.choice(["No", "Yes"], 900)
    labels = assign(shuffled(CHANCE, silver, 1), SHARES)
    assert copies.summary(silver, INPUTS) == Duplicates(894, 0)
    assert set(labels.groupby([silver["x"], silver["y"]]).nunique()) == {4}
    # a column more, and still half of the rows are of one kind
    mixed = customers(900).assign(y="a")
    mixed.loc[:449, "x"] = 0.0
    labels = assign(shuffled(CHANCE, mixed, 1), SHARES)
    assert labels[:450].value_counts(normalize=True)[TEST] == pytest.approx(0.2, abs=0.06)
    assert copies.summary(mixed, INPUTS) == Duplicates(449, 0)


def test_a_row_is_known_again_whatever_the_types_of_its_table() -> None:
    silver = customers(50).assign(x=np.arange(50.0))
    learned = copies.hashes(silver.head(30), INPUTS, "gone")
    wider = silver.assign(x=silver["x"].astype("Int64"), y=silver["y"].astype("string"), more=1)[::-1]
    known = copies.hashes(wider, INPUTS, "gone")
    for whole in (True, False):
        again = copies.found(known, pd.Series(whole, index=known.index), learned)
        assert sorted(again.index[again]) == list(range(30))


def number(score: Score, name: str) -> float:
    value: float | None = getattr(score, name)
    assert value is not None
    return value


def judged(**scores: Scores) -> Metrics:
    """An evaluation of these predictors and of little else."""
    return Metrics(
        version="", task="regression", rows=5, unit=None, scores=scores, beats_lookup=False, slices=[], splits={},
        quarantined=0, refused=0, importance=Importance("value", 5, {}),
    )  # fmt: skip


SQUARED = loss.of({"objective": "regression"})


@pytest.fixture
def fares() -> pd.DataFrame:
    return pd.DataFrame(
        {"origin": ["a", "a", "b"], "destination": "x", "cabin": "e", "agency": "c", "price": [10.0, 20.0, 60.0]}
    ).assign(date=pd.Timestamp("2024-01-01"))


def test_the_lookup_knows_group_means_and_falls_back_to_the_mean(flights: Problem, fares: pd.DataFrame) -> None:
    asked = fares.assign(origin=["a", "b", "unseen"])
    prices = fares["price"].to_numpy()
    assert baselines.lookup(flights.contract, fares, prices, asked, SQUARED).tolist() == [15.0, 60.0, 30.0]


def test_the_lookup_is_the_best_one_that_the_categories_make(flights: Problem) -> None:
    """Of a wide table nearly every row is a group of its own: means of all categories would say nothing."""
    random = np.random.default_rng(1)
    names = {column.name: random.integers(0, 30, 4_000).astype(str) for column in flights.contract.categories}
    table = pd.DataFrame(names).assign(date=pd.Timestamp("2024-01-01") + pd.to_timedelta(range(4_000), unit="D"))
    worth = {"origin": 100.0, "agency": 10.0}
    parts = [table[name].astype(float).to_numpy() * factor for name, factor in worth.items()]
    targets = np.sum(parts, axis=0) + random.normal(size=4_000)
    known, asked = table[:3_000], table[3_000:]
    told = baselines.lookup(flights.contract, known, targets[:3_000], asked, SQUARED)
    assert np.abs(told - targets[3_000:]).mean() < 5  # 860 by the overall mean


def test_the_lookup_is_chosen_on_rows_that_are_no_kind_of_their_own() -> None:
    """In a table that goes through its quarters again and again, every fourth row is of one quarter."""
    columns = (Column(name="quarter", kind=Kind.CATEGORY), Column(name="shop", kind=Kind.CATEGORY))
    contract = Contract((*columns, Column(name="y", kind=Kind.REAL, role=Role.TARGET)))
    random = np.random.default_rng(2)
    table = pd.DataFrame(
        {"quarter": ["Q1", "Q2", "Q3", "Q4"] * 300, "shop": random.integers(0, 300, 1_200).astype(str)}
    )
    targets = table["quarter"].map({"Q1": 0.0, "Q2": 50.0, "Q3": 100.0, "Q4": 150.0}) + random.normal(0, 5, 1_200)
    told = baselines.lookup(contract, table[:800], targets[:800].to_numpy(), table[800:], SQUARED)
    assert np.abs(told - targets[800:]).mean() < 5


@pytest.mark.parametrize(
    ("objective", "constant"),
    [({"objective": "regression"}, 30.0), ({"objective": "regression_l1"}, 20.0), ({"objective": "mape"}, 20.0),
     ({"objective": "quantile", "alpha": 1.0}, 60.0)],
)  # fmt: skip
def test_a_group_is_told_by_what_its_loss_is_small_for(
    flights: Problem, fares: pd.DataFrame, objective: dict[str, Any], constant: float
) -> None:
    rows = fares.assign(origin="unseen")
    told = baselines.lookup(flights.contract, fares, fares["price"].to_numpy(), rows, loss.of(objective))
    assert told.tolist() == [constant] * 3


def test_a_group_of_one_customer_is_no_certainty(flights: Problem, fares: pd.DataFrame) -> None:
    left = np.array([1.0, 0.0, 1.0])
    shares = baselines.lookup(flights.contract, fares, left, fares, loss.of({"objective": "binary"}), prior_rows=10)
    assert shares == pytest.approx([(1 + 20 / 3) / 12, (1 + 20 / 3) / 12, (1 + 20 / 3) / 11])


def test_every_baseline_answers_rows_that_nobody_has_seen(trained: Project, predictor: Predictor) -> None:
    fitted = predictor.model.fitted
    silver = tables.read(trained.folder / Workspace("flights").silver)
    known, asked = silver.head(2_000), silver.tail(50).assign(agency="Unheard Of")
    prices = known["price"].to_numpy()
    others = baselines.Baselines(
        FeatureMatrix(predictor.problem, fitted), fitted.vocabularies, RegressionTask(predictor.problem, known), SQUARED
    )
    answers = others.predict(known, asked)
    assert list(answers) == ["lookup", "linear", "forest", "mean"]
    assert all(np.isfinite(values).all() and values.shape == (50,) for values in answers.values())
    assert np.unique(answers["mean"]).tolist() == [prices.mean()]
    errors = {name: np.abs(values - asked["price"]).mean() for name, values in answers.items()}
    assert errors["forest"] < errors["mean"]
    assert errors["linear"] < errors["mean"]


def test_importance_is_the_mean_size_of_what_a_caller_is_told(trained: Project, predictor: Predictor) -> None:
    place = Workspace("flights")
    importance = msgspec.json.decode((trained.folder / place.metrics).read_bytes(), type=Metrics).importance
    test = tables.read(trained.folder / place.silver).loc[tables.read(trained.folder / place.evaluation).index]
    assert len(test) > importance.rows == metrics.MOST_EXPLAINED
    rows = tables.rows(predictor.contract, test.iloc[metrics.sample(len(test), metrics.MOST_EXPLAINED)])
    explained = predictor.explain(rows).explanations
    assert {one.space for one in explained} == {importance.space} == {"value"}
    assert set(importance.columns) == {column.name for column in predictor.contract.inputs}
    assert list(importance.columns.values()) == sorted(importance.columns.values(), reverse=True)
    for name, size in importance.columns.items():
        assert size == pytest.approx(sum(abs(one.contributions[name]) for one in explained) / len(rows))


@settings(max_examples=20)
@given(places=st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_importance_is_no_less_than_what_moves_the_answers(
    trained: Project, predictor: Predictor, places: list[int]
) -> None:
    rows = tables.read(trained.folder / Workspace("flights").silver).iloc[places]
    importance = evaluate.importance(predictor, rows)
    explained = predictor.explain(tables.rows(predictor.contract, rows)).explanations
    moved = sum(abs(float(one.prediction) - one.base_value) for one in explained) / len(places)
    assert importance.rows == len(places)
    assert min(importance.columns.values()) >= 0
    assert sum(importance.columns.values()) >= moved * (1 - 1e-6)


def test_metrics_equal_scikit_learn() -> None:
    random = np.random.default_rng(1)
    actual = random.uniform(10, 100, 500)
    predicted = actual + random.normal(0, 10, 500)
    scores = metrics.regression(actual, predicted, metrics.draws(500, 50, 1))
    assert scores["rmse"].value == pytest.approx(sklearn.metrics.root_mean_squared_error(actual, predicted))
    assert scores["mae"].value == pytest.approx(sklearn.metrics.mean_absolute_error(actual, predicted))
    assert scores["r2"].value == pytest.approx(sklearn.metrics.r2_score(actual, predicted))
    assert scores["mape"].value == pytest.approx(sklearn.metrics.mean_absolute_percentage_error(actual, predicted))
    assert scores["wmape"].value == pytest.approx(np.abs(actual - predicted).sum() / actual.sum())
    assert scores["within_10_percent"].value == pytest.approx(np.mean(np.abs(predicted / actual - 1) <= 0.1))
    assert all(number(score, "low") <= number(score, "value") <= number(score, "high") for score in scores.values())


def test_bootstrap_intervals_cover() -> None:
    """The mean absolute error of unit exponentials is 1; 95 % intervals hold it most of the time."""
    covered = 0
    for seed in range(100):
        errors = np.random.default_rng(seed).exponential(size=200)
        mae = metrics.regression(np.zeros(200), errors, metrics.draws(200, 200, seed))["mae"]
        covered += number(mae, "low") <= 1.0 <= number(mae, "high")
    assert 86 <= covered <= 100


def test_metrics_that_are_not_defined_are_said_to_be_absent() -> None:
    scores = metrics.regression(np.zeros(5), np.ones(5), metrics.draws(5, 5, 1))
    assert scores["rmse"].value == 1.0
    assert scores["r2"] == Score(None, None, None)
    assert scores["mape"].value is None
    found = judged(model=scores)
    assert "- [-, -]" in report.table(found)
    json.dumps(msgspec.to_builtins(found), allow_nan=False)


def test_a_model_that_does_not_beat_the_lookup_is_told_so() -> None:
    scores = metrics.regression(np.arange(5.0), np.ones(5), metrics.draws(5, 5, 1))
    found = judged(model=scores, lookup=scores)
    assert "does not beat a lookup" in report.table(found)
    assert "does not beat a lookup" not in report.table(msgspec.structs.replace(found, beats_lookup=True))


def test_every_predictor_that_does_better_is_named() -> None:
    def scores(rmse: float) -> Scores:
        return {"rmse": Score(rmse, rmse, rmse)}

    said = report.remarks(judged(model=scores(2.0), lookup=scores(1.0), linear=scores(3.0), forest=scores(1.5)))
    assert said == [
        "The model does not beat a lookup of group means: use the lookup.",
        "Better than the model by RMSE: forest. Look into why before you rely on it.",
    ]


def test_many_reasons_are_told_shortly() -> None:
    reasons = [f"worse where x is {place}" for place in range(30)]
    assert report.decision_lines(reasons, "flights", "2", "1", promoted=False) == [
        "worse where x is 0",
        "worse where x is 1",
        "and 28 more reasons: `python -m training registry show flights 2`",
        "version 1 goes on serving; to have version 2 served all the same: `make promote PROBLEM=flights@2`",
    ]
    assert report.decision_lines(reasons[:2], "flights", "2", "1", promoted=True) == reasons[:2]
    [_, by_hand] = report.decision_lines(reasons[:1], "flights", "1", None, promoted=False)
    assert by_hand == "nothing is served; to have version 1 served all the same: `make promote PROBLEM=flights@1`"
