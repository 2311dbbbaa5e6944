"""The pipeline as a person runs it: `dvc repro`, again, changed, healed, without git, interrupted."""

import ast
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from dvc.env import DVC_EXP_BASELINE_REV

from tests.conftest import Retrained
from tests.project import CODE, ROOT, Project
from training.__main__ import STAGES
from training.data import tables
from training.data.split import TEST
from training.workspace import Workspace

PLACE = Workspace("flights")
UP_TO_DATE = "Data and pipelines are up to date."


FROM_TRAIN = list(STAGES)[list(STAGES).index("train") :]
UNTOUCHED = ("validation.errors",)
"""What cannot change an output."""


def ran(printed: str) -> list[str]:
    """The stages that DVC ran, in order."""
    return [line.split("'")[1].split("@")[0] for line in printed.splitlines() if line.startswith("Running stage")]


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A copy of the trained project that may be changed."""
    return trained.copy(tmp_path / "project")


def test_the_stages_stand_in_dvc_yaml_in_their_order() -> None:
    assert tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]) == tuple(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_it_imports(stage: str) -> None:
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    tree = ast.parse((ROOT / f"training/{STAGES[stage]}/{stage}.py").read_text())
    modules = [f"training.{STAGES[stage]}.{stage}"]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in CODE:
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
    for module in modules:
        parts = module.split(".")
        covering = {"/".join(parts[:depth]) + ending for depth in (1, 2, 3) for ending in ("", ".py")}
        assert covering & set(deps) or module.startswith(UNTOUCHED), (
            f"{stage} imports {module}, dvc.yaml does not say so"
        )


def test_a_second_run_does_nothing(trained: Project) -> None:
    printed = trained.run("dvc", "repro", "package@flights")
    assert ran(printed) == []
    assert UP_TO_DATE in printed


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_that_is_taken_for_whole(retrained: Retrained) -> None:
    assert not retrained.told["trained_after_kill"]
    assert ran(retrained.told["repro"]) == FROM_TRAIN


@pytest.mark.slow
def test_a_changed_training_parameter_reruns_from_train(retrained: Retrained, trained: Project) -> None:
    assert ran(retrained.told["repro"]) == FROM_TRAIN
    assert retrained.project.receipt() != trained.receipt()
    assert retrained.project.receipt("registered")["registry_version"] == "2"
    assert UP_TO_DATE in retrained.told["again"]


@pytest.mark.slow
def test_a_git_clone_works_like_a_bare_folder(retrained: Retrained) -> None:
    assert UP_TO_DATE in retrained.told["before"]
    head = retrained.project.run("git", "rev-parse", "HEAD").strip()
    tag = retrained.project.receipt()["tag"]
    stored = retrained.project.folder / "stores/bentoml/models" / tag.replace(":", "/") / "manifest.json"
    assert json.loads(stored.read_text())["lineage"]["git_commit"] == f"{head}-dirty"


@pytest.mark.slow
def test_dvc_compares_with_the_commit(retrained: Retrained) -> None:
    changed = retrained.told["params"]["params.yaml"]["flights.train.rounds"]
    assert (changed["old"], changed["new"]) == (60, 20)
    assert retrained.told["metrics"][str(PLACE.metrics)]["scores.model.rmse.value"]["diff"] > 0


@pytest.mark.slow
def test_an_experiment_registers_nothing(project: Project) -> None:
    """Until `make train` finds what it left in the workspace."""
    metrics = project.folder / PLACE.metrics
    metrics.write_text(metrics.read_text() + " ")
    receipts = [project.folder / PLACE.registered, project.folder / PLACE.packaged]
    before = [path.read_text() for path in receipts]
    commands = [(sys.executable, "-m", "training", stage, "flights") for stage in ("register", "package")]
    trial = replace(project, variables={DVC_EXP_BASELINE_REV: "0" * 40})
    for command in commands:
        assert "nothing to do in an experiment" in trial.run(*command)
    assert [path.read_text() for path in receipts] == before
    assert "what was evaluated last is not registered yet; it will be registered" in project.train()
    for path in receipts:
        path.unlink()
    for command in commands:  # DVC wants what a stage says it makes, in a folder where nothing was registered yet too
        trial.run(*command)
    assert project.receipt()["tag"] is None
    assert " test rows, errors in USD" in project.training("report flights")
    assert ran(project.train()) == ["register", "package"]
    assert project.receipt()["tag"] == json.loads(before[1])["tag"]


@pytest.mark.slow
def test_dvc_runs_experiments(retrained: Retrained, tmp_path: Path) -> None:
    project = retrained.project.copy(tmp_path / "project")
    receipts = [project.receipt("registered"), project.receipt()]
    printed = project.run("dvc", "exp", "run", "--name", "trial", "--set-param", "flights.evaluate.resamples=60")
    assert ran(printed)[0] == "evaluate"
    assert "register: nothing to do in an experiment" in printed
    assert [project.receipt("registered"), project.receipt()] == receipts
    shown = project.run("dvc", "exp", "show", "--csv")
    assert "trial" in shown


def test_a_problem_is_no_dependency_of_another(project: Project) -> None:
    def noted(name: str) -> str:
        module = project.folder / "problems" / name / "__init__.py"
        module.write_text(module.read_text() + "# a comment\n")
        return project.run("dvc", "status", "package@flights")

    assert UP_TO_DATE in noted("churn")
    assert "problems/flights" in noted("flights")


def test_test_rows_teach_the_model_nothing(project: Project) -> None:
    """Other test rows, and neither what is learned nor when training stops changes."""
    before = {path.name: path.read_bytes() for path in (project.folder / PLACE.trained).iterdir()}
    silver, split = (tables.read(project.folder / path) for path in (PLACE.silver, PLACE.split))
    test = split["split"] == TEST
    silver.loc[test, "price"] *= 10
    silver.loc[test, "agency"] = "Nobody Knows It"
    tables.write(project.folder / PLACE.silver, silver)
    project.run("python", "-m", "training", "train", "flights")
    assert {path.name: path.read_bytes() for path in (project.folder / PLACE.trained).iterdir()} == before


@pytest.mark.slow
def test_two_fresh_folders_on_two_processors_give_the_same_model(trained: Project, tmp_path: Path) -> None:
    """What BLAS, NumPy and the C library do on a processor of 2006 must not reach a file: dvc.lock has its hash."""
    older = {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    }
    other = replace(Project.create(tmp_path / "other"), variables=older)
    other.run("python", "-m", "training", "source", "flights")
    printed = other.run("dvc", "repro", "evaluate@flights")
    assert ran(printed) == list(STAGES)[: list(STAGES).index("evaluate") + 1]
    for path in (
        PLACE.trained / "model.txt",
        PLACE.trained / "spread.txt",
        PLACE.trained / "outcome.json",
        PLACE.bundle / "manifest.json",
        PLACE.bundle / "golden.json",
        PLACE.evaluation,
        PLACE.metrics,
    ):
        assert (other.folder / path).read_bytes() == (trained.folder / path).read_bytes(), path


@pytest.mark.slow
def test_deleted_stores_heal(project: Project) -> None:
    tag = project.receipt()["tag"]
    shutil.rmtree(project.folder / "stores/bentoml")
    assert ran(project.run("dvc", "repro", "package@flights")) == ["package"]
    assert tag.split(":")[1] in project.run("bentoml", "models", "list")
    shutil.rmtree(project.folder / "stores/mlflow")
    assert ran(project.run("dvc", "repro", "package@flights"))[0] == "register"
    assert project.receipt()["tag"] == tag


@pytest.mark.slow
def test_what_is_lost_inside_the_stores_heals_too(project: Project) -> None:
    tag = project.receipt()["tag"]
    shutil.rmtree(project.folder / "stores/bentoml/bentos")  # BentoML deletes no model that a Bento uses
    project.run("bentoml", "models", "delete", tag, "--yes")
    (project.folder / "stores/mlflow/mlflow.db").unlink()
    printed = project.train()
    assert "it will be registered" in printed
    assert "it will be imported" in printed
    assert ran(printed) == ["register", "package"]
    assert project.receipt()["tag"] == tag
    assert tag.split(":")[1] in project.run("bentoml", "models", "list")


@pytest.mark.slow
def test_lost_artifacts_are_registered_again(project: Project) -> None:
    shutil.rmtree(project.folder / "stores/mlflow/artifacts")
    assert "MLflow does not hold the model; it will be registered" in project.train()
    receipt = project.receipt("registered")
    assert (receipt["registry_version"], receipt["champion"]) == ("2", "2")
    assert receipt["reasons"] == ["it is the same model as version 1, the champion, whose files are gone"]


@pytest.mark.slow
def test_a_champion_that_cannot_be_asked_stays(project: Project) -> None:
    for program in (project.folder / "stores/mlflow/artifacts").rglob("mlflow_model.py"):
        program.write_text("raise SystemExit('gone')")
    metrics = project.folder / PLACE.metrics
    metrics.write_text(metrics.read_text() + " ")  # other evidence makes another version
    printed = project.stages("register")
    receipt = project.receipt("registered")
    assert (receipt["promoted"], receipt["champion"], receipt["registry_version"]) == (False, "1", "2")
    [reason] = receipt["reasons"]
    assert "version 1 cannot be asked" in reason
    assert (
        "register:   version 1 goes on serving; to have version 2 served all the same: "
        "`make promote PROBLEM=flights@2`\n" in printed
    )


@pytest.mark.slow
def test_a_first_model_that_loses_to_the_lookup_is_served_only_if_a_person_says_so(project: Project) -> None:
    for store in (PLACE.registered, PLACE.packaged, Path("stores/mlflow/mlflow.db")):
        (project.folder / store).unlink()
    metrics = project.folder / PLACE.metrics
    metrics.write_text(metrics.read_text().replace('"beats_lookup": true', '"beats_lookup": false'))
    printed = project.training("register flights", "package flights", fails=True)
    assert "register: flights version 1 is refused: there is no champion yet; it does not beat the lookup" in printed
    assert "There is no champion of 'flights', and so nothing to serve. Version 1 was refused: there is no" in printed
    by_hand = "`make promote PROBLEM=flights@1`"
    assert f"register:   nothing is served; to have version 1 served all the same: {by_hand}\n" in printed
    assert f"To serve it all the same: {by_hand}, and then `make serve" in printed
    assert not (project.folder / PLACE.packaged).exists()
    assert "is version 1 already, the champion" in project.training("registry promote flights 1", "register flights")
    assert project.receipt()["tag"] == f"flights:{project.receipt('registered')['bundle']}"


@pytest.mark.slow
def test_another_registry_gets_the_model_too(project: Project) -> None:
    elsewhere = f"sqlite:///{project.folder / 'other.db'}"
    printed = replace(project, variables={"MLFLOW_TRACKING_URI": elsewhere}).train()
    assert ran(printed)[0] == "register"
    assert project.receipt("registered")["registry"] == elsewhere


@pytest.mark.slow
def test_registering_and_packaging_again_changes_nothing(project: Project) -> None:
    receipts = [project.folder / PLACE.registered, project.folder / PLACE.packaged]
    before = [path.read_text() for path in receipts]
    printed = project.stages("register", "package")
    assert "is version 1 already" in printed
    assert "is registry version 1" in printed
    assert [path.read_text() for path in receipts] == before


def test_mistakes_are_sentences(project: Project) -> None:
    printed = project.run("python", "-m", "training", "source", "trains", fails=True)
    assert "There is no problem 'trains' in problems/. There are: california, churn, flights" in printed
    printed = project.run("python", "-m", "training", "source", "flights", "--data", "nowhere.csv", fails=True)
    assert "source flights: nowhere.csv does not exist." in printed
    shutil.rmtree(project.folder / PLACE.raw)
    printed = project.run("python", "-m", "training", "ingest", "flights", fails=True)
    assert "run `make train`" in printed
    (project.folder / PLACE.metrics).unlink()
    assert "run `make train`" in project.run("python", "-m", "training", "report", "flights", fails=True)
    assert "Traceback" not in printed


def test_the_report_is_a_table(trained: Project) -> None:
    lines = trained.run("python", "-m", "training", "report", "flights").splitlines()
    assert lines[0].endswith("test rows, errors in USD, 95 % bootstrap intervals")
    assert lines[1].split("  ")[0] == ""
    assert [line.split()[0] for line in lines[2:7]] == ["model", "lookup", "linear", "forest", "mean"]
    assert "Intervals that should cover 90% of the rows cover " in lines[7]
