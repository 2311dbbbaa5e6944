"""Cells that are no values: what is said of them, and of a `parse` that does not hold its promise."""

from pathlib import Path

import pandas as pd
import pytest

from problems.base import Problem
from tests.training.data.test_formats import PLACE, cells, here, problem, silver  # noqa: F401 a fixture that each test uses
from training.data import source
from validation.contract import Column, Contract, Kind, Role
from validation.errors import BoxwoodError, ContractError, TableError


def failing(text: str) -> object:
    return {"1+1": 2}[text]


def test_a_parse_that_fails_is_told_with_column_row_and_value() -> None:
    asked = problem(Column(name="x", kind=Kind.INTEGER, parse=failing))
    with pytest.raises(ContractError) as caught:
        source.main(asked, str(cells("table.csv", "1+1", "2+1")))
    assert str(caught.value).startswith("The `parse` of 'x' failed in row 2 on '2+1': KeyError: '2+1'.")


def test_a_parse_that_returns_no_value_is_an_unreadable_cell() -> None:
    asked = problem(Column(name="x", kind=Kind.CATEGORY, parse=lambda text: [text] if text == "b" else text))
    assert silver(cells("table.csv", "a", "b"), asked)["x"].tolist() == ["a"]
    assert "['b'] is not a string" in PLACE.quarantine.read_text()


def test_a_third_class_is_refused_before_the_old_table_goes() -> None:
    left = problem(Column(name="x", kind=Kind.REAL), Column(name="price", kind=Kind.CATEGORY, role=Role.TARGET))
    with pytest.raises(BoxwoodError, match=r"'price' has 3 classes. List them .* choices=\('0.5', '1.5', '2.5'\)"):
        source.main(left, str(cells("table.csv", "1", "2", "3")))
    assert not PLACE.raw.exists()


def test_integers_are_quarantined_as_integers() -> None:
    """So that one can look for a row by its number."""
    dear = Column(name="price", kind=Kind.REAL, role=Role.TARGET, ge=1)
    silver(cells("table.csv", "1332", "", "7"), problem(Column(name="x", kind=Kind.INTEGER, nullable=True), dear))
    assert PLACE.quarantine.read_text().endswith(",1332,0.5\n")


def test_the_quarantine_names_every_bad_column_with_what_would_mend_it() -> None:
    asked = Problem(
        name="kinds",
        title="Ten columns",
        contract=Contract(
            (
                *(Column(name=f"x{place}", kind=Kind.REAL) for place in range(8)),
                Column(name="size", kind=Kind.CATEGORY, choices=("S", "L")),
                Column(name="date", kind=Kind.DATE),
                Column(name="price", kind=Kind.REAL, role=Role.TARGET, ge=0),
            )
        ),
    )
    bad = {f"x{place}": "" if place % 2 else f"about {place}" for place in range(8)}
    row = {**bad, "size": "M", "date": "31/12/2023", "price": "-1"}
    pd.DataFrame([row] * 3).to_csv("table.csv", index=False)
    with pytest.raises(TableError) as caught:
        silver(Path("table.csv"), asked)
    told = str(caught.value).splitlines()
    assert told[0] == "3 of 3 rows do not satisfy the contract; the limit is 50.0%:"
    number = "if it is a value, the column needs a parse= that reads it"
    assert sorted(told[1:12]) == sorted(
        [
            *(
                f"  x{place}: 3 rows, for example row 1: 'about {place}' is not a number; {number}"
                for place in (0, 2, 4, 6)
            ),
            *(
                f"  x{place}: 3 rows, for example row 1: is missing; if it may be missing, the column is nullable=True"
                for place in (1, 3, 5, 7)
            ),
            "  size: 3 rows, for example row 1: 'M' is not a size that the model knows; "
            "if it is a value, it is lacking in choices=",
            "  date: 3 rows, for example row 1: '31/12/2023' is not a date; dates are written YYYY-MM-DD; " + number,
            "  price (the target): 3 rows, for example row 1: -1 is below the minimum of 0; "
            "if such values are right, its ge= has to allow them",
        ]
    )
