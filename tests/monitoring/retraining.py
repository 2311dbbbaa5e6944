"""Retraining in a copy of the project: worlds that change, and true values that came."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from problems import base
from tests.project import Project
from training.data import gates, ingest
from training.data.simulators.flights import simulate

FLIGHTS = base.load("flights")
WEEKS_LATER = np.timedelta64(208, "W")
"""After all days of the simulated table, and the same weekdays in the same season."""
_RETRAIN = """
import sys, pandas as pd
from monitoring import retrain
wanted = retrain.Wanted("flights", data=sys.argv[3] or None, scheduled=sys.argv[2] == "scheduled")
run = retrain.main(wanted, lambda store: pd.read_parquet(sys.argv[1]))
sys.exit(run.status == "failed")
"""


def later(folder: Path, rows: int, seed: int, factor: float) -> pd.DataFrame:
    """Rows of another world, four years after the simulated table, whose fares are so many times as high."""
    simulate(folder / "later.csv", rows, seed)
    table = ingest.read(folder / "later.csv", FLIGHTS.contract).drop(columns=gates.UNREADABLE)
    return table.assign(date=table["date"] + WEEKS_LATER, price=(table["price"] * factor).round(2))


def command(rows: Path, how: str = "", data: str = "") -> list[str]:
    """What retrains on labelled rows; `how` may be "scheduled"."""
    return ["python", "-c", _RETRAIN, str(rows), how, data]


def verdict(project: Project, status: str, version: str | None = None) -> None:
    """Leave a verdict in the watch store, on the champion unless said otherwise."""
    path = project.folder / "stores/watch/flights/verdict.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    served = project.receipt()["tag"].partition(":")[2]
    document = {
        "model": "flights", "version": version or served, "made": "2027-09-01T00:00:00Z", "first": "2027-08-25",
        "last": "2027-08-31", "rows": 14_000, "status": status, "sentence": "fares are higher than the model expects",
    }  # fmt: skip
    path.write_text(json.dumps(document))


def listed(project: Project) -> list[dict[str, Any]]:
    """The runs as `python -m monitoring runs` lists them."""
    found: list[dict[str, Any]] = json.loads(project.run("python", "-m", "monitoring", "runs", "flights", "--json"))
    return found
