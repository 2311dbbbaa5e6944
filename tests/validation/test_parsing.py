"""Texts of raw tables: what helpers read of them, and what each refuses."""

from collections.abc import Callable

import pytest

from validation.contract import Column, Kind
from validation.parsing import decimal_comma, flag, names, number, parse_text, parse_typed, timestamps


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (number(unit="m²"), "105 m²", 105),
        (number(unit="m²"), "105M²", 105),
        (number(unit="m²"), "105", 105),
        (number(unit="%"), "-12.5 %", -12.5),
        (number(decimal_comma, unit="€"), "1.250,50 €", 1250.5),
        (number(before="$"), "$1,250.50", 1250.5),
        (number(before="$"), "-$3", -3),
        (number(before="US$", unit="k"), "US$ 3 k", 3),
        (number(absent=("unknown",)), "unknown", None),
        (number(absent=("unknown",)), "7", 7),
        (flag(true="Ja", false="Nein"), "JA", True),
        (flag(true="Ja", false="Nein", absent=("?",)), "?", None),
        (names(absent=("NA", "?")), "NA", None),
        (names(absent=("NA", "?")), "None", "None"),
        (timestamps("%d.%m.%Y %H:%M"), "31.05.2023 13:45", "2023-05-31T13:45:00"),
        (timestamps("%d.%m.%Y %H:%M"), "2023-05-31 13:45:10", "2023-05-31T13:45:10"),
    ],
)
def test_texts_that_are_values(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (number(unit="m²"), "105 ft", "'105 ft' is not a number like 1,250.5 m²"),
        (number(decimal_comma, before="€"), "12.5", "is not a number like € 1.250,5"),
        (number(), "unknown", "'unknown' is not a number like 1,250.5"),
        (flag(true="Ja", false="Nein"), "yes", "'yes' is neither 'Ja' nor 'Nein'"),
        (timestamps("%d.%m.%Y %H:%M"), "31.02.2023 13:45", "is no timestamp like 31.05.2023 13:45 or 2023-05-31T13:45"),
    ],
)
def test_texts_that_are_none(parse: Callable[[str], object], text: str, says: str) -> None:
    with pytest.raises(ValueError, match="is n") as caught:
        parse(text)
    assert says in str(caught.value)


def test_numbers_of_a_typed_file_are_numbers_whatever_texts_are_like() -> None:
    column = Column(name="price", kind=Kind.REAL, parse=number(decimal_comma, unit="€"))
    assert parse_typed(column, 1.25) == 1.25
    assert parse_text(column, "1.250 €") == 1250
