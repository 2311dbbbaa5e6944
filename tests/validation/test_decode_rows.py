"""Requests to columns: what is refused, in which words, and that nothing else is touched."""

import datetime
import json
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import ODD_VALUES, any_rows, good_rows
from validation.contract import MOST_LISTED, Column, Contract, Kind, Role, Unseen
from validation.decode import MOST_ERRORS, to_arrays
from validation.decode_rows import MOST_COMPARED, RowDecoder
from validation.errors import RowsRejected
from validation.lookup import Lookup
from validation.names import normal

WIDE = Contract(
    (
        Column(name="city", kind=Kind.CATEGORY),
        Column(name="shop", kind=Kind.CATEGORY, unseen=Unseen.WARN, nullable=True),
        Column(name="size", kind=Kind.CATEGORY, choices=("S", "L")),
        Column(name="rooms", kind=Kind.INTEGER, ge=1, le=20),
        Column(name="area", kind=Kind.REAL, ge=0, unit="m2", nullable=True),
        Column(name="new", kind=Kind.FLAG),
        Column(name="built", kind=Kind.DATE, nullable=True),
        Column(name="listed", kind=Kind.TIMESTAMP, role=Role.TIME),
        Column(name="fee", kind=Kind.REAL, role=Role.FORBIDDEN),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET),
        Column(name="number", kind=Kind.INTEGER, role=Role.KEY),
    )
)
WORDS = {"city": ["Rome", "Oslo"], "shop": ["a", "b"]}
GOOD: dict[str, Any] = {
    "city": "Rome",
    "shop": "a",
    "size": "S",
    "rooms": 3,
    "area": 70.5,
    "new": True,
    "built": "1999-12-31",
    "listed": "2024-02-29T10:00:00",
}
DECODER = RowDecoder(WIDE, WORDS)


@pytest.mark.parametrize(
    "built",
    [
        "1999-12-31T00:00:00",
        "1999-12-31T00:00:00.000",
        "1999-12-31 00:00:00",
        "1999-12-31T00:00:00.000Z",
        "1999-12-31T00:00:00+02:00",
        datetime.date(1999, 12, 31),
        datetime.datetime(1999, 12, 31),
        pd.Timestamp("1999-12-31", tz="Europe/Berlin"),
    ],
)
def test_a_date_given_as_its_midnight_is_that_date(built: object) -> None:
    """As pandas writes and holds dates."""
    one, other = (
        DECODER.decode([{**GOOD, "built": value}]).raise_if_rejected().inputs for value in (built, GOOD["built"])
    )
    assert one == other


def test_pandas_own_records_are_requests() -> None:
    table = pd.DataFrame([GOOD]).assign(built=pd.Timestamp("1999-12-31"), listed=pd.Timestamp("2024-02-29T10:00:00"))
    sent = json.loads(table.to_json(orient="records", date_format="iso"))
    assert DECODER.decode(sent).raise_if_rejected().inputs == DECODER.decode([GOOD]).raise_if_rejected().inputs


