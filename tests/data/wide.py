"""Whether a part fails, from measurements, their products and its maker. Copied into a project by a test."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from problems.base import Problem, State
from validation.contract import Column, Contract, Kind, Role
from validation.decode import Columns

MEASURED = 20
FEATURES = 1 + MEASURED + MEASURED * (MEASURED - 1) // 2
CONTRACT = Contract(
    (
        Column(name="maker", kind=Kind.CATEGORY),
        *(Column(name=f"m{number}", kind=Kind.REAL) for number in range(MEASURED)),
        Column(name="part", kind=Kind.INTEGER, role=Role.KEY),
        Column(name="fails", kind=Kind.CATEGORY, role=Role.TARGET, choices=("No", "Yes")),
    )
)


def features(columns: Columns, state: State) -> Columns:
    """Every column as it is, and the product of each two that are measured."""
    measured = [name for name in columns if name != "maker"]
    products = {f"{one}+{two}.product": columns[one] * columns[two] for one, two in itertools.combinations(measured, 2)}
    return {**columns, **products}


PROBLEM = Problem(name="wide", title="Whether a part fails", contract=CONTRACT, features=features)


def write_table(folder: Path, files: int, rows: int) -> None:
    """So many files with so many rows each, and a bad row in each of them."""
    folder.mkdir()
    for number in range(files):
        chance = np.random.default_rng(number)
        table = pd.DataFrame(chance.normal(size=(rows, MEASURED)), columns=[f"m{place}" for place in range(MEASURED)])
        table.insert(0, "maker", chance.choice(["A", "B", "C"], rows))
        table["part"] = np.arange(rows) + number * rows
        odds = 1.5 * table["m0"] + 2 * table["m1"] * table["m2"] - (table["maker"] == "B") - 1
        table["fails"] = np.where(chance.logistic(size=rows) < odds, "Yes", "No")
        table.loc[3, "m4"] = np.nan
        table.to_parquet(folder / f"{number}.parquet", index=False)
