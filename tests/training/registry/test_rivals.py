"""What a challenger is compared with: on rows that neither learned from, and with the best champion so far."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from model import bundle, tabular
from model.outcomes import Binary, Regression
from problems import base
from problems.base import Problem
from tests.project import Project
from training.data import tables
from training.data.split import TEST, TRAIN
from training.learning.metrics import ACTUAL
from training.registry import champion, promote
from training.registry import rivals as rivals_of
from training.workspace import Workspace, read_json, write_json
from validation.errors import StoreError

PLACE = Workspace("flights")


@pytest.fixture(scope="module")
def rivals(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a champion, whose registry knows where it is."""
    project = trained.copy(tmp_path_factory.mktemp("rivals") / "project").uncounted()
    project.training("registry list flights")
    return project


@pytest.fixture
def project(rivals: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The same as the folder of this process, whose data may be changed for one test."""
    shutil.copytree(rivals.folder / "data", tmp_path / "data")
    monkeypatch.chdir(rivals.folder)
    mlflow.set_tracking_uri(f"sqlite:///{rivals.folder / 'stores/mlflow/mlflow.db'}")
    yield rivals
    shutil.rmtree(rivals.folder / "data")
    shutil.move(tmp_path / "data", rivals.folder / "data")


def decided(problem: Problem) -> promote.Decision:
    return promote.decide(problem, PLACE, champion.current(MlflowClient(), problem.name))


def judge_on(rows: pd.Index) -> None:
    """Make these rows the test, and let the challenger be right about them."""
    silver = tables.read(PLACE.silver)
    split = pd.Series(TRAIN, index=silver.index).where(~silver.index.isin(rows), TEST)
    tables.write(PLACE.split, split.to_frame("split"))
    price = silver.loc[rows, "price"]
    tables.write(PLACE.evaluation, pd.DataFrame({ACTUAL: price, "model": price}))


@pytest.mark.slow
def test_a_challenger_is_not_compared_on_rows_that_the_champion_learned_from_or_refuses(
    project: Project, flights: Problem
) -> None:
    silver, split = tables.read(PLACE.silver), tables.read(PLACE.split)["split"]
    learned, fresh = (split.index[split == part] for part in (TRAIN, TEST))
    silver.loc[fresh[80:], "cabin"] = "a cabin that nobody knew"
    tables.write(PLACE.silver, silver)
    judge_on(learned[:300].append(fresh[:120]))
    manifest = read_json(PLACE.bundle / bundle.MANIFEST)
    manifest["contract"].append({"name": "seats", "kind": "integer", "role": "feature", "nullable": False})
    write_json(PLACE.bundle / bundle.MANIFEST, manifest)
    decision = decided(flights)
    assert not decision.promoted
    assert decision.reasons == [
        "the contract changed since version 1 (added: seats)",
        "it would break callers of version 1: 'seats' is required there",
        "only 80 of 420 test rows say whether it is better than version 1, and 100 should: that version learned from "
        "300 of them and refuses 40, this one refuses 0",
    ]


def test_a_champion_that_says_nothing_of_what_it_learned_from_stays(project: Project, flights: Problem) -> None:
    [record] = (project.folder / "stores/mlflow/artifacts").rglob(champion.LEARNED)
    kept = record.rename(record.with_suffix(".kept"))
    decision = decided(flights)
    manifest = read_json(PLACE.bundle / bundle.MANIFEST)
    agency = next(column for column in manifest["contract"] if column["name"] == "agency")
    agency["role"] = "forbidden"
    write_json(PLACE.bundle / bundle.MANIFEST, manifest)
    corrected = decided(flights)
    heard_once = changed_after_the_files_are_gone(project, flights)
    kept.rename(record)
    assert not decision.promoted
    assert "version 1 has no record of the rows that it learned from" in decision.reasons[0]
    assert corrected.reasons == [
        "the contract changed since version 1 (changed: agency (feature → forbidden))",
        *decision.reasons,
    ]
    assert heard_once == corrected.reasons[:1]


def changed_after_the_files_are_gone(project: Project, problem: Problem) -> list[str]:
    """What a holdout says of the champion's contract, whose files are not fetched a second time for it."""
    reigning, holdout = champion.current(MlflowClient(), problem.name), rivals_of.Holdout(problem, PLACE)
    assert reigning is not None
    with pytest.raises(StoreError):
        holdout.hear(reigning)
    files = project.folder / "stores/mlflow/artifacts"
    gone = files.rename(files.with_name("gone"))
    said = holdout.changed_since(reigning)
    gone.rename(files)
    return said


VALUES = Regression(coverage=0.9, width=1.0, factors={}, trend=None, low=None, high=None)


def test_probabilities_are_found_whatever_code_a_version_has() -> None:
    outcome = Binary(("No", "Left us"), 1.0, 0.0, 0.5)
    today, before = (
        pd.DataFrame({"prediction": ["No", None], name: [0.25, None]})
        for name in (
            tabular.columns(outcome, base.load("flights").contract)[2],
            "probabilities.Left us",
        )
    )
    for answers in (today, before):
        assert np.nan_to_num(rivals_of.numbers(answers, outcome), nan=-1).tolist() == [0.25, -1]
    assert np.isnan(rivals_of.numbers(today, VALUES)).all()
    assert np.isnan(rivals_of.numbers(today, Binary(("0", "1"), 1.0, 0.0, 0.5))).all()


def test_the_record_holds_numbers_and_no_cells(project: Project) -> None:
    [record] = (project.folder / "stores/mlflow/artifacts").rglob(champion.LEARNED)
    learned, split = tables.read(record), tables.read(PLACE.split)["split"]
    assert learned.dtypes.astype(str).to_dict() == {"inputs": "uint64", "rows": "uint64"}
    assert len(learned) == (split != TEST).sum()
    assert not list((project.folder / "stores/bentoml").rglob(champion.LEARNED))


@pytest.mark.slow
def test_small_steps_down_are_a_large_one_together(rivals: Project) -> None:
    def challenged(rounds: int, tolerance: float) -> dict[str, Any]:
        rivals.change_params({"train": {"rounds": rounds}, "promote": {"tolerance": tolerance, "slice_rows": 5_000}})
        rivals.stages("train", "bundle", "evaluate", "register")
        return rivals.receipt("registered")

    second = challenged(25, 1e9)
    assert (second["promoted"], second["best"]) == (True, "1")
    assert second["above_best"] > 1
    third = challenged(24, (second["above_best"] - 1) * 1.01)
    assert not third["promoted"]
    assert third["compared_with"] == "2"
    [reason] = third["reasons"]
    assert reason.startswith("worse than version 1, the best champion so far: rmse ")
    assert "% above, where " in reason
    rivals.training("registry promote flights 3")  # a person says so, and the next are measured by it
    mlflow.set_tracking_uri(f"sqlite:///{rivals.folder / 'stores/mlflow/mlflow.db'}")
    reigning = champion.current(MlflowClient(), "flights")
    assert reigning is not None
    assert champion.best(MlflowClient(), reigning) == champion.Best("3")
