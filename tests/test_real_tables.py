"""The published figures, on the real table."""

import json
from pathlib import Path

import pytest

from tests.project import Project
from training.workspace import Workspace

PLACE = Workspace("flights")


@pytest.mark.realdata
def test_flights_are_predicted_to_half_a_dollar(real_tables: Path, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", changes={})
    project.run("python", "-m", "training", "source", "flights", "--data", str(real_tables / "flights/flights.csv"))
    project.run("dvc", "repro", "package@flights")
    metrics = json.loads((project.folder / PLACE.metrics).read_text())
    assert metrics["scores"]["model"]["rmse"]["value"] <= 0.5
    assert metrics["scores"]["lookup"]["rmse"]["value"] < 1e-9  # the fare is a function of four columns
    assert not metrics["beats_lookup"]
    assert metrics["refused"] == 0
    assert 0.19 < metrics["rows"] / 271_888 < 0.21
    assert (project.folder / PLACE.quarantine).read_text().count("\n") == 1
    assert project.run("python", "-m", "training", "report", "flights").endswith("use the lookup.\n")
