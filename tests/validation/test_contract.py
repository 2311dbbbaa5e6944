"""What a contract refuses to be, and what its hash depends on."""

import dataclasses
from typing import Any

import pytest

from problems.base import Problem
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.errors import ContractError
from validation.names import snake

TARGET = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
FEATURE = Column(name="size", kind=Kind.REAL)
TWO = Bins(("low", "high"), (0.5,))


@pytest.mark.parametrize(
    ("labels", "quantiles", "says"),
    [
        (("a", "b"), (0.5, 0.6), "these have 2 and 2"),
        (("a", "b", "c"), (0.6, 0.5), "rise between 0 and 1"),
        (("a", "b"), (0.0,), "rise between 0 and 1"),
        (("a", "b"), (1.5,), "rise between 0 and 1"),
        (("a", "b"), (float("nan"),), "rise between 0 and 1"),
        (("a", "b"), ("half",), "rise between 0 and 1"),
        ((1, 2), (0.5,), "are texts"),
        ("ab", (0.5,), "are texts"),
        (("a", " "), (0.5,), "is empty"),
    ],
)
def test_bins_refuse_nonsense(labels: Any, quantiles: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        Bins(labels, quantiles)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "Two Words", "kind": Kind.REAL}, "lower snake case"),
        ({"name": "a", "kind": Kind.CATEGORY, "ge": 0.0}, "only numbers have bounds"),
        ({"name": "a", "kind": Kind.REAL, "ge": 2.0, "le": 1.0}, "no value satisfies"),
        ({"name": "a", "kind": Kind.REAL, "choices": ("x",)}, "only categories have choices"),
        ({"name": "a", "kind": Kind.REAL, "unseen": Unseen.WARN}, "only categories have choices"),
        ({"name": "a", "kind": Kind.CATEGORY, "choices": ("x", "x")}, "a choice twice"),
        (
            {"name": "a", "kind": Kind.CATEGORY, "choices": ("\u00e9", "b", "e\u0301 ")},
            "'.xe9' and 'e.u0301 ' are one name",
        ),
        ({"name": "a", "kind": Kind.REAL, "bins": TWO}, "only a target that is a number has"),
        ({"name": "a", "kind": Kind.CATEGORY, "role": Role.TARGET, "bins": TWO}, "only a target that is a number has"),
        ({"name": "a", "kind": Kind.CATEGORY, "choices": (1, 2)}, "has the choice 1; choices are texts: '1'"),
        ({"name": "a", "kind": Kind.REAL, "role": Role.TIME}, "must be a date"),
        ({"name": "a", "kind": Kind.DATE, "role": Role.TIME, "nullable": True}, "never null"),
    ],
)
def test_column_refuses_nonsense(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        Column(**arguments)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ((FEATURE,), "this one has 0"),
        ((TARGET, dataclasses.replace(TARGET, name="b", source="b"), FEATURE), "this one has 2"),
        ((TARGET,), "at least one feature"),
        ((TARGET, FEATURE, FEATURE), "share the name"),
        ((TARGET, FEATURE, dataclasses.replace(FEATURE, name="b")), "share the source"),
        ((dataclasses.replace(TARGET, nullable=True), FEATURE), "cannot be nullable"),
        (
            (dataclasses.replace(TARGET, kind=Kind.DATE), FEATURE),
            "'price' is of kind date; a model learns numbers or classes",
        ),
        ((dataclasses.replace(TARGET, kind=Kind.TIMESTAMP), FEATURE), "is of kind timestamp"),
        (
            (dataclasses.replace(TARGET, kind=Kind.CATEGORY, choices=tuple(map(str, range(101)))), FEATURE),
            "has 101 classes .0, 1, 2, 3, 4, ….; a model tells at most 100 apart",
        ),
        (
            (dataclasses.replace(TARGET, kind=Kind.CATEGORY, choices=("high", "low", "High")), FEATURE),
            "the classes 'high' and 'High', which differ by case",
        ),
        (
            (dataclasses.replace(TARGET, bins=Bins(("low", "Low"), (0.5,))), FEATURE),
            "the classes 'low' and 'Low', which differ by case",
        ),
        ((dataclasses.replace(TARGET, bins=Bins(("low", "low "), (0.5,))), FEATURE), "'low' and 'low', which differ"),
        ((dataclasses.replace(TARGET, kind=Kind.CATEGORY, choices=("a",)), FEATURE), "has one class"),
        (
            (TARGET, FEATURE, *(Column(name=name, kind=Kind.DATE, role=Role.TIME) for name in "ab")),
            "At most one column orders",
        ),
    ],
)
def test_contract_refuses_contradictions(columns: tuple[Column, ...], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        Contract(columns)


def test_choices_and_headers_have_one_form() -> None:
    column = Column(
        name="a",
        kind=Kind.CATEGORY,
        choices=("S\u0327is\u0327li", " Bes\u0327iktas\u0327"),
        source="I\u0307lc\u0327e\u00a0",
        example="S\u0327is\u0327li ",
    )
    assert column.choices == ("Şişli", "Beşiktaş")
    assert column.source == "İlçe"
    assert column.example == "Şişli"


@pytest.mark.parametrize(
    ("name", "source", "title"),
    [
        ("wlan", "WLAN", "WLAN"),
        ("kaltmiete_eur", "Kaltmiete (€)", "Kaltmiete (€)"),
        ("grosse_m2", "Größe_m²", "Größe m²"),
        ("cabin", "flightType", "cabin"),  # a name that says something else than the header
        ("distance_km", "", "distance km"),
        ("tech_support", "TechSupport", "Tech Support"),
        ("ph_value", "pH value", "pH value"),
        ("streaming_tv", "StreamingTV", "Streaming TV"),
    ],
)
def test_people_read_a_column_as_its_header_unless_it_has_a_name_of_its_own(name: str, source: str, title: str) -> None:
    assert Column(name=name, kind=Kind.REAL, source=source).title == title


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("DayOfWeek", "day_of_week"),
        ("IsFraud", "is_fraud"),
        ("NoOfRooms", "no_of_rooms"),
        ("HasCrCard", "has_cr_card"),
        ("YearsAtCompany", "years_at_company"),
        ("priceUSD", "price_usd"),
        ("pH", "ph"),
        ("kWhPerYear", "kwh_per_year"),
    ],
)
def test_words_of_a_header_are_parted_and_units_are_not(header: str, name: str) -> None:
    assert snake(header, "") == name


