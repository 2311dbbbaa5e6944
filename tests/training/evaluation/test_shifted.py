"""Test rows of another kind than those that were learned from are named, and samples of the same rows are not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.evaluation import shifted
from validation.contract import Column, Contract, Kind, Role

CONTRACT = Contract(
    (
        Column(name="km", kind=Kind.REAL, nullable=True),
        Column(name="doors", kind=Kind.INTEGER),
        Column(name="fuel", kind=Kind.CATEGORY, nullable=True),
        Column(name="sold", kind=Kind.DATE, role=Role.TIME),
        Column(name="price", kind=Kind.REAL, role=Role.TARGET),
    )
)


def cars(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    fuels = random.choice(["petrol", "diesel", "gas"], rows, p=[0.6, 0.35, 0.05])
    return pd.DataFrame(
        {
            "km": np.where(random.random(rows) < 0.1, np.nan, random.lognormal(11, 1, rows)),
            "doors": pd.Series(random.choice([3, 5], rows), dtype="Int64"),
            "fuel": pd.Series(fuels, dtype="str").where(random.random(rows) > 0.05),
            "sold": pd.Timestamp("2024-01-01"),
            "price": random.normal(10_000, 2_000, rows),
        }
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(30, 2_000))
def test_samples_of_the_same_rows_are_alike(seed: int, rows: int) -> None:
    assert not list(shifted.find(CONTRACT, cars(3 * rows, seed), cars(rows, seed + 1)))


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("km", lambda cars: cars["km"] * 3),
        ("km", lambda cars: cars["km"].where(cars.index % 2 == 0)),
        ("doors", lambda cars: pd.Series(5, index=cars.index, dtype="Int64")),
        ("fuel", lambda cars: cars["fuel"].replace("petrol", "electric")),
        ("fuel", lambda cars: cars["fuel"].where(cars.index % 2 == 0)),
        ("price", lambda cars: cars["price"] + 3_000),
    ],
    ids=["larger", "missing", "one value left", "a new name", "names missing", "target"],
)
def test_what_changed_is_named_with_its_index(column: str, changed: object) -> None:
    before, after = cars(3_000), cars(1_000, 1)
    assert callable(changed)
    [sentence] = shifted.find(CONTRACT, before, after.assign(**{column: changed(after)}))
    assert f"unlike those that the model learned from in `{column}` (" in sentence


def test_later_times_are_no_shift() -> None:
    before, after = cars(3_000), cars(1_000, 1).assign(sold=pd.Timestamp("2025-01-01"))
    assert not list(shifted.find(CONTRACT, before, after))


def test_columns_without_values_are_no_shift() -> None:
    nothing = cars(300).assign(km=np.nan)
    assert not list(shifted.find(CONTRACT, nothing, nothing[:100]))
