"""Columns that tell the target, and the one by which the rows are in order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.draft.drafting import column, drafted
from validation.contract import Role

CHANCE = np.random.default_rng(0)
WAGE = CHANCE.lognormal(3, 1, 400).round(2)
LEFT = CHANCE.choice(["No", "Yes"], 400)
DAYS = np.datetime64("2020-01-01") + np.sort(CHANCE.integers(0, 500, 400))


@pytest.mark.parametrize(
    ("values", "evidence"),
    [
        (np.log(WAGE), "their ranks correlate by 1.0000"),
        (-(WAGE**2), "their ranks correlate by -1.0000"),
        (WAGE + CHANCE.normal(0, 0.01, 400), "their ranks correlate by"),
    ],
)
def test_a_monotone_function_of_the_target_is_forbidden(here: Path, values: Any, evidence: str) -> None:
    found, problem, _ = drafted({"x": CHANCE.normal(size=400), "lwage": values, "wage": WAGE}, "wage")
    assert column(problem, "lwage").role is Role.FORBIDDEN
    assert evidence in found


@pytest.mark.parametrize(
    ("values", "evidence"),
    [
        (np.where(LEFT == "Yes", 10, 0) + CHANCE.uniform(0, 5, 400), "its ROC AUC is 1.0000"),
        (np.where(LEFT == "Yes", "gone", "here"), "a value goes with one class in 100.00% of the rows"),
        (np.where(LEFT == "Yes", "moved", CHANCE.choice(["a", "b"], 400)), "a value goes with one class in 100.00%"),
        (np.where(LEFT == "Yes", "2023-05-31", ""), "whether it is missing (ROC AUC 1.0000)"),
    ],
)
def test_a_column_that_says_the_class_is_forbidden(here: Path, values: Any, evidence: str) -> None:
    found, problem, _ = drafted({"x": CHANCE.normal(size=400), "told": values, "left": LEFT}, "left")
    assert evidence in found
    assert column(problem, "told").role is Role.FORBIDDEN


def test_a_forbidden_column_is_read_as_its_cells_are_once_its_role_is_taken_away(here: Path) -> None:
    fee = [f"{round(wage, 2)} €".replace(".", ",") if place else "" for place, wage in enumerate(WAGE * 8)]
    _, problem, _ = drafted({"x": CHANCE.normal(size=400), "fee": fee, "wage": WAGE}, "wage")
    said = column(problem, "fee")
    assert said.role is Role.FORBIDDEN
    assert said.parse is not None
    assert (said.parse("54,65 €"), said.unit, said.nullable) == (54.65, "EUR", True)
    assert isinstance(said.example, float)


def test_a_column_that_says_much_is_none(here: Path) -> None:
    much = WAGE * CHANCE.lognormal(0, 0.1, 400)
    _, problem, _ = drafted({"much": much, "city": CHANCE.choice(["a", "b"], 400), "wage": WAGE}, "wage")
    assert {each.role for each in problem.contract.inputs} == {Role.FEATURE}


@pytest.mark.parametrize(
    ("header", "change", "role"),
    [
        ("sold", lambda days: days, Role.TIME),
        ("sold", lambda days: days[::-1], Role.TIME),
        ("date_of_birth", lambda days: days, Role.FEATURE),
        ("verkaufsdatum", lambda days: days + CHANCE.integers(-20, 21, 400), Role.TIME),
        ("verkaufsdatum", CHANCE.permutation, Role.FEATURE),
        ("geburtsdatum", lambda days: days, Role.FEATURE),
        ("sold", CHANCE.permutation, Role.FEATURE),
        ("sold", lambda days: np.where(np.arange(400) == 7, "", days.astype(str)), Role.FEATURE),
        ("sold", lambda days: np.sort(CHANCE.choice(days[:20], 400)), Role.FEATURE),
    ],
)
def test_the_time_column(here: Path, header: str, change: Callable[[Any], Any], role: Role) -> None:
    found, problem, _ = drafted({"x": CHANCE.normal(size=400), header: change(DAYS).astype(str)})
    assert column(problem, header).role is role
    shuffled = "the split is random; if later rows are to be predicted, it has `role=Role.TIME`"
    assert (shuffled in found) == (role is Role.FEATURE and header in ("sold", "verkaufsdatum"))
