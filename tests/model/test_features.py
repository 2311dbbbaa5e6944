"""From columns to the model matrix: what is fitted, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.features import fit
from problems.base import Problem
from validation.contract import Column, Contract, Kind, Role

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PROBLEM = Problem(
    name="m",
    title="M",
    contract=Contract(
        (
            Column(name="x", kind=Kind.REAL, nullable=True, help="x", example=1.0),
            Column(name="y", kind=Kind.REAL, role=Role.TARGET, help="y", example=1.0),
        )
    ),
)


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_what_stands_for_a_missing_number_is_the_median_however_large_it_is(numbers: list[float]) -> None:
    columns = {"x": np.array(numbers), "y": np.zeros(len(numbers))}
    fill = fit(PROBLEM, columns).fills["x"]
    assert (columns["x"] < fill).sum() <= len(numbers) / 2
    assert (columns["x"] > fill).sum() <= len(numbers) / 2
    assert np.isfinite(fill)


def test_it_is_the_mean_of_the_two_in_the_middle() -> None:
    columns = {"x": np.array([4.0, 1.0, 10.0, 2.0]), "y": np.zeros(4)}
    assert fit(PROBLEM, columns).fills["x"] == pytest.approx(np.median(columns["x"]))
