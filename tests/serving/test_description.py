"""What a model says about itself, beyond what a running server's test looks at."""

import dataclasses
from typing import Any

import pytest

from model import bundle
from model.bundle import Bundle, Reference
from serving import description
from tests.project import Project
from validation.parsing import ABSENT


@pytest.fixture(scope="module")
def opened(trained: Project) -> Bundle:
    return bundle.read(trained.folder / "data/flights/bundle")


def seen(opened: Bundle, **columns: dict[str, Any]) -> dict[str, Any]:
    """What is published of a reference with these columns."""
    described = description.of(dataclasses.replace(opened, reference=Reference(columns, 7)), {})
    assert described["reference"]["rows"] == 7
    found: dict[str, Any] = described["reference"]["columns"]
    return found


@pytest.mark.parametrize(("names", "published"), [(description.MOST_CHOICES, True), (1_001, False)])
def test_shares_of_too_many_names_are_left_out(opened: Bundle, names: int, published: bool) -> None:
    shares = {f"name {place}": 1 / names for place in range(names)}
    entry = seen(opened, agency={"missing": 0.25, "shares": shares})["agency"]
    assert entry == {"missing": 0.25, **({"shares": shares} if published else {})}


def test_dates_of_any_time_are_written_as_requests_carry_them(opened: Bundle) -> None:
    seconds = [-62135596800.0, -1.0, 0.0, 43_200.5, 253402214400.0]
    entry = seen(opened, date={"missing": 0.0, "deciles": seconds})["date"]
    assert entry["deciles"] == ["0001-01-01", "1969-12-31", "1970-01-01", "1970-01-01", "9999-12-31"]


def test_a_column_without_any_value_has_no_deciles(opened: Bundle) -> None:
    for name in ("date", "distance_km"):
        assert seen(opened, **{name: {"missing": 1.0, "deciles": []}}) == {name: {"missing": 1.0, "deciles": []}}


def test_texts_that_training_takes_for_missing_are_said(opened: Bundle) -> None:
    assert set(description.of(opened, {})["missing_texts"]) == ABSENT


def test_describing_does_not_change_the_bundle(opened: Bundle) -> None:
    assert description.of(opened, {}) == description.of(opened, {})
    assert isinstance(opened.reference.columns["date"]["deciles"][0], float)
