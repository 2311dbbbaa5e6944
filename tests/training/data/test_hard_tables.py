"""Tables that nobody would wish for: each gets a model, or one sentence that says what happened, where, what to do."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from problems.base import Problem
from tests.training.conftest import GONE, IN_TIME, PARAMS, PRICE, TARGETS, Outcome, positives, problem, table
from training.registry import promote
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role, Unseen

FLAG = Column(name="gone", kind=Kind.FLAG, role=Role.TARGET)
ANY_KIND = (
    Column(name="a", kind=Kind.FLAG, nullable=True),
    Column(name="b", kind=Kind.DATE, nullable=True),
    Column(name="c", kind=Kind.TIMESTAMP, nullable=True),
    Column(name="d", kind=Kind.INTEGER, nullable=True),
    Column(name="e", kind=Kind.CATEGORY, nullable=True, choices=("x", "y")),
)
FOLDS = {**PARAMS, "evaluate": {**PARAMS["evaluate"], "folds": 5}}


@TARGETS
@IN_TIME
@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_rows_than_splits(outcome: Outcome, target: Column, in_time: bool, rows: int) -> None:
    said = outcome(problem(target, in_time), table(rows))
    assert isinstance(said, str)
    assert "needs four at least. Bring more rows." in said


@TARGETS
@IN_TIME
@pytest.mark.parametrize("rows", [4, 6, 30])
def test_tiny_tables(outcome: Outcome, target: Column, in_time: bool, rows: int) -> None:
    found = outcome(problem(target, in_time), table(rows))
    if isinstance(found, str):
        assert target is GONE
        assert "Bring" in found
    else:
        assert found["rows"] >= 1


@pytest.mark.parametrize("times", [1, 3])
def test_noise_is_noise_however_often_it_is_written(outcome: Outcome, times: int) -> None:
    chance = np.random.default_rng(2)
    noise = pd.DataFrame(chance.normal(size=(500, 4)), columns=["x0", "x1", "x2", "price"])
    asked = Problem(
        name="hard",
        title="Noise",
        contract=Contract((*(Column(name=f"x{n}", kind=Kind.REAL) for n in range(3)), PRICE)),
    )
    found = outcome(asked, pd.concat([noise] * times))
    assert isinstance(found, dict)
    unexplained = None if times == 1 else 0.0  # a copy has the target of its twin
    assert found["duplicates"] == {"rows": 500 * (times - 1), "together": 500 * (times - 1), "noise": unexplained}
    assert found["scores"]["model"]["r2"]["value"] < 0.05
    decision = promote.decide(asked, Workspace(asked.name), None)
    assert not decision.promoted
    assert decision.reasons[0].startswith("there is no champion yet; it does not beat the lookup of group means (rmse ")


@IN_TIME
@pytest.mark.parametrize("value", [0.0, 5.0, -1e15])
def test_a_constant_target_is_predicted(outcome: Outcome, in_time: bool, value: float) -> None:
    found = outcome(problem(PRICE, in_time), table(200).assign(price=value))
    assert isinstance(found, dict)
    assert found["scores"]["model"]["mae"]["value"] <= 1e-6 * max(abs(value), 1)
    assert found["scores"]["model"]["r2"]["value"] is None
    assert found["interval"]["covered"]["value"] == 1


def test_a_target_too_large_for_lightgbm(outcome: Outcome) -> None:
    said = outcome(problem(PRICE, False), table(200).assign(price=lambda drawn: drawn.price * 1e40))
    assert isinstance(said, str)
    assert "LightGBM holds targets in 32 bits, so 1e+37 is the limit" in said


@pytest.mark.parametrize(
    ("target", "booster", "sentence"),
    [
        (
            PRICE,
            {"objective": "lambdarank"},
            "The booster's objective is 'lambdarank', whose raw scores are not the values",
        ),
        (GONE, {"objective": "cross_entropy"}, "objective is 'cross_entropy'"),
        (PRICE, {"reg_sqrt": True}, "The booster's 'reg_sqrt' is not supported"),
        (GONE, {"linear_tree": True}, "LightGBM has no SHAP values for linear trees"),
    ],
)
def test_objectives_whose_scores_are_no_answers(
    outcome: Outcome, target: Column, booster: dict[str, Any], sentence: str
) -> None:
    train_params = {**PARAMS["train"], "booster": {**PARAMS["train"]["booster"], **booster}}
    said = outcome(problem(target, False), table(200), {**PARAMS, "train": train_params})
    assert isinstance(said, str)
    assert sentence in said


def test_other_losses_of_a_number_are_learned(outcome: Outcome) -> None:
    booster = {**PARAMS["train"]["booster"], "objective": "regression_l1"}
    found = outcome(problem(PRICE, False), table(300), {**PARAMS, "train": {**PARAMS["train"], "booster": booster}})
    assert isinstance(found, dict)
    assert found["scores"]["model"]["r2"]["value"] > 0.5


def test_one_fold_is_no_cross_validation(outcome: Outcome) -> None:
    said = outcome(problem(GONE, False), table(200), {**PARAMS, "evaluate": {**PARAMS["evaluate"], "folds": 1}})
    assert isinstance(said, str)
    assert "hard.evaluate: a cross-validation has at least two folds" in said


@TARGETS
def test_a_feature_too_large_for_the_baselines(outcome: Outcome, target: Column) -> None:
    assert isinstance(outcome(problem(target, True), table(200).assign(area=lambda drawn: drawn.area * 1e306)), dict)


ONE_CLASS = [
    (True, (), "Every row to learn from has gone = 'No': there is nothing to tell apart. Bring a table"),
    (False, (), "Every row to learn from has gone = 'No': there is nothing to tell apart. Bring a table"),
    (True, (198, 199), "No row to learn from has gone = 'Yes', and 2 of the table have: a model cannot learn"),
    (True, (134,), "No row to learn from has gone = 'Yes', and 1 of the table has: a model cannot learn"),
    (True, (150,), "Bring more rows of it from earlier times."),
]


@pytest.mark.parametrize(("in_time", "places", "sentence"), ONE_CLASS)
def test_a_class_that_training_does_not_see(
    outcome: Outcome, in_time: bool, places: tuple[int, ...], sentence: str
) -> None:
    said = outcome(problem(GONE, in_time), positives(*places))
    assert isinstance(said, str)
    assert sentence in said


@IN_TIME
def test_a_third_class_is_refused_before_anything_is_learned(outcome: Outcome, in_time: bool) -> None:
    learned = dataclasses.replace(GONE, choices=None)
    said = outcome(problem(learned, in_time), table(200).assign(gone=[*["Yes", "No"] * 99, "Maybe", "Maybe"]))
    assert isinstance(said, str)
    assert "has 3 classes. List them in its column, in their order: choices=('Maybe', 'No', 'Yes')" in said
    assert not Workspace("hard").split.exists()


@IN_TIME
@pytest.mark.parametrize("places", [(3, 70), (3, 70, 180), (3, 150, 199)])
def test_a_rare_class(
    outcome: Outcome, capsys: pytest.CaptureFixture[str], in_time: bool, places: tuple[int, ...]
) -> None:
    found = outcome(problem(GONE, in_time), positives(*places), FOLDS)
    assert isinstance(found, dict)
    assert "cross_validation" not in found
    assert (
        f"no 5-fold cross-validation: The class 'Yes' has {len(places)} rows; each fold needs"
        in capsys.readouterr().out
    )


def test_a_time_that_leaves_little_to_learn_from_is_refused(outcome: Outcome) -> None:
    years = table(200).assign(day=pd.to_datetime(pd.Series(2015 + np.arange(200) // 50, dtype="str")))
    said = outcome(problem(PRICE, True), years)
    assert isinstance(said, str)
    assert "'day' has 4 different values, and rows of one time stay together: only 25% of the rows" in said


def test_an_undefined_roc_auc_is_none(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    found = outcome(problem(GONE, True), positives(*range(0, 80, 2)), PARAMS)
    assert isinstance(found, dict)
    assert found["scores"]["model"]["roc_auc"] == {"value": None, "low": None, "high": None}
    assert found["scores"]["model"]["log_loss"]["value"] > 0
    assert "- [-, -]" in capsys.readouterr().out


@IN_TIME
def test_a_flag_as_target(outcome: Outcome, in_time: bool) -> None:
    found = outcome(problem(FLAG, in_time), table(200).assign(gone=lambda drawn: drawn.gone == "Yes"))
    assert isinstance(found, dict)
    assert found["decision"]["classes"] == ["false", "true"]


@TARGETS
def test_a_table_without_its_target(outcome: Outcome, target: Column) -> None:
    said = outcome(problem(target, True), table(50).drop(columns=target.name))
    assert isinstance(said, str)
    assert said.startswith(f"table.csv lacks the column '{target.name}'")


@TARGETS
@pytest.mark.parametrize(("missing", "kept"), [(2, True), (60, False)])
def test_missing_targets(outcome: Outcome, target: Column, missing: int, kept: bool) -> None:
    drawn = table(300)
    found = outcome(
        problem(target, True), drawn.assign(**{target.name: drawn[target.name].where(drawn.index >= missing)})
    )
    assert isinstance(found, dict) == kept
    assert not isinstance(found, dict) or found["quarantined"] == missing
    assert (
        kept
        or f"60 of 300 rows do not satisfy the contract; the limit is 1.0%:\n  {target.name} (the target): 60 rows"
        in found
    )
    quarantine = Workspace("hard").quarantine.read_text()
    assert quarantine.count(f"{target.name}: is missing") == missing


@TARGETS
@IN_TIME
def test_columns_that_are_all_null(outcome: Outcome, target: Column, in_time: bool) -> None:
    bare = table(200).assign(**dict.fromkeys(["city", "area", *(column.name for column in ANY_KIND)]))
    assert isinstance(outcome(problem(target, in_time, nullable=True, more=ANY_KIND), bare), dict)


@TARGETS
@pytest.mark.parametrize(
    ("column", "cells", "sentence"),
    [
        ("city", None, "city: 200 rows, for example row 1: is missing; if it may be missing"),
        ("area", None, "area: 200 rows, for example row 1: is missing; if it may be missing"),
        ("area", "-Infinity", "area: 200 rows, for example row 1: -inf is not a finite number\n"),
        ("area", "1e999", "area: 200 rows, for example row 1: inf is not a finite number\n"),
    ],
)
def test_columns_that_hold_nothing(
    outcome: Outcome, target: Column, column: str, cells: str | None, sentence: str
) -> None:
    said = outcome(problem(target, False), table(200).assign(**{column: cells}))
    assert isinstance(said, str)
    assert sentence in said
    assert "raise hard.clean.quarantine_limit in params.yaml" in said


@pytest.mark.parametrize("unseen", list(Unseen))
def test_names_that_are_all_different(outcome: Outcome, unseen: Unseen) -> None:
    town = Column(name="town", kind=Kind.CATEGORY, unseen=unseen)
    found = outcome(problem(PRICE, True, more=(town,)), table(200).assign(town=[f"n{row}" for row in range(200)]))
    assert isinstance(found, dict) == (unseen is Unseen.WARN)
    assert (
        isinstance(found, dict) or "The model refuses every row of the test split, the first because town: 'n" in found
    )


def test_doubled_headers(outcome: Outcome) -> None:
    said = outcome(problem(PRICE, True), table(20).to_csv(index=False).replace("gone", "city", 1))
    assert said == "table.csv has two columns with the header 'city'; rename or remove one."


def test_of_thousands_of_missing_columns_a_few_are_named(outcome: Outcome) -> None:
    more = tuple(Column(name=f"x{place}", kind=Kind.REAL) for place in range(2_000))
    said = outcome(
        problem(PRICE, True, more=more), table(20).join(pd.DataFrame(0, range(20), [f"y{i}" for i in range(2_000)]))
    )
    assert isinstance(said, str)
    assert " and 1,970 more. It has: " in said


def test_a_column_that_tells_the_time_is_no_growth(outcome: Outcome) -> None:
    twin = Column(name="age", kind=Kind.REAL)
    drawn = table(300).assign(age=lambda drawn: (pd.to_datetime(drawn.day) - pd.Timestamp("2019-01-01")).dt.days)
    assert isinstance(outcome(problem(PRICE, True, more=(twin,)), drawn), dict)


OWN_NAMES = (
    "row",
    "reason",
    "split",
    "index",
    "level_0",
    "actual",
    "model",
    "low",
    "high",
    "rows",
    "errors",
    "prediction",
)


@TARGETS
def test_columns_named_as_what_stages_add(outcome: Outcome, target: Column) -> None:
    drawn, more = table(300), tuple(Column(name=name, kind=Kind.REAL) for name in OWN_NAMES)
    for name in OWN_NAMES:
        drawn[name] = drawn.area
    drawn.loc[0, "row"] = None
    assert isinstance(outcome(problem(target, True, more=more), drawn), dict)
    quarantine = pd.read_csv(Workspace("hard").quarantine)
    assert quarantine[["_row", "_reason"]].to_numpy().tolist() == [[1, "row: is missing"]]
