"""Rows as raw tables write them: by their headers or by names, and nothing of them is left out unsaid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation import raw
from validation.contract import Column, Contract, Kind, Role
from validation.decode_rows import RowDecoder

ROOMS = Column(name="rooms", kind=Kind.INTEGER)
AREA = Column(name="floor_area", kind=Kind.REAL, source="Area (m2)", nullable=True)
YEAR = Column(name="year", kind=Kind.INTEGER, source="Built", nullable=True)
PRICE = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
CONTRACT = Contract((ROOMS, AREA, YEAR, PRICE))
OPTIONAL = Contract((AREA, YEAR, PRICE))


@pytest.mark.parametrize(
    ("contract", "row", "wanted"),
    [
        (CONTRACT, {"rooms": "3", "Area (m2)": "70.5"}, {"rooms": 3, "floor_area": 70.5}),
        (CONTRACT, {"rooms": 3, "floor_area": 70.5}, {"rooms": 3, "floor_area": 70.5}),
        (OPTIONAL, {"Area (m2)": "70.5", "Built": "1990"}, {"floor_area": 70.5, "year": 1990}),
        (OPTIONAL, {"year": "1990", "else": "x"}, {"year": 1990}),
        (OPTIONAL, {"else": "x"}, {}),
    ],
)
def test_a_column_that_may_be_missing_is_found_by_its_header_too(
    contract: Contract, row: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert raw.as_requested(contract, [row]) == [wanted]


@given(st.sets(st.sampled_from(["rooms", "floor_area", "year"])))
def test_whichever_columns_a_row_has_all_of_them_are_sent(names: set[str]) -> None:
    columns = [column for column in CONTRACT.inputs if column.name in names]
    wanted = {column.name: 1 for column in columns}
    for row in ({column.name: "1" for column in columns}, {column.source: "1" for column in columns}):
        assert raw.as_requested(CONTRACT, [row]) == [wanted]


def test_two_headers_that_are_one_are_named_and_refuse_their_row_alone() -> None:
    good = {"rooms": "3", "Built": "1990"}
    rows = [good, {**good, "Built ": "1991"}, {**good, " else": "x", "else": "y"}]
    requested = raw.as_requested(OPTIONAL, rows)
    decoded = RowDecoder(OPTIONAL, {}).decode(requested)
    [error] = decoded.errors
    assert (error.row, error.message) == (1, "'Built' and 'Built ' are one header; send one of the two cells")
    assert decoded.positions == [0, 2]
