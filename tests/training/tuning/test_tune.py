"""`make tune` as a person uses it: it finds better parameters, goes on where it was killed, never reads the test."""

import difflib
import json
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml

from problems import base
from tests.project import Project
from training.data import tables
from training.data.split import TEST
from training.tuning import studies
from training.workspace import Workspace

CHURN = Workspace("churn")
TRIALS = 5
JOURNAL = "stores/tuning/churn.journal"
POOR: dict[str, Any] = {"train": {"rounds": 40, "booster": {"learning_rate": 0.001, "num_leaves": 2}}}
"""A booster than which nearly any other is better."""


@pytest.fixture(scope="module")
def poor(churned: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with churn, whose parameters are poor. Not to be changed: copy it."""
    project = churned.copy(tmp_path_factory.mktemp("tuned") / "project")
    project.change_params(POOR, "churn")
    return project


@pytest.fixture(scope="module")
def tuned(poor: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The same after a study of a few trials, and what that printed. Not to be changed: copy it."""
    project = poor.copy(tmp_path_factory.mktemp("tuned") / "project")
    return project, project.training(f"tune churn --trials {TRIALS}", "tune flights --trials 2")


def result(project: Project, problem: str = "churn") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.folder / f"data/{problem}/tuning/result.json").read_text())
    return document


def params(project: Project) -> str:
    return (project.folder / "params.yaml").read_text()


@pytest.mark.slow
def test_it_says_what_is_gained_and_changes_nothing(tuned: tuple[Project, str], poor: Project) -> None:
    project, printed = tuned
    assert f"tune: trial 1 of {TRIALS}, the problem's own: loss 0." in printed
    assert f"tune: trial {TRIALS} of {TRIALS}: " in printed
    assert "below the defaults' on folds that are drawn anew (95 % interval" in printed
    assert "params.yaml stays as it is; ARGS=--write puts the best trial into it:\nchurn:\n  train:\n" in printed
    assert "Warning" not in printed
    assert params(project) == params(poor)
    found = result(project)
    assert found["loss"] < found["loss_of_the_defaults"]
    assert 0 < found["gain_low"] < found["gain"] < found["gain_high"]
    shown = yaml.safe_load(printed[printed.index("\nchurn:") : printed.index("alternatives: []\n")])
    assert shown["churn"]["train"]["booster"] == found["best"]


def test_rows_in_time_are_tuned_by_windows(tuned: tuple[Project, str]) -> None:
    project, printed = tuned
    of_flights = printed[printed.index("a new study begins, flights") :]
    assert "trial 2 of 2" in of_flights
    assert "the best of 2 on these very rows" in of_flights or "none of the trials" in of_flights
    assert result(project, "flights")["trials"] == 2


def test_mlflow_has_a_run_with_one_for_each_trial(tuned: tuple[Project, str]) -> None:
    project, _ = tuned
    client = mlflow.MlflowClient(f"sqlite:///{project.folder / 'stores/mlflow/mlflow.db'}")
    experiment = client.get_experiment_by_name("churn").experiment_id
    [run] = client.search_runs([experiment], "tags.`mlflow.runName` = 'tune'")
    found = result(project)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["gain"] == found["gain"]
    assert run.data.tags["study"] == found["study"]
    assert {file.path for file in client.list_artifacts(run.info.run_id, "tuning")} >= {"tuning/result.json"}
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert sorted(int(trial.data.tags["trial"]) for trial in trials) == list(range(TRIALS))
    whole = [trial for trial in trials if trial.data.tags["state"] == "complete"]
    assert min(trial.data.metrics["loss"] for trial in whole) == pytest.approx(found["loss"])
    [best] = [trial for trial in whole if trial.data.metrics["loss"] == pytest.approx(found["loss"], rel=1e-12)]
    assert best.data.params == {name: str(value) for name, value in found["best"].items()}


def killed_within(project: Project, trial: int) -> None:
    """Leave of the journal what a process leaves that is killed while it writes about a trial's first fold."""
    journal = project.folder / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    created = [place for place, line in enumerate(lines) if json.loads(line)["op_code"] == 4]  # CREATE_TRIAL
    reported = next(place for place in range(created[trial], len(lines)) if json.loads(lines[place])["op_code"] == 7)
    journal.write_bytes(b"".join(lines[:reported]) + lines[reported][:20])


