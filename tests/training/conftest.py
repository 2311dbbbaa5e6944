"""Tables that are drawn small and run through the stages in one process."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from problems import base
from problems.base import Problem
from training.data import clean, ingest, split
from training.evaluation import evaluate, report
from training.learning import bundle, train
from training.workspace import Workspace, read_json, sha256, write_json
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.errors import BoxwoodError

STAGES: tuple[ModuleType, ...] = (ingest, clean, split, train, bundle, evaluate, report)
PRICE = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
GONE = Column(name="gone", kind=Kind.CATEGORY, role=Role.TARGET, choices=("No", "Yes"))
PARAMS: dict[str, Any] = {
    "clean": {"quarantine_limit": 0.01},
    "privacy": {"real_rows": False},
    "split": {"test": 0.2, "calibration": 0.1, "validation": 0.05, "seed": 1},
    "train": {
        "rounds": 20,
        "stop_after": 10,
        "seed": 1,
        "booster": {"num_threads": 1, "learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 5},
    },
    "evaluate": {"resamples": 20, "seed": 1, "slice_rows": 20},
}
Outcome = Callable[..., dict[str, Any] | str]
TARGETS = pytest.mark.parametrize("target", [PRICE, GONE], ids=["regression", "classification"])
IN_TIME = pytest.mark.parametrize("in_time", [True, False], ids=["time", "random"])


def problem(target: Column, in_time: bool, nullable: bool = False, more: tuple[Column, ...] = ()) -> Problem:
    columns = [
        Column(name="city", kind=Kind.CATEGORY, nullable=nullable, unseen=Unseen.WARN),
        Column(name="area", kind=Kind.REAL, nullable=nullable),
        Column(name="day", kind=Kind.DATE, role=Role.TIME if in_time else Role.FEATURE),
    ]
    return Problem(name="hard", title="A table", contract=Contract((*columns, *more, target)))


def table(rows: int) -> pd.DataFrame:
    """Prices, and whether somebody left; in order of time."""
    chance = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + np.sort(chance.integers(0, min(max(1_500, 3 * rows), 30_000), rows))
    drawn = pd.DataFrame(
        {"city": chance.choice(["Oslo", "Rome", "Bern"], rows), "area": chance.uniform(10, 100, rows).round(2)}
    ).assign(day=days.astype(str))
    drawn["price"] = (drawn.area * 3 + (drawn.city == "Oslo") * 50 + chance.normal(0, 5, rows)).round(2)
    drawn["gone"] = np.where(drawn.area + chance.normal(0, 20, rows) > 60, "Yes", "No")
    return drawn


def positives(*places: int) -> pd.DataFrame:
    """A table with the positive class at these places only."""
    return table(200).assign(gone=["Yes" if place in places else "No" for place in range(200)])


@pytest.fixture
def outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Runs a table through the stages: the metrics of a model, or the sentence that a person reads."""

    def run(asked: Problem, raw: pd.DataFrame | str, params: dict[str, Any] = PARAMS) -> dict[str, Any] | str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(base, "load", lambda _: asked)
        workspace = Workspace(asked.name)
        workspace.raw.mkdir(parents=True)
        path = workspace.raw / "table.csv"
        path.write_text(raw if isinstance(raw, str) else raw.to_csv(index=False))
        write_json(workspace.source, {"sha256": sha256(path)})
        Path("params.yaml").write_text(yaml.safe_dump({asked.name: params}))
        try:
            for stage in STAGES:
                stage.main(asked)
        except BoxwoodError as error:
            return str(error)
        document: dict[str, Any] = read_json(workspace.metrics)
        return document

    return run
