"""A small table of census districts in California, with the headers and habits of the published one."""

import csv
import math
import random
from pathlib import Path

ROWS = 900
LACKING = 9
"""Districts of unknown bedrooms; in the published table they are one in a hundred too."""
HEADERS = (
    *("longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households"),
    *("median_income", "median_house_value", "ocean_proximity"),
)
TOWNS = ((34.05, -118.24, 90.0), (37.77, -122.42, 150.0), (32.72, -117.16, 60.0), (38.58, -121.49, 10.0))
"""Latitude, longitude, and by how many thousand dollars houses there are dearer than elsewhere."""
MOST = 500_001.0


def write_table(path: Path, rows: int = ROWS, seed: int = 4) -> None:
    """Write districts whose houses are the dearer the nearer a town is and the more people earn."""
    chance = random.Random(seed)  # noqa: S311 no secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADERS)
        for number in range(rows):
            table.writerow(_district(chance, lacking=number % (rows // LACKING) == 0))


def _district(chance: random.Random, *, lacking: bool) -> list[object]:
    north, east, dearer = chance.choice(TOWNS)
    latitude, longitude = (round(place + chance.gauss(0, 0.08), 2) for place in (north, east))
    far = math.hypot(latitude - north, longitude - east)
    households, income = chance.randint(50, 900), min(15.0001, max(0.4999, chance.gauss(3.9, 1.8)))
    rooms = round(households * chance.uniform(3, 8))
    value = (40 + 40 * income + dearer * math.exp(-10 * far)) * 1_000 * math.exp(chance.gauss(0, 0.15))
    return [
        *(longitude, latitude, float(chance.randint(1, 52)), float(rooms)),
        *("" if lacking else float(round(rooms * chance.uniform(0.17, 0.25))), float(households * 3)),
        *(float(households), round(income, 4), min(round(value, -2), MOST)),
        "INLAND" if dearer < 50 else "<1H OCEAN" if far > 0.1 else "NEAR OCEAN",
    ]
