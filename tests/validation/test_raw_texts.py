"""Texts that the raw table has where a request has values: refused with what to send, or read by the same rule."""

import pytest

from validation.contract import Column, Contract, Kind, Role
from validation.decode_rows import RowDecoder
from validation.parsing import dates, decimal_comma, flag, names, number

RAW = Contract(
    (
        Column(name="weight", kind=Kind.REAL, parse=number(decimal_comma, unit="kg", absent=("k.A.",)), nullable=True),
        Column(name="sold", kind=Kind.DATE, parse=dates("%d.%m.%Y")),
        Column(name="state", kind=Kind.CATEGORY, parse=names(lower=True)),
        Column(name="used", kind=Kind.FLAG, parse=flag(true="ja", false="nein")),
        Column(name="day", kind=Kind.CATEGORY, parse=lambda text: text.split("/")[1]),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET),
    )
)
CLEAN = {"weight": 15.2, "sold": "2023-05-31", "state": "wie neu", "used": True, "day": "monday"}
FROM_TABLES = RowDecoder(RAW, {"state": ["neu", "wie neu"], "day": ["monday"]})


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        (
            "weight",
            "2.015,2 kg",
            "'2.015,2 kg' is not a number; send 2015.2, or rows as the raw table writes them with",
        ),
        ("weight", "k.A.", "'k.A.' is not a number; send null, or rows"),
        ("sold", "31.05.2023", '; dates are written YYYY-MM-DD; send "2023-05-31", or rows as the raw table'),
        ("used", "Nein", "'Nein' is neither true nor false; send false, or rows as the raw table"),
        ("day", "05/monday", """; send "monday", or rows as the raw table writes them with ?raw=true"""),
    ],
)
def test_a_text_that_the_raw_table_has_is_refused_with_what_would_be_right(column: str, value: str, says: str) -> None:
    [error] = FROM_TABLES.decode([{**CLEAN, column: value}]).errors
    assert says in error.message


@pytest.mark.parametrize(
    ("column", "value"),
    [("weight", "heavy"), ("weight", "1" * 70 + ",5"), ("sold", "31.31.2023"), ("day", "05/tuesday"), ("day", "x")],
)
def test_a_text_that_no_raw_table_has_is_refused_without(column: str, value: str) -> None:
    [error] = FROM_TABLES.decode([{**CLEAN, column: value}]).errors
    assert "raw" not in error.message


def test_names_that_tables_have_in_any_case_requests_may_have_so_too() -> None:
    rows = [{**CLEAN, "state": text} for text in ("wie neu", "WIE NEU", " Wie  Neu", "used")]
    decoded = FROM_TABLES.decode(rows)
    assert decoded.positions == [0, 1, 2]
    assert len(set(decoded.records)) == 1
    before = RowDecoder(RAW, {"state": ["wie neu", "WIE NEU"], "day": ["monday"]})  # joined since it was learned
    assert len(set(before.decode(rows[:2]).records)) == 2
