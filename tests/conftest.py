"""Fixtures that are shared by everything: one trained project, one served Bento, the real tables."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import yaml
from filelock import FileLock
from hypothesis import HealthCheck, settings

from model.predictor import Predictor, open_predictor
from monitoring.verdict import Verdict
from problems import base
from problems.base import Problem
from tests import versions
from tests.data import flats, rents, telco
from tests.generated import Generated, generated
from tests.project import ANY_CHALLENGER, DEV, OF_MAKE, ROOT, SMALL_CHURN, SMALL_ISTANBUL, Project, free_port
from training.__main__ import STAGES
from training.registry import stores
from training.workspace import Workspace

# How fast this machine is, is not what the properties are about.
settings.register_profile(
    "boxwood", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("boxwood")
stores.configure()
os.environ.pop("BENTOML_HOME")  # each project has its own
os.environ.pop("MLFLOW_TRACKING_URI")
for name in OF_MAKE:  # what `make test` was given is not for what tests make
    os.environ.pop(name, None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of some thousand processes would compile our code anew
os.environ["DVC_NO_ANALYTICS"] = "1"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that two workers of pytest-xdist, which begin with a half each, wait for no fixture together.

    The first half trains the project and goes on with what needs no more than that; the second begins with what needs
    none of it, and then makes what is trained further.
    """
    further = ("story", "retrained", "churned")

    def needs(item: pytest.Item) -> int:
        names = getattr(item, "fixturenames", ())
        found = next((place for place, name in enumerate(further, 1) if name in names), 0)
        return found or (0 if "trained" not in names else len(further) + 1)

    items.sort(key=needs)
    simple = [item for item in items if needs(item) > len(further)]
    first = simple[: len(items) // 2]
    items[:] = [*first, *(item for item in items if needs(item) <= len(further)), *simple[len(first) :]]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all pytest workers share."""
    base_folder = tmp_path_factory.getbasetemp()
    return base_folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else base_folder


@pytest.fixture(scope="session")
def trained(shared: Path) -> Project:
    """A project whose pipeline ran on a small simulated table. Not to be changed: copy it."""
    folder = shared / "trained"
    with FileLock(f"{folder}.lock"):
        if (folder / "stores/bentoml/packaged/flights.json").exists():
            return Project(folder)
        project = Project.create(folder)
        project.stages(*STAGES)
        project.run("dvc", "commit", "--force")  # as if it had run them, which `retrained` lets it do
        return project


@pytest.fixture(scope="session")
def churned(trained: Project, shared: Path) -> Project:
    """The trained project with churn beside flights, learned from a small generated table. Not to be changed."""
    return _beside(trained, shared / "churned", "churn", SMALL_CHURN, telco.write_table)


@pytest.fixture(scope="session")
def priced(trained: Project, shared: Path) -> Project:
    """The trained project with istanbul beside flights, learned from a small generated table. Not to be changed."""
    return _beside(trained, shared / "priced", "istanbul", SMALL_ISTANBUL, flats.write_table)


def _beside(
    trained: Project, folder: Path, problem: str, changes: Mapping[str, Any], write_table: Callable[[Path], None]
) -> Project:
    """A copy of the trained project in which another problem was learned too."""
    with FileLock(f"{folder}.lock"):
        if (folder / f"stores/bentoml/packaged/{problem}.json").exists():
            return Project(folder)
        project = trained.copy(folder)
        project.change_params(changes, problem)
        write_table(project.folder / "table.csv")
        project.stages("source --data table.csv", *STAGES, problem=problem)
        project.run("dvc", "commit", "--force")  # as if it had run them: one process takes a third of the time
        return project


class Retrained(NamedTuple):
    """A project in which a second model was trained, and what was seen on the way."""

    project: Project
    told: dict[str, Any]


@pytest.fixture(scope="session")
def retrained(trained: Project, shared: Path) -> Retrained:
    """The trained project as a git clone, with a second champion, after a run that was killed. Not to be changed.

    `told`: what DVC printed "before", in the run after the killed one ("repro") and "again"; whether the stage that
    was killed left something that looks "trained"; the "bento" that was built before; what DVC says changed of
    "metrics" and "params" since the commit.
    """
    folder = shared / "retrained" / "project"
    told = folder.with_name("told.json")
    with FileLock(f"{shared}/retrained.lock"):
        if not told.exists():
            told.write_text(json.dumps(_retrain(trained.copy(folder).uncounted())))
    return Retrained(Project(folder), json.loads(told.read_text()))


def _retrain(project: Project) -> dict[str, Any]:
    shutil.copy(ROOT / ".gitignore", project.folder)
    (project.folder / ".dvc/config.local").unlink()  # DVC works with Git from now on
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x", "--no-verify")):
        who = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *command], cwd=project.folder, check=True, capture_output=True)
    repro = ("dvc", "repro", "package@flights")
    told: dict[str, Any] = {"before": project.run(*repro), "bento": project.build()}
    project.change_params({"train": {"rounds": 20}, **ANY_CHALLENGER})
    project.kill_when(repro, lambda line: line.startswith("> python -m training train"))
    told["trained_after_kill"] = (project.folder / Workspace("flights").trained).exists()
    told |= {"repro": project.run(*repro), "again": project.run(*repro)}
    return told | {what: json.loads(project.run("dvc", what, "diff", "--json")) for what in ("metrics", "params")}


@pytest.fixture(scope="session")
def bento(trained: Project, shared: Path) -> str:
    """The tag of a Bento of the trained project."""
    tag = shared / "bento.tag"
    with FileLock(f"{tag}.lock"):
        if not tag.exists():
            tag.write_text(trained.build())
        return tag.read_text()


@pytest.fixture(scope="session")
def narrower(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of another version of the trained project's model: its intervals have half the width."""
    folder = tmp_path_factory.mktemp("narrower")
    versions.narrower(trained.folder / "data/flights/bundle", folder)
    return folder


@pytest.fixture(scope="session")
def keyed(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of another version of it: its contract has another column."""
    folder = tmp_path_factory.mktemp("keyed")
    versions.with_key(trained.folder / "data/flights/bundle", folder)
    return folder


@pytest.fixture(scope="session")
def letting(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trained project with a second problem: a folder with one file, and an entry in params.yaml."""
    project = Project(trained.copy(tmp_path_factory.mktemp("letting") / "project").folder, own_code=True)
    (project.folder / "problems/letting").mkdir()
    shutil.copy(ROOT / "tests/data/letting.py", project.folder / "problems/letting/__init__.py")
    params = project.folder / "params.yaml"
    document = yaml.safe_load(params.read_text())
    document["letting"] = document["flights"] | {"source": {}}
    params.write_text(yaml.safe_dump(document))
    rents.write_table(project.folder / "rents.csv", 3_000)
    printed = project.run("python", "-m", "training", "source", "letting", fails=True)
    assert "'letting' has no simulated table: say which table to use with DATA=path-or-URL" in printed
    printed = project.run("python", "-m", "training", "source", "letting", "--data", "rents.csv")
    assert "params.yaml lists 'letting' among the problems from now on" in printed
    project.stages(*STAGES, problem="letting")
    return project


@pytest.fixture(scope="session")
def both(letting: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that holds both models."""
    with letting.serve(letting.build(), tmp_path_factory.mktemp("elsewhere")) as connected:
        yield connected


@pytest.fixture(scope="session")
def grpc_address() -> str:
    """Where the server of `client` listens for gRPC."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="session")
def client(
    trained: Project, bento: str, grpc_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a real `bentoml serve` of that Bento, started where no source lies; its model has a verdict."""
    folder, version = tmp_path_factory.mktemp("elsewhere"), trained.receipt()["tag"].split(":")[1]
    last = Verdict(
        model="flights", version=version, made="2026-11-30T05:28:03Z", first="2026-11-23", last="2026-11-29", rows=900,
        status="ok", sentence="Nothing has changed.",
    )  # fmt: skip
    (folder / "watch/flights").mkdir(parents=True)
    (folder / "watch/flights/verdict.json").write_bytes(msgspec.json.encode(last))
    variables = {"BOXWOOD_GRPC_PORT": grpc_address.split(":")[1], "BOXWOOD_WATCH": str(folder / "watch")}
    with trained.serve(bento, folder, DEV, **variables) as connected:
        yield connected


@pytest.fixture(scope="session")
def fares(client: httpx.Client, grpc_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    """A client of that server, generated from the `.proto` that it gives away."""
    with generated(client, grpc_address, "flights", tmp_path_factory.mktemp("generated")) as connected:
        yield connected


@pytest.fixture(scope="session")
def predictor(trained: Project) -> Predictor:
    """The trained project's model."""
    return open_predictor(trained.folder / "data/flights/bundle")


@pytest.fixture(scope="session")
def flights() -> Problem:
    """The default problem."""
    return base.load("flights")


@pytest.fixture
def row(flights: Problem) -> dict[str, object]:
    """A row that the model answers."""
    return flights.contract.example()


@pytest.fixture(scope="session")
def real_tables() -> Path:
    """The folder of real tables; skips where it is absent."""
    folder = Path(os.environ.get("BOXWOOD_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"there are no real tables at {folder}; set BOXWOOD_DATA")
    return folder
