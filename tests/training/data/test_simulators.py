"""The simulated tables: repeatable, and like the real ones."""

from pathlib import Path

import pandas as pd
import pytest

from problems.base import Problem
from training.data.simulators import flights as market


def test_the_simulated_market_is_repeatable_and_looks_like_one(tmp_path: Path, flights: Problem) -> None:
    for name in ("one", "two"):
        market.simulate(tmp_path / name, rows=5_001, seed=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    market.simulate(tmp_path / "other", rows=5_001, seed=4)
    assert (tmp_path / "other").read_bytes() != (tmp_path / "one").read_bytes()

    table = pd.read_csv(tmp_path / "one")
    assert len(table) == 5_001
    assert set(table.columns) == {column.source for column in flights.contract.columns}
    assert (table["from"] != table["to"]).all()
    assert table.groupby(["from", "to"])["distance"].nunique().max() == 1
    assert set(table.loc[table["agency"] == "FlyingDrops", "flightType"]) == {"firstClass"}
    by_cabin = (table["price"] / table["distance"]).groupby(table["flightType"]).median()
    assert by_cabin["economic"] < by_cabin["premium"] < by_cabin["firstClass"]
    dates = pd.to_datetime(table["date"], format="%m/%d/%Y")
    assert dates.is_monotonic_increasing
    sao_paulo_rio = table[(table["from"] == "Sao Paulo (SP)") & (table["to"] == "Rio de Janeiro (RJ)")]
    assert sao_paulo_rio["distance"].iloc[0] == pytest.approx(360, abs=10)  # km, great circle