@pytest.mark.parametrize(
    ("change", "column", "says"),
    [
        ({"city": "Romee"}, "city", "'Romee' is not a city that the model knows"),
        ({"city": 3}, "city", "3 is not a string"),
        ({"city": ""}, "city", "an empty string says nothing"),
        ({"city": "x" * 1001}, "city", "too long"),
        ({"city": None}, "city", "null is not allowed"),
        ({"size": "M"}, "size", "not a size that the model knows"),
        ({"rooms": 2.5}, "rooms", "2.5 is not an integer"),
        ({"rooms": True}, "rooms", "True is not an integer"),
        ({"rooms": "3"}, "rooms", "'3' is not an integer"),
        ({"rooms": 0}, "rooms", "0 is below the minimum of 1"),
        ({"rooms": 21}, "rooms", "21 is above the maximum of 20"),
        ({"number": 2**53 + 1}, "number", "beyond ±2"),
        ({"number": None}, "number", "null is not allowed"),
        ({"area": float("nan")}, "area", "not a finite number"),
        ({"area": float("inf")}, "area", "not a finite number"),
        ({"area": 10**400}, "area", "not a finite number"),
        ({"area": 10**5000}, "area", "an enormous integer"),
        ({"area": -1}, "area", "-1 is below the minimum of 0 m2"),
        ({"area": False}, "area", "False is not a number"),
        ({"new": 1}, "new", "1 is neither true nor false"),
        ({"built": "2023-02-29"}, "built", "not a date; dates are written YYYY-MM-DD"),
        ({"built": "20230228"}, "built", "not a date"),
        ({"built": "2023-W05-3"}, "built", "not a date"),
        ({"built": "1999-12-31T10:00:00"}, "built", "has a time of day; dates are written YYYY-MM-DD"),
        ({"built": "1999-13-31T00:00:00"}, "built", "not a date"),
        ({"built": 946598400000}, "built", 'pandas writes text with to_json(date_format="iso")'),
        ({"listed": 946598400000.0}, "listed", 'pandas writes text with to_json(date_format="iso")'),
        ({"listed": True}, "listed", "True is not a timestamp; timestamps are written YYYY-MM-DDThh:mm:ss"),
        ({"built": pd.NaT}, "built", "NaT is not a date"),
        ({"listed": pd.NaT}, "listed", "NaT is not a timestamp"),
        ({"listed": "2024-02-29"}, "listed", "not a timestamp"),
        ({"listed": "2024-13-29T10:00:00"}, "listed", "not a timestamp"),
        ({"listed": "9999-12-31T23:59:59-10:00"}, "listed", "not within the years 1 to 9999 of UTC"),
        ({"listed": "0001-01-01T00:00:00+10:00"}, "listed", "not within the years 1 to 9999 of UTC"),
        ({"fee": 3.0}, "fee", "leaks the target"),
        ({"price": 3.0}, "price", "what the model predicts"),
        ({"romos": 3}, "romos", "'romos' is not a column of this model"),
    ],
)
def test_a_bad_value_is_refused_in_plain_words(change: dict[str, Any], column: str, says: str) -> None:
    decoded = DECODER.decode([GOOD, {**GOOD, **change}, GOOD])
    [error] = decoded.errors
    assert (error.row, error.column) == (1, column)
    assert says in error.message
    assert decoded.positions == [0, 2]


def test_a_refused_name_comes_with_the_nearest_ones_first() -> None:
    [error] = DECODER.decode([{**GOOD, "city": "Osloo"}]).errors
    assert error.expected == ["Oslo", "Rome"]
    [error] = DECODER.decode([{**GOOD, "romos": 1}]).errors
    assert error.expected is not None
    assert error.expected[0] == "rooms"


@given(name=st.text(max_size=8))
def test_a_name_has_one_form(name: str) -> None:
    form = normal(name)
    assert normal(form) == form == normal(unicodedata.normalize("NFD", name)) == normal(f"\u00a0{name} ")
    assert form.isascii() <= (form == " ".join(form.split()))


def test_a_name_in_another_form_is_the_same_value() -> None:
    decoder = RowDecoder(WIDE, {"city": ["Şişli", "São Paulo"], "shop": ["a"]})
    forms = (unicodedata.normalize("NFD", "São Paulo"), "São\u00a0Paulo", "  São   Paulo\t", "São Paulo")
    decoded = decoder.decode([{**GOOD, "city": form, "shop": "a\u200b", "size": " L "} for form in forms])
    assert decoded.raise_if_rejected().records == [decoded.records[0]] * 4
    assert decoded.records[0][:3] == ("São Paulo", "a", "L")
    assert decoded.warnings == {}
    [error] = decoder.decode([{**GOOD, "city": "Sisli"}]).errors
    assert error.message == "'Sisli' is not a city that the model knows"


