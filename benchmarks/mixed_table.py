"""A made-up table of twenty mixed columns, as people's tables are: units, gaps, keys, many names, free texts.

python -m benchmarks.mixed_table FILE.csv [--rows 300000] [--seed 1]
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

TARGET = "Price"
_WORDS = np.array(["bright", "quiet", "large", "old", "near", "park", "sea", "road", "yard", "view", "wood", "brick"])
_CONDITIONS = ["to renovate", "fair", "good", "as new"]


def write(path: Path, rows: int, seed: int = 1) -> None:
    """Write the table as CSV; its target depends on most columns, and on chance."""
    chance = np.random.default_rng(seed)
    area = chance.gamma(6, 15, rows).round(1) + 15
    rooms = np.clip((area / 25 + chance.normal(0, 0.7, rows)).round(), 1, 9).astype(int)
    city, street, agent = (chance.integers(0, names, rows) for names in (300, 6_000, 2_500))
    condition, heating = chance.integers(0, 4, rows), chance.integers(0, 6, rows)
    listed = np.datetime64("2019-01-01T00:00") + chance.integers(0, 4 * 365 * 24 * 60, rows).astype("timedelta64[m]")
    built = (listed.astype("datetime64[Y]").astype(int) + 1970 - chance.gamma(2, 20, rows)).astype(int)
    lift, parking = chance.random(rows) < 0.4, chance.random(rows) < 0.25
    costs, distance = area * chance.normal(3, 0.4, rows), chance.gamma(2, 3, rows)
    of_city, of_street, of_agent = (chance.normal(0, spread, names)[drawn] for spread, names, drawn in (
        (0.4, 300, city), (0.1, 6_000, street), (0.03, 2_500, agent),
    ))  # fmt: skip
    value = 9 + 0.9 * np.log(area) + of_city + of_street + of_agent + 0.08 * condition + 0.05 * lift + 0.04 * parking
    value = value - 0.02 * distance + 0.001 * (built - 1980) + chance.normal(0, 0.12, rows)
    table = {
        "Offer ID": chance.permutation(rows) + 1_000_000,
        "Listed at": pd.Series(listed).dt.strftime("%d.%m.%Y %H:%M"),
        "City": pd.Series(city).map("City {:03}".format),
        "Street": pd.Series(street).map("Street of {:04}".format),
        "Agent": pd.Series(agent).map("Agent & Sons {:04}".format),
        "Type": chance.choice(["flat", "house", "loft", "studio", "villa"], rows),
        "Condition": np.array(_CONDITIONS)[condition],
        "Heating": np.array(["gas", "oil", "district", "heat pump", "pellets", "none of these"])[heating],
        "Area": pd.Series(area).map("{:.1f} m²".format),
        "Rooms": rooms,
        "Floor": chance.integers(0, 12, rows),
        "Year built": built,
        "Running costs": pd.Series(costs).map("€{:,.2f}".format),
        "Distance": pd.Series(distance).map("{:.2f} km".format),
        "Lift": np.where(lift, "yes", "no"),
        "Parking": parking,
        "Energy": chance.normal(120, 40, rows).round(3),
        "Renovated": pd.Series(listed - chance.integers(0, 9_000, rows).astype("timedelta64[D]")).dt.strftime(
            "%Y-%m-%d"
        ),
        "Remarks": [" ".join(words) for words in _WORDS[chance.integers(0, len(_WORDS), (rows, 9))]],
        TARGET: np.exp(value).round(-2).astype(int),
    }
    frame = pd.DataFrame(table)
    for name, share in (("Floor", 0.05), ("Energy", 0.2), ("Renovated", 0.5), ("Agent", 0.1), ("Running costs", 0.08)):
        frame[name] = frame[name].astype(object).where(chance.random(rows) >= share, "")
    frame.to_csv(path, index=False)


def main() -> None:
    """Write a table where the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    write(asked.file, asked.rows, asked.seed)
    print(f"{asked.file}: {asked.rows:,} rows, {asked.file.stat().st_size / 1e6:.1f} MB; the target is {TARGET}")


if __name__ == "__main__":
    main()
