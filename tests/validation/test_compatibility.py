"""Which contracts today's callers would survive, and what is said of those that they would not."""

import dataclasses
from typing import Any

import pytest

from problems import base
from validation import compatibility
from validation.contract import Column, Contract, Kind, Role, Unseen

CONTRACT = base.load("flights").contract
KNOWN = {"origin": ["Natal", "Recife"], "agency": ["CloudFy"]}


def described(contract: Contract) -> list[dict[str, Any]]:
    return [column.describe() for column in contract.columns]


def changed(name: str, /, **values: Any) -> list[dict[str, Any]]:
    columns = (dataclasses.replace(c, **values) if c.name == name else c for c in CONTRACT.columns)
    return described(Contract(tuple(columns)))


def test_the_same_contract_breaks_nobody() -> None:
    assert compatibility.breaking(described(CONTRACT), described(CONTRACT), KNOWN, KNOWN) == []
    assert compatibility.changes(described(CONTRACT), described(CONTRACT)) == []


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("cabin", {"name": "class_of_travel"}, "'cabin' is not a column there"),
        ("duration_hours", {"le": 12.0}, "'duration_hours' ends at 12 there"),
        ("duration_hours", {"ge": 1.0}, "'duration_hours' starts at 1 there"),
        ("duration_hours", {"unit": "min"}, "'duration_hours' is in 'min' there instead of 'h'"),
        ("distance_km", {"kind": Kind.INTEGER}, "'distance_km' is of kind integer there instead of real"),
        ("travel_code", {"nullable": False}, "'travel_code' may not be missing there"),
        ("agency", {"unseen": Unseen.REJECT}, "'agency' refuses values that it does not know there"),
        ("price", {"unit": "BRL"}, "the target's unit is 'BRL' instead of 'USD'"),
    ],
)
def test_what_callers_would_notice_is_named(name: str, values: dict[str, Any], reason: str) -> None:
    assert reason in compatibility.breaking(described(CONTRACT), changed(name, **values), KNOWN, KNOWN)


@pytest.mark.parametrize(
    ("name", "values"),
    [("duration_hours", {"le": 100.0}), ("distance_km", {"nullable": True}), ("cabin", {"help": "Other words"})],
)
def test_what_is_wider_or_only_worded_otherwise_breaks_nobody(name: str, values: dict[str, Any]) -> None:
    assert compatibility.breaking(described(CONTRACT), changed(name, **values), KNOWN, KNOWN) == []


def test_new_columns_break_callers_only_if_they_are_required() -> None:
    for nullable, expected in ((True, []), (False, ["'seats' is required there"])):
        seats = Column(name="seats", kind=Kind.INTEGER, nullable=nullable, role=Role.FEATURE)
        wider = described(Contract((*CONTRACT.columns, seats)))
        assert compatibility.breaking(described(CONTRACT), wider, KNOWN, KNOWN) == expected
        assert compatibility.changes(described(CONTRACT), wider) == ["+ seats (integer, feature)"]


def test_values_that_are_not_known_there_are_named_where_they_would_be_refused() -> None:
    same = described(CONTRACT)
    fewer = {"origin": ["Natal"], "agency": []}
    assert compatibility.breaking(same, same, KNOWN, fewer) == ["'origin' does not know 'Recife' there"]


def test_other_classes_break_whoever_compares_with_them() -> None:
    contract = base.load("churn").contract
    renamed = dataclasses.replace(contract.target, choices=("Stays", "Leaves"))
    other = Contract(tuple(renamed if column == contract.target else column for column in contract.columns))
    assert compatibility.breaking(described(contract), described(other), {}, {}) == [
        "the target's choices is ['Stays', 'Leaves'] instead of ['No', 'Yes']"
    ]