def test_an_unseen_name_that_may_pass_is_missing_with_a_warning() -> None:
    decoded = DECODER.decode([GOOD, {**GOOD, "shop": "z"}])
    assert not decoded.errors
    assert decoded.warnings == {1: ["shop: 'z' was not seen in training and is treated as missing"]}
    assert decoded.records[1][1] is None


@pytest.mark.parametrize(
    ("names", "stated", "passes"),
    [
        (MOST_LISTED, None, False),
        (MOST_LISTED + 1, None, True),
        (MOST_LISTED + 1, Unseen.REJECT, False),
        (3, Unseen.WARN, True),
    ],
)
def test_among_very_many_names_there_will_be_new_ones(names: int, stated: Unseen | None, passes: bool) -> None:
    column = Column(name="flight", kind=Kind.CATEGORY, unseen=stated)
    contract = Contract((column, Column(name="fare", kind=Kind.REAL, role=Role.TARGET)))
    known = [f"SG-{number}" for number in range(1_000, 1_000 + names)]
    decoded = RowDecoder(contract, {"flight": known}, lookups={"flight": Lookup(known)}).decode([{"flight": "SG1002"}])
    assert (not decoded.errors, bool(decoded.warnings)) == (passes, passes)
    if not passes:
        [error] = decoded.errors
        assert error.expected is not None
        assert "SG-1002" in error.expected
    assert column.describe(names)["unseen"] == ("warn" if passes else "reject")


def test_a_contract_that_lists_its_choices_means_them() -> None:
    many = Column(name="x", kind=Kind.CATEGORY, choices=tuple(map(str, range(2 * MOST_LISTED))))
    assert many.when_unseen(2 * MOST_LISTED) is Unseen.REJECT


def test_missing_is_null_where_null_is_allowed_and_an_error_elsewhere() -> None:
    bare = {name: value for name, value in GOOD.items() if name not in ("shop", "area", "built")}
    arrays = to_arrays(WIDE.inputs, DECODER.decode([bare]).raise_if_rejected().inputs)
    assert np.isnan(arrays["area"]).all()
    assert np.isnat(arrays["built"]).all()
    assert arrays["shop"][0] is None
    [error] = DECODER.decode([{**GOOD, "city": ...} | {"city": None}]).errors
    assert error.message == "null is not allowed here"
    [error] = DECODER.decode([{name: value for name, value in GOOD.items() if name != "city"}]).errors
    assert error.message == "this column is missing"


def test_arrays_hold_the_values() -> None:
    arrays = to_arrays(WIDE.inputs, DECODER.decode([GOOD, {**GOOD, "listed": "2024-02-29T12:00:00+02:00"}]).inputs)
    assert arrays["listed"][0] == arrays["listed"][1] == np.datetime64("2024-02-29T10:00:00", "us")
    assert arrays["built"][0] == np.datetime64("1999-12-31", "D")
    assert arrays["new"].tolist() == [1.0, 1.0]
    assert arrays["rooms"].dtype == np.float64
    assert arrays["city"].tolist() == ["Rome", "Rome"]


def test_no_rows_are_columns_without_rows() -> None:
    assert {len(values) for values in to_arrays(WIDE.inputs, DECODER.decode([]).inputs).values()} == {0}


def test_a_bad_row_among_ten_thousand_is_one_error() -> None:
    rows = [GOOD] * 10_000
    rows[7_777] = {**GOOD, "rooms": -1}
    decoded = DECODER.decode(rows)
    assert [error.row for error in decoded.errors] == [7_777]
    assert len(decoded.records) == 9_999


def test_errors_are_counted_and_the_first_are_listed() -> None:
    with pytest.raises(RowsRejected, match=r"300 errors in 300 rows, the first 100 errors are listed") as caught:
        DECODER.decode([{**GOOD, "rooms": 0}] * 300).raise_if_rejected()
    assert len(caught.value.errors) == MOST_ERRORS


