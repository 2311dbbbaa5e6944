"""Houses by the class of their price: a problem of three classes, and its table. Copied into a project by a fixture."""

import csv
import random
from pathlib import Path

from problems.base import Problem
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role
from validation.parsing import flag

ROWS = 1_500
PROBLEM = Problem(
    name="houses",
    title="Houses by their price",
    contract=Contract(
        (
            Column(name="district", kind=Kind.CATEGORY, example="Moda"),
            Column(name="area", kind=Kind.REAL, unit="m2", ge=1, help="Living space", example=80.0),
            Column(name="rooms", kind=Kind.INTEGER, ge=1, le=9, example=3),
            Column(name="wlan", kind=Kind.FLAG, source="WLAN", parse=flag(true="Ja", false="Nein"), example=False),
            Column(
                name="price",
                kind=Kind.REAL,
                role=Role.TARGET,
                unit="TRY",
                help="Class of the price",
                bins=Bins(("low", "middle", "high"), (0.4, 0.8)),
            ),
        )
    ),
)


def write_table(path: Path) -> None:
    """Write houses whose price is their district's and their area's, more or less."""
    chance, squares = random.Random(4), {"Fener": 600, "Moda": 900, "Bebek": 2_000}  # noqa: S311 no secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["district", "area", "rooms", "WLAN", "price"])
        for _ in range(ROWS):
            district, area = chance.choice(list(squares)), chance.uniform(30, 250)
            rooms, wlan = min(9, 1 + int(area / 40) + chance.randint(0, 2)), chance.random() < 0.3
            price = squares[district] * area * chance.uniform(0.6, 1.4) + 20_000 * wlan
            table.writerow([district, f"{area:.1f}", rooms, "Ja" if wlan else "Nein", f"{price:.0f}"])
