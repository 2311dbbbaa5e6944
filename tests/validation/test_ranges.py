"""Numbers and times far from all that training saw: answered, with a warning that names them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.validation.test_decode_rows import GOOD, WIDE, WORDS
from validation.contract import Column, Kind
from validation.decode_rows import RowDecoder
from validation.ranges import Range

RANGES = {
    "rooms": (1.0, 11.0),
    "area": (20.0, 120.0),
    "built": (0.0, 365.0),  # 1970-01-01 to 1971-01-01
    "listed": (0.0, 10 * 86_400e6),  # ten days from 1970-01-01 on
}
DECODER = RowDecoder(WIDE, WORDS, RANGES)
NEAR: dict[str, Any] = {**GOOD, "built": "1970-06-01", "listed": "1970-01-05T00:00:00"}


def warned(**change: Any) -> list[str]:
    """What the row with other values is warned of."""
    decoded = DECODER.decode([NEAR, {**NEAR, **change}])
    assert not decoded.errors
    assert 0 not in decoded.warnings
    return decoded.warnings.get(1, [])


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"rooms": 13}, "rooms: 13 is far outside of what training saw, 1 to 11"),
        ({"area": 1e300}, "area: 1e+300 is far outside of what training saw, 20 to 120 m2"),
        ({"area": 9.5}, "area: 9.5 is far outside of what training saw, 20 to 120 m2"),
        ({"built": "2024-02-29"}, "built: 2024-02-29 is far outside of what training saw, 1970-01-01 to 1971-01-01"),
        ({"built": "0001-01-01"}, "built: 0001-01-01 is far outside of what training saw, 1970-01-01 to 1971-01-01"),
        ({"built": "1971-12-31"}, "built: 1971-12-31 is far outside of what training saw, 1970-01-01 to 1971-01-01"),
        (  # what orders the rows moves on, and not back
            {"listed": "1969-12-29T00:00:00"},
            "listed: 1969-12-29T00:00:00 is far outside of what training saw, "
            "1970-01-01T00:00:00 to 1970-01-11T00:00:00",
        ),
        (
            {"listed": "9999-12-31T23:59:59Z"},
            "listed: 9999-12-31T23:59:59 is far outside of what training saw, "
            "1970-01-01T00:00:00 to 1970-01-11T00:00:00",
        ),
    ],
)
def test_a_value_far_from_training_is_named_with_the_range_that_training_saw(
    change: dict[str, Any], warning: str
) -> None:
    assert warned(**change) == [warning]


@pytest.mark.parametrize(
    "change",
    [
        {"rooms": 12},
        {"rooms": 1, "area": 130},
        {"area": 10},
        {"area": None, "built": None},
        {"built": "1971-02-06"},
        {"built": "1969-11-26", "listed": "1969-12-31T00:00:00"},
        {"listed": "1970-01-21T00:00:00"},  # later by as much as training is long: time goes on
    ],
)
def test_a_value_just_beyond_the_range_is_nothing_to_warn_of(change: dict[str, Any]) -> None:
    assert warned(**change) == []


def test_each_far_value_has_its_warning_beside_those_of_unseen_names() -> None:
    found = warned(rooms=20, area=500, shop="z")
    assert [text.split(":")[0] for text in found] == ["shop", "rooms", "area"]


def test_without_ranges_nothing_is_far() -> None:
    assert RowDecoder(WIDE, WORDS).decode([{**NEAR, "area": 1e300}]).warnings == {}


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.floats(allow_nan=False, allow_infinity=False))
def test_what_lies_in_the_range_is_never_far(one: float, other: float, value: float) -> None:
    low, high = min(one, other), max(one, other)
    far = Range.of(Column(name="area", kind=Kind.REAL), low, high)
    assert far.low <= low
    assert high <= far.high
    if low < high:  # a wider range takes at least as much
        wider = Range.of(far.column, low, high + abs(high))
        assert not far.low <= value <= far.high or wider.low <= value <= wider.high
