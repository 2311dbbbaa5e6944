"""Which contracts today's callers would survive, and what is said of those that they would not."""

import dataclasses
from typing import Any

import pytest

from problems import base
from validation import compatibility
from validation.contract import Column, Contract, Kind, Role, Unseen

CONTRACT = base.load("flights").contract
KNOWN = {"origin": ["Natal", "Recife"], "agency": ["CloudFy"]}
SEATS = Column(name="seats", kind=Kind.INTEGER)
Manifest = dict[str, Any]


def manifest(contract: Contract, known: dict[str, list[str]] = KNOWN, classes: list[str] | None = None) -> Manifest:
    """What of a bundle's manifest says whom it would break."""
    outcome = {"task": "regression"} if classes is None else {"task": "binary", "classes": classes}
    described = [column.describe() for column in contract.columns]
    return {"contract": described, "fitted": {"vocabularies": known}, "outcome": outcome}


def changed(contract: Contract, name: str, /, **values: Any) -> Contract:
    return Contract(tuple(dataclasses.replace(c, **values) if c.name == name else c for c in contract.columns))


def with_choices(*names: str) -> Contract:
    return changed(CONTRACT, "origin", choices=names)


def test_the_same_contract_breaks_nobody() -> None:
    same = manifest(CONTRACT)
    assert compatibility.breaking(same, same) == []
    assert compatibility.forgotten(same, same) == []
    assert compatibility.changes(same["contract"], same["contract"]) == []


def test_what_changed_in_a_contract_is_a_line() -> None:
    before = manifest(CONTRACT)["contract"]
    other = changed(changed(CONTRACT, "cabin", name="seat"), "distance_km", kind=Kind.INTEGER, ge=1.0)
    other = changed(changed(other, "agency", role=Role.FORBIDDEN, unseen=None), "duration_hours", le=12.0)
    assert compatibility.changed(before, manifest(other)["contract"]) == (
        "removed: cabin; added: seat; "
        "changed: agency (feature → forbidden), duration_hours (le), distance_km (real → integer)"
    )
    assert compatibility.changed(before, manifest(changed(CONTRACT, "cabin", help="Seat"))["contract"]) == ""


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        (
            CONTRACT,
            changed(CONTRACT, "cabin", name="seat"),
            ["'cabin' is not a column there", "'seat' is required there"],
        ),
        (CONTRACT, changed(CONTRACT, "cabin", role=Role.FORBIDDEN), ["'cabin' is not a column there"]),
        (CONTRACT, changed(CONTRACT, "duration_hours", le=12.0), ["'duration_hours' ends at 12 there"]),
        (CONTRACT, changed(CONTRACT, "duration_hours", ge=1.0), ["'duration_hours' starts at 1 there"]),
        (
            CONTRACT,
            changed(CONTRACT, "duration_hours", unit="min"),
            ["'duration_hours' is in 'min' there instead of 'h'"],
        ),
        (
            CONTRACT,
            changed(CONTRACT, "distance_km", kind=Kind.INTEGER),
            ["'distance_km' is of kind integer there instead of real"],
        ),
        (changed(CONTRACT, "distance_km", nullable=True), CONTRACT, ["'distance_km' may not be missing there"]),
        (
            CONTRACT,
            changed(CONTRACT, "agency", unseen=Unseen.REJECT),
            ["'agency' refuses values that it does not know there"],
        ),
        (
            Contract((*CONTRACT.columns, dataclasses.replace(SEATS, role=Role.KEY))),
            Contract((*CONTRACT.columns, SEATS)),
            ["'seats' may not be missing there", "'seats' is no key there and is not sent back"],
        ),
        (CONTRACT, changed(CONTRACT, "user_code", nullable=False), ["'user_code' may not be null there"]),
        (CONTRACT, Contract((*CONTRACT.columns, SEATS)), ["'seats' is required there"]),
        (
            CONTRACT,
            Contract((CONTRACT.columns[1], CONTRACT.columns[0], *CONTRACT.columns[2:])),
            [
                f"'{CONTRACT.columns[1].name}' is field 1 of the row there instead of 2",
                f"'{CONTRACT.columns[0].name}' is field 2 of the row there instead of 1",
            ],
        ),
        (with_choices("Natal", "Recife"), with_choices("Natal"), ["'origin' does not know 'Recife' there"]),
        (CONTRACT, with_choices("Natal"), ["'origin' does not know 'Recife' there"]),
        (with_choices("Natal"), CONTRACT, ["'origin' takes only the names there that training saw"]),
        (CONTRACT, changed(CONTRACT, "price", unit="BRL"), ["the target's unit is 'BRL' instead of 'USD'"]),
        (CONTRACT, changed(CONTRACT, "price", name="fare"), ["the target's name is 'fare' instead of 'price'"]),
    ],
)
def test_what_callers_would_notice_is_named(before: Contract, after: Contract, reasons: list[str]) -> None:
    assert compatibility.breaking(manifest(before), manifest(after)) == reasons


@pytest.mark.parametrize(
    "after",
    [
        changed(CONTRACT, "duration_hours", le=100.0),
        changed(CONTRACT, "distance_km", nullable=True),
        changed(CONTRACT, "cabin", help="Other words"),
        changed(CONTRACT, "agency", choices=("CloudFy",)),
        with_choices("Natal", "Recife", "Salvador"),
        Contract((*CONTRACT.columns, dataclasses.replace(SEATS, nullable=True))),
        Contract((*CONTRACT.columns, dataclasses.replace(SEATS, role=Role.KEY))),
    ],
)
def test_what_is_wider_or_only_worded_otherwise_breaks_nobody(after: Contract) -> None:
    assert compatibility.breaking(manifest(CONTRACT), manifest(after)) == []


def test_changes_are_told_by_column() -> None:
    wider = manifest(Contract((*CONTRACT.columns, SEATS)))
    assert compatibility.changes(manifest(CONTRACT)["contract"], wider["contract"]) == ["+ seats (integer, feature)"]


def test_names_that_were_only_learned_are_told_apart_from_what_the_contract_says() -> None:
    """They come and go with the table; the rows of the test say how many callers would be refused."""
    fewer = manifest(CONTRACT, {"origin": ["Natal"], "agency": []})
    assert compatibility.breaking(manifest(CONTRACT), fewer) == []
    assert compatibility.forgotten(manifest(CONTRACT), fewer) == ["'origin' does not know 'Recife' there"]
    assert compatibility.forgotten(fewer, manifest(CONTRACT)) == []


def test_other_answers_break_whoever_compares_with_them() -> None:
    contract = base.load("churn").contract
    before = manifest(contract, {}, ["No", "Yes"])
    renamed = changed(contract, contract.target.name, choices=("Stays", "Leaves"))
    assert compatibility.breaking(before, manifest(renamed, {}, ["Stays", "Leaves"])) == [
        "the target's choices is ['Stays', 'Leaves'] instead of ['No', 'Yes']"
    ]
    learned = changed(contract, contract.target.name, choices=None)
    assert compatibility.breaking(manifest(learned, {}, ["No", "Yes"]), manifest(learned, {}, ["0", "1"])) == [
        "the answers are probabilities of '0' and '1' instead of probabilities of 'No' and 'Yes'"
    ]
    value = changed(contract, contract.target.name, choices=None, kind=Kind.REAL)
    assert "the answers are numbers instead of probabilities of 'No' and 'Yes'" in compatibility.breaking(
        manifest(learned, {}, ["No", "Yes"]), manifest(value, {})
    )
