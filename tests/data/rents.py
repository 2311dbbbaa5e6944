"""Rents as a careless website writes them, for the problem in `letting.py`."""

import csv
import random
from pathlib import Path


def write_table(path: Path, rows: int) -> None:
    """Write a table of rents; most of the landlords are owners with a flat or two."""
    chance, owners = random.Random(5), random.Random(6)  # noqa: S311 no secrets
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            [
                "No",
                " Şehir",
                "energy",
                "Oda Sayısı",
                "area",
                "furnished",
                "built",
                "listed",
                "deposit",
                "rent",
                "landlord",
            ]
        )
        for number in range(rows):
            city, area, living = chance.choice(["Oslo", "Rome", "Ürgüp"]), chance.uniform(20, 200), chance.randint(1, 5)
            rent = area * {"Oslo": 20, "Rome": 14, "Ürgüp": 6}[city] * chance.uniform(0.9, 1.1)
            listed = f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T0{chance.randint(0, 9)}:30:00"
            built = "" if number % 7 == 0 else f"19{chance.randint(10, 99)}-05-01"
            cells = [chance.choice("ABCD"), f"{living}+1" if number % 9 else " ", f" {area:.2f} "]
            table.writerow(
                [
                    f"n{number}",
                    f"{city} ",
                    *cells,
                    chance.choice(["yes", "No", ""]),
                    built,
                    listed,
                    3 * rent,
                    f"{rent:.2f}",
                    f"Agency {number % 10}" if owners.random() < 0.2 else f"Owner {owners.randrange(100_000)}",
                ]
            )