@pytest.mark.parametrize("change", [{"help": "other"}, {"source": "other"}, {"example": 1}, {"parse": str}])
def test_texts_do_not_change_the_hash(change: dict[str, Any]) -> None:
    changed = Contract((TARGET, dataclasses.replace(FEATURE, **change)))
    assert changed.hash == Contract((TARGET, FEATURE)).hash


@pytest.mark.parametrize(
    "change", [{"unit": "m2"}, {"ge": 0.0}, {"le": 9.0}, {"nullable": True}, {"kind": Kind.INTEGER}, {"role": Role.KEY}]
)
def test_whatever_a_caller_sees_changes_the_hash(change: dict[str, Any]) -> None:
    other = Column(name="other", kind=Kind.REAL)
    changed = Contract((TARGET, other, dataclasses.replace(FEATURE, **change)))
    assert changed.hash != Contract((TARGET, other, FEATURE)).hash


def test_flights_has_the_columns_of_the_published_table(flights: Problem) -> None:
    headers = [column.source for column in flights.contract.columns]
    assert ",".join(headers) == "from,to,flightType,agency,time,distance,date,price,travelCode,userCode"
    names = [column.name for column in flights.contract.inputs]
    assert ",".join(names) == "origin,destination,cabin,agency,duration_hours,distance_km,date"
    assert flights.contract.target.unit == "USD"
