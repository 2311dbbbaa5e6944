"""A project that was copied or moved after training: it works on its own files, and decides as before."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.project import Project
from training.registry import stores
from training.workspace import Workspace

PLACE = Workspace("flights")
pytestmark = pytest.mark.slow
FOLDER = "a b%2Fc #1?é"
"""Characters that mean something in URLs, as build servers put some into names of folders."""


def challenge(project: Project) -> str:
    """Register a challenger: the same model, with other evidence and parameters."""
    project.change_params({"train": {"rounds": 3}})
    metrics = project.folder / PLACE.metrics
    metrics.write_text(metrics.read_text() + " ")
    return project.stages("register", "package")


def files(project: Project) -> set[str]:
    """Everything among MLflow's artifacts."""
    folder = project.folder / stores.MLFLOW_ARTIFACTS
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def locations(project: Project) -> set[str]:
    """Every artifact location in the database of MLflow that is of this project's experiments."""
    with sqlite3.connect(project.folder / stores.MLFLOW_DATABASE) as database:
        return {
            value
            for table, column in stores.LOCATIONS
            for (value,) in database.execute(f"SELECT {column} FROM {table}")  # noqa: S608 our own names
            if value and "/flights/" in f"{value}/"
        }


@pytest.fixture(scope="module")
def copied(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A copy of the trained project with a challenger, and what was said of that. Not to be changed."""
    project = trained.copy(tmp_path_factory.mktemp("copied") / FOLDER).uncounted()
    before = files(trained)
    said = challenge(project)
    assert files(trained) == before
    return project, said


def test_a_copy_asks_its_own_champion_and_writes_into_its_own_folder(copied: tuple[Project, str]) -> None:
    project, said = copied
    assert "flights version 2 is champion: rmse " in said
    assert project.receipt("registered")["compared_with"] == "1"
    assert "it is registry version 2, the champion" in said
    here = (project.folder / stores.MLFLOW_ARTIFACTS).as_uri()
    assert {value for value in locations(project) if not value.startswith((here, "models:/"))} == set()
    assert len(list((project.folder / stores.MLFLOW_ARTIFACTS).rglob("MLmodel"))) == 2


def test_a_folder_of_any_name_gets_a_registry(copied: tuple[Project, str], tmp_path: Path) -> None:
    project = copied[0].copy(tmp_path / FOLDER)
    shutil.rmtree(project.folder / "stores/mlflow")
    assert "flights version 1 is champion: there is no champion yet" in project.stages("register")


def test_a_moved_project_has_its_registry(copied: tuple[Project, str], tmp_path: Path) -> None:
    first = copied[0].copy(tmp_path / "first")
    moved = Project(first.folder.rename(tmp_path / "moved"))
    printed = moved.training("registry diff flights 1 2", "registry rollback flights", "registry show flights")
    assert "train.rounds: 60 → 3" in printed
    assert "Version 1 is champion" in printed
    assert json.loads(printed[printed.index("\n{") :])["version"] == "1"


def test_a_champion_without_its_files_is_a_sentence_and_no_first_model(
    copied: tuple[Project, str], tmp_path: Path
) -> None:
    project = copied[0].copy(tmp_path / "project")
    with sqlite3.connect(project.folder / stores.MLFLOW_DATABASE) as database:  # as if it were another model
        database.execute("UPDATE model_version_tags SET value = 'another' WHERE key = 'bundle'")
    shutil.rmtree(project.folder / stores.MLFLOW_ARTIFACTS)
    project.stages("register")
    receipt = project.receipt("registered")
    assert (receipt["promoted"], receipt["champion"], receipt["registry_version"]) == (False, "2", "3")
    assert "it cannot be compared with the champion: version 2 has no files in file:///" in receipt["reasons"][0]
    commands = ("package flights", "registry show flights", "registry diff flights 2 3", "registry rollback flights")
    printed = project.training(*commands, fails=True)
    assert printed.count("version 2 has no files in file:///") == len(commands)
    assert "Errno" not in printed
    assert "Traceback" not in printed
    assert "*    2" in project.training("registry list flights")
    assert project.training("registry champion flights").split() == ["2"]
