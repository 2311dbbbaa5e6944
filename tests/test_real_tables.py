"""The published figures, on the real tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project
from training.workspace import Workspace

PLACE = Workspace("flights")
CHURN = Workspace("churn")


def evaluated(project: Project, place: Workspace) -> Any:
    return json.loads((project.folder / place.metrics).read_text())


def assert_intervals_hold(metrics: Any) -> None:
    """What should cover 90 % of the rows covers 88 to 92 of them, and 85 to 95 of every slice."""
    assert metrics["interval"]["coverage"] == 0.9
    assert metrics["interval"]["covered"]["value"] == pytest.approx(0.9, abs=0.02)
    assert len(metrics["slices"]) > 10
    missed = {
        f"{part['column']} {part['value']} ({part['rows']} rows)": part["covered"]["value"]
        for part in metrics["slices"]
        if abs(part["covered"]["value"] - 0.9) > 0.05
    }
    assert not missed


@pytest.fixture(scope="module")
def flights_project(real_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The parameters as they are published, on the published table."""
    project = Project.create(tmp_path_factory.mktemp("flights") / "project", changes={})
    project.training(f"source flights --data {real_tables / 'flights/flights.csv'}")
    said = project.run("dvc", "repro", "package@flights", fails=True)
    assert "There is no champion of 'flights', and so nothing to serve. Version 1 was refused: " in said
    assert "it does not beat the lookup of group means (rmse " in said
    project.training("registry promote flights 1")
    return project


@pytest.mark.slow
@pytest.mark.realdata
def test_flights_are_predicted_to_half_a_dollar(flights_project: Project) -> None:
    metrics = evaluated(flights_project, PLACE)
    assert metrics["scores"]["model"]["rmse"]["value"] <= 0.5
    assert metrics["scores"]["lookup"]["rmse"]["value"] < 1e-9  # the fare is a function of four columns
    assert not metrics["beats_lookup"]
    assert metrics["refused"] == 0
    assert 0.19 < metrics["rows"] / 271_888 < 0.21
    assert (flights_project.folder / PLACE.quarantine).read_text().count("\n") == 1
    assert "use the lookup." in flights_project.run("python", "-m", "training", "report", "flights")


@pytest.mark.slow
@pytest.mark.realdata
def test_intervals_hold_on_the_published_fares(flights_project: Project) -> None:
    assert_intervals_hold(evaluated(flights_project, PLACE))


@pytest.mark.slow
def test_intervals_hold_on_the_simulated_fares(tmp_path: Path) -> None:
    """The default table, which grows in time: the test rows are dearer than any row that taught the model."""
    project = Project.create(tmp_path / "project", changes={})
    project.train()
    assert_intervals_hold(evaluated(project, PLACE))


@pytest.mark.slow
@pytest.mark.realdata
def test_churn_is_told_apart_as_well_as_it_is_known_to_be(real_tables: Path, tmp_path: Path) -> None:
    [table] = (real_tables / "telco_churn").glob("*.csv")
    project = Project.create(tmp_path / "project", changes={})
    project.train("--data", str(table), problem="churn")
    folds = evaluated(project, CHURN)["cross_validation"]
    assert folds["folds"] == 5
    assert folds["mean_roc_auc"] >= 0.846
    assert folds["scores"]["ece"]["value"] <= 0.03
    # the eleven customers without a bill are rows like any other
    assert (project.folder / CHURN.quarantine).read_text().count("\n") == 1
    assert sum(evaluated(project, CHURN)["splits"].values()) == 7_043
