"""What a model says about itself, beyond what a running server's test looks at."""

import dataclasses
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from model import bundle
from model.bundle import Bundle
from model.reference import Names, Numbers, Reference
from serving import description
from tests.project import Project
from validation.contract import MOST_LISTED, Contract
from validation.parsing import ABSENT, decimal_comma, names, number


@pytest.fixture(scope="module")
def opened(trained: Project) -> Bundle:
    return bundle.read(trained.folder / "data/flights/bundle")


def seen(opened: Bundle, **columns: Numbers | Names) -> dict[str, Any]:
    """What is published of a reference with these columns."""
    described = description.of(dataclasses.replace(opened, reference=Reference(7, columns)), {})
    assert described["reference"]["rows"] == 7
    found: dict[str, Any] = described["reference"]["columns"]
    return found


@pytest.mark.parametrize("names", [MOST_LISTED, MOST_LISTED + 1])
def test_of_too_many_names_only_those_with_several_rows_are_told(opened: Bundle, names: int) -> None:
    rows = {f"name {place}": 5 if place < 3 else 1 for place in range(names)}
    shares = {name: count / sum(rows.values()) for name, count in rows.items()}
    known = {**opened.manifest.fitted.vocabularies, "agency": sorted(rows)}
    fitted = msgspec.structs.replace(opened.manifest.fitted, vocabularies=known)
    many = dataclasses.replace(
        opened,
        manifest=msgspec.structs.replace(opened.manifest, fitted=fitted),
        reference=Reference(2 * sum(rows.values()), {"agency": Names(0.5, shares, names)}),
    )
    entry = description.of(many, {})["reference"]["columns"]["agency"]
    if names == MOST_LISTED:
        assert entry == {"missing": 0.5, "shares": shares}
    else:
        common = {name: shares[name] for name in ("name 0", "name 1", "name 2")}
        assert entry == {"missing": 0.5, "names": names, "shares": common, "others": 1 - sum(common.values())}


def test_dates_of_any_time_are_written_as_requests_carry_them(opened: Bundle) -> None:
    seconds = [-62135596800.0, -1.0, 0.0, 43_200.5, 253402214400.0]
    entry = seen(opened, date=Numbers(0.0, seconds))["date"]
    assert entry["deciles"] == ["0001-01-01", "1969-12-31", "1970-01-01", "1970-01-01", "9999-12-31"]


def test_a_column_without_any_value_has_no_deciles(opened: Bundle) -> None:
    for name in ("date", "distance_km"):
        assert seen(opened, **{name: Numbers(1.0, [])}) == {name: {"missing": 1.0, "deciles": []}}


def test_texts_that_training_takes_for_missing_are_said(opened: Bundle) -> None:
    assert set(description.of(opened, {})["missing_texts"]) == ABSENT


def test_columns_whose_names_may_have_any_case_say_so(opened: Bundle) -> None:
    contract = opened.model.problem.contract
    columns = (replace(each, parse=names(lower=True)) if each.name == "cabin" else each for each in contract.columns)
    problem = replace(opened.model.problem, contract=Contract(tuple(columns)))
    said = description.of(replace(opened, model=replace(opened.model, problem=problem)), {})["contract"]
    assert [column["name"] for column in said if column.get("any_case")] == ["cabin"]
    assert not any("any_case" in column for column in description.of(opened, {})["contract"])


def test_columns_whose_texts_have_a_decimal_comma_say_so(opened: Bundle) -> None:
    parsers: dict[str, Any] = {"distance_km": decimal_comma, "duration_hours": number(decimal_comma, unit="h")}
    contract = opened.model.problem.contract
    columns = (replace(each, parse=parsers.get(each.name, each.parse)) for each in contract.columns)
    problem = replace(opened.model.problem, contract=Contract(tuple(columns)))
    said = description.of(replace(opened, model=replace(opened.model, problem=problem)), {})["contract"]
    marks = {column["name"]: column["decimal"] for column in said if "decimal" in column}
    assert marks == dict.fromkeys(parsers, ",")


def test_describing_does_not_change_the_bundle(opened: Bundle) -> None:
    assert description.of(opened, {}) == description.of(opened, {})