@pytest.mark.slow
def test_a_killed_study_goes_on_and_its_best_is_written(tuned: tuple[Project, str], tmp_path: Path) -> None:
    project = tuned[0].copy(tmp_path / "project")
    text, before = params(project), result(project)
    killed_within(project, 2)
    (project.folder / f"{JOURNAL}.lock").symlink_to(project.folder / JOURNAL)  # as Optuna locks it
    printed = project.training(f"tune churn --trials {TRIALS} --write", "tune churn --trials 1")
    assert f"study {before['study']} goes on: 2 trials of it are done" in printed
    assert "trial 2 of" not in printed
    assert f"trial {TRIALS} of {TRIALS}: " in printed
    assert "params.yaml, churn.train has the best trial now; `make train` learns by it" in printed
    written = yaml.safe_load(params(project))["churn"]["train"]
    assert written["booster"]["learning_rate"] > POOR["train"]["booster"]["learning_rate"]
    assert written["alternatives"] == []
    lines = [line for line in difflib.ndiff(text.splitlines(), params(project).splitlines()) if line[0] in "-+"]
    assert all(line[2:].startswith("      ") for line in lines)  # of the booster
    assert "since the last one the parameters of `train` changed" in printed
    assert "which stays the best\ntune: params.yaml stays as it is" in printed
    assert result(project)["best"] == written["booster"]


@pytest.mark.slow
def test_the_test_split_is_never_read(tuned: tuple[Project, str], poor: Project, tmp_path: Path) -> None:
    """With other targets in every row of the test: the same study, the same losses, the same gain."""
    project = poor.copy(tmp_path / "project").uncounted()
    silver, split = tables.read(project.folder / CHURN.silver), tables.read(project.folder / CHURN.split)["split"]
    target = base.load("churn").contract.target.name
    test = split == TEST
    silver.loc[test, target] = silver.loc[test, target].map({"Yes": "No", "No": "Yes"})
    assert test.sum() > 100
    tables.write(project.folder / CHURN.silver, silver)
    project.training(f"tune churn --trials {TRIALS}")
    assert result(project) == result(tuned[0])


@pytest.mark.slow
def test_what_cannot_be_done_is_a_sentence(poor: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = poor.copy(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    with studies.alone(base.load("churn")):
        commands = ("churn", "churn --trials 0", "churn --trials -3", "churn --minutes 0", "istanbul", "hats")
        printed = project.training(*(f"tune {command}" for command in commands), fails=True)
    assert printed.splitlines() == [
        "tune churn: 'churn' is being tuned already; nothing was changed.",
        "tune churn: TRIALS is 0; one parameter set at least is tried.",
        "tune churn: TRIALS is -3; one parameter set at least is tried.",
        "tune churn: MINUTES is 0; it must be above 0. Leave it out for no limit.",
        "tune istanbul: 'istanbul' has no split yet: run `make train PROBLEM=istanbul` first.",
        *[line for line in printed.splitlines() if line.startswith("tune hats: There is no problem 'hats'")],
    ]
    assert not (project.folder / JOURNAL).exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_study_can_be_gone_on_with(poor: Project, tmp_path: Path, how: signal.Signals) -> None:
    project = poor.copy(tmp_path / "project")
    command = (
        "env",
        "--default-signal=INT",
        "python",
        "-m",
        "training",
        "tune",
        "churn",
        "--trials",
        "30",
    )  # a shell has it ignored behind an &
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "trial 5 of 30" in line:
                os.kill(process.pid, how)
                break
        left = process.stdout.read()
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert ("stopped; the same command goes on from here" in left) == (how == signal.SIGINT)
    assert "Traceback" not in left
    assert runs(project)[0] == ("KILLED" if how == signal.SIGINT else "RUNNING")
    printed = project.training("tune churn --trials 8", "tune churn --trials 8 --minutes 0.001")
    assert " goes on: 5 trials of it are done" in printed
    assert "trial 5 of" not in printed
    assert "trial 8 of 8" in printed
    assert "goes on: 8 trials of it are done" in printed
    assert runs(project) == ("FINISHED", 8)
    shutil.rmtree(project.folder / "stores/mlflow")
    project.training("tune churn --trials 9")
    assert runs(project) == ("FINISHED", 9)  # those that were there before the store was deleted, too


def runs(project: Project) -> tuple[str, int]:
    """How MLflow says that the study is, and how many trials it has."""
    seen = project.folder / f"{uuid.uuid4()}.db"  # MLflow goes on reading a database that was deleted
    shutil.copy(project.folder / "stores/mlflow/mlflow.db", seen)
    client = mlflow.MlflowClient(f"sqlite:///{seen}")
    experiment = client.get_experiment_by_name("churn").experiment_id
    [run] = client.search_runs([experiment], "tags.`mlflow.runName` = 'tune'")
    trials = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    return run.info.status, len(trials)
