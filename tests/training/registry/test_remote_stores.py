"""Stores elsewhere: MLflow over PostgreSQL and S3, DVC in S3 or a folder, and a release out of them."""

import dataclasses
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import remotes
from tests.project import ANY_CHALLENGER, MAKEFILES, ROOT, Project, free_port
from tests.training.test_pipeline import ran
from training.workspace import Workspace

PLACE = Workspace("flights")
MAKE = ("make", "--no-print-directory", "-o", ".venv/.ready")  # the environment is there and not this folder's


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[remotes.Storage]:
    with remotes.storage(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(scope="module")
def database() -> Iterator[int]:
    with remotes.postgres() as port:
        yield port


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the MLflow server was asked for."""
    return tmp_path_factory.mktemp("mlflow") / "server.log"


@pytest.fixture(scope="module")
def server(log: Path, database: int, objects: remotes.Storage) -> Iterator[str]:
    with remotes.mlflow(log, database, objects) as address:
        yield address


def cloned(project: Project, folder: Path, **variables: str) -> Project:
    """A git clone of what a project has committed, with environments that are there already."""
    project.run("git", "clone", "--quiet", str(project.folder), str(folder))
    return Project(folder, variables=variables)


def with_keys(project: Project, objects: remotes.Storage) -> Project:
    """A project whose commands may read and write the store."""
    return dataclasses.replace(project, variables={**project.variables, **objects.keys})


def with_makefiles(project: Project) -> None:
    for name in MAKEFILES:
        (project.folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project.folder / name)


def publish(project: Project, remote: str, **settings: str) -> None:
    """Give what a project made to a DVC remote, and commit what git does not ignore."""
    shutil.copy(ROOT / ".gitignore", project.folder)
    with_makefiles(project)
    project.run("dvc", "remote", "add", "--default", "store", remote)
    for setting, value in settings.items():
        project.run("dvc", "remote", "modify", "store", setting, value)
    project.run(*MAKE, "push")
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    who = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false")
    project.run("git", *who, "commit", "--quiet", "--no-verify", "--message", "x")


def contents(project: Project, bento: str) -> dict[str, bytes]:
    """The files of a Bento and of its model, but for those in which BentoML writes when it made them."""
    folders = [
        project.source(bento),
        project.folder / "stores/bentoml/models" / project.receipt()["tag"].replace(":", "/"),
    ]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "model.yaml"
    }


@pytest.fixture(scope="module")
def moved(trained: Project, server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[str]]:
    """A project that was registered in its folder, moved to the server, and then trained a second model there.

    Its commands know the server's address and nothing of what is behind it.
    """
    copy = trained.copy(tmp_path_factory.mktemp("moved") / "project")
    project = dataclasses.replace(copy, variables={"MLFLOW_TRACKING_URI": server})
    first = project.train()
    project.change_params({"train": {"rounds": 20}, **ANY_CHALLENGER})
    return project, [first, project.train()]


@pytest.mark.slow
def test_runs_and_files_are_on_the_server(
    moved: tuple[Project, list[str]], objects: remotes.Storage, log: Path
) -> None:
    project, (first, second) = moved
    assert ran(first) == ["register", "package"]
    assert "register: flights version 1 is champion" in first
    assert "register: flights version 2 is champion: rmse " in second  # the first was fetched and asked
    assert project.receipt("registered")["registry"] == project.variables["MLFLOW_TRACKING_URI"]
    assert "Data and pipelines are up to date." in project.train()
    stored = objects.names("mlflow")
    assert len([name for name in stored if name.endswith("/bundle/manifest.json")]) == 2
    assert [name for name in stored if name.endswith("/card.md")]
    asked = log.read_text()
    assert '"GET /api/2.0/mlflow-artifacts/artifacts' in asked
    assert "presigned" not in asked  # nobody is sent to the bucket


@pytest.mark.slow
def test_the_registrys_commands_work_on_the_server(moved: tuple[Project, list[str]]) -> None:
    project = moved[0].copy(moved[0].folder.with_name("commanded"))
    printed = project.training(
        "registry list flights", "registry rollback flights", "registry list flights", "registry show flights 2"
    )
    assert re.findall(r"^\* +(\d)", printed, re.MULTILINE) == ["2", "1"]
    assert "Version 1 is champion" in printed
    shown = json.loads(printed[printed.index("\n{") :])
    assert shown["tags"]["withdrawn"] == "true"
    assert project.receipt()["tag"] != moved[0].receipt()["tag"]
    again = project.training("registry promote flights 2", "registry diff flights 1 2")
    assert "Version 2 is champion" in again
    assert "train.rounds: 60 → 20" in again
    assert project.receipt() == moved[0].receipt()


@pytest.mark.slow
def test_a_release_elsewhere_has_the_same_bento_without_training(
    moved: tuple[Project, list[str]], objects: remotes.Storage, tmp_path: Path
) -> None:
    project, _ = moved
    publish(with_keys(project, objects), "s3://dvc/boxwood", endpointurl=objects.url)
    assert len(objects.names("dvc")) > 10
    release = cloned(project, tmp_path / "release", **project.variables)
    with_keys(release, objects).run(*MAKE, "pull")
    printed = release.run(*MAKE, "bento")
    assert ran(printed) == ["register", "package"]
    assert "is version 2 already, the champion" in printed
    assert release.receipt() == project.receipt()
    bento = (release.folder / "stores/bentoml/bento-flights.tag").read_text().strip()
    assert contents(release, bento) == contents(project, project.build())


@pytest.mark.slow
def test_a_folder_is_a_remote_too(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    publish(project, str(tmp_path / "share"))
    release = cloned(project, tmp_path / "release")
    release.run(*MAKE, "pull")
    assert (release.folder / PLACE.raw / "table.csv").read_bytes() == (
        project.folder / PLACE.raw / "table.csv"
    ).read_bytes()
    assert ran(release.run(*MAKE, "bento")) == ["register", "package"]
    assert release.receipt() == project.receipt()


@pytest.mark.slow
def test_a_remote_that_lacks_the_data_is_no_reason_to_train_on_something_else(trained: Project, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    with_makefiles(project)
    assert "no DVC remote is configured" in project.run(*MAKE, "pull")
    (project.folder / "dvc.lock").write_bytes((trained.folder / "dvc.lock").read_bytes())
    project.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "empty"))
    assert "ERROR: failed to pull data" in project.run(*MAKE, "pull", fails=True)


@pytest.mark.slow
def test_google_cloud_storage_is_known_to_dvc(trained: Project, tmp_path: Path) -> None:
    """All that can be tried without an account."""
    project = Project.create(tmp_path / "project")
    project.run("dvc", "remote", "add", "--default", "store", "gs://boxwood-data/dvc")
    assert re.search(r"gs \(gcsfs", project.run("dvc", "doctor"))


@pytest.mark.slow
def test_a_server_that_is_not_there_is_a_sentence_without_the_password(trained: Project) -> None:
    address = f"http://somebody:p@secret@127.0.0.1:{free_port()}"
    lonely = dataclasses.replace(
        trained, variables={"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    )
    printed = lonely.training("registry list flights", "package flights", fails=True)
    sentence = (
        f"MLflow at {address.replace('somebody:p@secret@', '')} cannot be reached: [Errno 111] Connection refused."
    )
    assert printed.count(sentence) == 2
    assert "secret" not in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_an_empty_address_is_none(trained: Project) -> None:
    local = dataclasses.replace(trained, variables={"MLFLOW_TRACKING_URI": "", "MLFLOW_REGISTRY_URI": ""})
    assert "*    1" in local.training("registry list flights")


@pytest.mark.slow
def test_a_registry_apart_from_the_runs(trained: Project, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'registry.db'}"
    project = dataclasses.replace(trained.copy(tmp_path / "project"), variables={"MLFLOW_REGISTRY_URI": address})
    assert ran(project.train()) == ["register", "package"]
    assert project.receipt("registered")["registry"] == address
    assert "*    1" in project.training("registry list flights")
