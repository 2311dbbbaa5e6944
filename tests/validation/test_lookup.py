"""Names found among many: what was typed, what was meant, and never more than was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.lookup import Lookup
from validation.names import normal

FLIGHTS = Lookup([f"{airline}-{number}" for number in range(100, 5_100) for airline in ("SG", "AI", "İz")])
TEXTS = st.text("abÅß 1", min_size=1, max_size=6).map(normal).filter(bool)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ["SG-100", "AI-100", "İz-100"]),
        ("sg-87", ["SG-870", "SG-871", "SG-872"]),
        ("4999", ["SG-4999", "AI-4999", "İz-4999"]),
        ("İZ-10", ["İz-100", "İz-101", "İz-102"]),
        (" SG-5099 ", ["SG-5099"]),
        ("nothing like it", []),
    ],
)
def test_what_is_typed_finds_beginnings_first_and_then_what_contains_it(typed: str, found: list[str]) -> None:
    assert FLIGHTS.like(typed, 3) == found


@pytest.mark.parametrize("typed", ["SG-48709", "SG-487o", "XG-4870", "SG4870", "sg-4780"])
def test_a_slip_is_near_its_name(typed: str) -> None:
    lookup = Lookup(["SG-4870", *(f"UK-{number}" for number in range(2_000)), "AI-77"])
    assert lookup.near(typed, 3)[:1] == ["SG-4870"]
    assert lookup.like(typed, 3)[:1] == ["SG-4870"]


def test_what_stands_far_behind_is_found_by_its_beginning() -> None:
    assert Lookup([f"n{number}" for number in range(30_000)]).like("n29999", 5) == ["n29999"]


@given(st.lists(TEXTS, unique=True, max_size=30), TEXTS, st.integers(1, 10))
def test_only_names_are_found_each_once_and_its_own_text_finds_a_name(names: list[str], text: str, most: int) -> None:
    lookup = Lookup(names)
    for found in (lookup.like(text, most), lookup.near(text, most)):
        assert len(found) <= most
        assert set(found) <= set(names)
        assert len(set(found)) == len(found)
    for name in names:
        assert name in lookup.like(name, len(names))