@pytest.mark.parametrize("length", [4, 20, 1_000])
def test_the_work_of_suggestions_is_bounded_whatever_is_sent(length: int) -> None:
    """Ten misspelt values once cost as much as ten comparisons of all their names, however long these were."""
    names = [f"{number:0{length}}" for number in range(400)]
    columns = [Column(name=f"c{number}", kind=Kind.CATEGORY) for number in range(10)]
    contract = Contract((*columns, Column(name="y", kind=Kind.REAL, role=Role.TARGET)))
    decoder = RowDecoder(contract, {column.name: names for column in columns})
    decoded = decoder.decode([{column.name: "x" * length for column in columns}] * 20)
    work = 400 * length
    assert decoded.error_count == 200
    assert sum(error.expected is not None for error in decoded.errors) == -(-MOST_COMPARED // work)
    assert decoded.compared < MOST_COMPARED + work
    decoded = decoder.decode([{f"column{number}": 1 for number in range(10_000)}])
    assert sum(len("".join(error.expected or ())) for error in decoded.errors) <= MOST_COMPARED + 20


def test_all_errors_name_what_is_few() -> None:
    errors = DECODER.decode([{**GOOD, "city": "Osloo"}] * 50 + [{**GOOD, "city": 10**5_000}]).errors
    assert [(error.expected or ())[:1] for error in errors[:50]] == [["Oslo"]] * 50
    assert errors[50].expected == ["Oslo", "Rome"]


def test_lookups_among_very_many_names_are_fewer_still() -> None:
    known = [f"SG-{number}" for number in range(MOST_LISTED)]
    lookup = Lookup(known)
    decoder = RowDecoder(
        Contract((Column(name="flight", kind=Kind.CATEGORY), Column(name="fare", kind=Kind.REAL, role=Role.TARGET))),
        {"flight": known},
        lookups={"flight": lookup},
    )
    decoded = decoder.decode([{"flight": "SG999"}] * 50)
    assert sum(error.expected is not None for error in decoded.errors) == MOST_COMPARED // lookup.letters == 2


def test_keys_come_back_as_they_were_sent() -> None:
    decoded = DECODER.decode([{**GOOD, "number": 17}, GOOD])
    assert decoded.keys == [{"number": 17}, {}]


@given(row=good_rows(WIDE, WORDS))
def test_good_rows_are_accepted(row: dict[str, Any]) -> None:
    assert DECODER.decode([row]).errors == []


@given(rows=st.lists(any_rows(WIDE, WORDS) | ODD_VALUES, max_size=8))
def test_a_row_is_decoded_as_if_it_were_alone(rows: list[Any]) -> None:
    together = DECODER.decode(rows)
    alone = [DECODER.decode([row]) for row in rows]
    assert together.records == [record for one in alone for record in one.records]
    assert [error.message for error in together.errors] == [error.message for one in alone for error in one.errors]
    assert together.total == len(rows)


def test_a_part_keeps_each_row_with_its_own() -> None:
    first = DECODER.decode([GOOD, {**GOOD, "shop": "y"}])
    assert len(first.records) == 2
    DECODER.decode([{**GOOD, "rooms": 0}, {**GOOD, "shop": "z", "number": 5}], first)
    assert len(first.records) == 1
    assert first.positions == [0, 1, 3]
    assert sorted(first.warnings) == [1, 2]
    assert first.keys[2] == {"number": 5}


@given(rows=st.lists(any_rows(WIDE, WORDS) | ODD_VALUES, max_size=8), border=st.integers(0, 8))
def test_a_request_can_be_read_in_parts(rows: list[Any], border: int) -> None:
    parts = DECODER.decode(rows[:border])
    records = [*parts.records]
    assert DECODER.decode(rows[border:], after=parts) is parts
    parts.inputs = [*records, *parts.records]
    assert parts == DECODER.decode(rows)
