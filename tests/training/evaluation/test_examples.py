"""Example rows: their values go together, their answers differ, and they are nobody's."""

from typing import Any

import numpy as np
import pandas as pd

from problems.base import Problem
from tests.training.conftest import Outcome
from training.learning.privacy import FEWEST
from validation.contract import Column, Contract, Kind, Role

ROWS = 3_000
COLUMNS = (
    Column(name="months", kind=Kind.INTEGER, example=30),
    Column(name="a_month", kind=Kind.REAL, example=74.4),
    Column(name="in_all", kind=Kind.REAL, nullable=True, example=351.0),
    Column(name="line", kind=Kind.CATEGORY, example="no"),
    Column(name="speed", kind=Kind.CATEGORY, example="fast"),
)


def bills() -> pd.DataFrame:
    """Bills that are months times what a month costs; who has no line has no speed."""
    chance = np.random.default_rng(0)
    months, a_month = chance.integers(1, 72, ROWS), chance.uniform(20, 120, ROWS).round(2)
    line = chance.choice(["yes", "no"], ROWS)
    table = pd.DataFrame({"months": months, "a_month": a_month, "in_all": (months * a_month).round(2), "line": line})
    table["speed"] = np.where(line == "no", "none", chance.choice(["slow", "fast"], ROWS))
    table.loc[chance.random(ROWS) < 0.01, "in_all"] = np.nan
    return table.assign(price=(a_month * 2 + months + chance.normal(0, 3, ROWS)).round(2), key=np.arange(ROWS))


def found(outcome: Outcome, table: pd.DataFrame, columns: tuple[Column, ...] = COLUMNS) -> list[dict[str, Any]]:
    target = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
    metrics = outcome(Problem(name="hard", title="Bills", contract=Contract((*columns, target))), table)
    assert isinstance(metrics, dict), metrics
    return list(metrics.get("examples", []))


def test_values_of_an_example_go_together(outcome: Outcome) -> None:
    table = bills()
    examples = found(outcome, table)
    assert len(examples) == 3
    for row in examples:  # the contract's own example contradicts itself, so that it is none of them
        assert abs(row["months"] * row["a_month"] / row["in_all"] - 1) < 0.15
        assert (row["line"] == "no") == (row["speed"] == "none")
    low, high = (2 * row["a_month"] + row["months"] for row in examples[1:])
    assert low < np.quantile(table.price, 0.25) < np.quantile(table.price, 0.75) < high
    rows = set(table[list(examples[0])].itertuples(index=False, name=None))
    assert not {tuple(row.values()) for row in examples} & rows


def test_the_contracts_example_comes_first_where_it_hangs_together(outcome: Outcome) -> None:
    own = {"months": 30, "a_month": 70.0, "in_all": 2_100.0, "line": "yes", "speed": "fast"}
    columns = tuple(
        Column(name=column.name, kind=column.kind, nullable=column.nullable, example=own[column.name])
        for column in COLUMNS
    )
    assert found(outcome, bills(), columns)[0] == own


def test_too_few_rows_are_no_groups(outcome: Outcome) -> None:
    assert found(outcome, bills().head(5 * FEWEST)) == []
