"""A training that is killed goes on where it was, and comes to the same model to the bit."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from problems.base import Problem
from tests.interrupted import Killed
from tests.project import Project
from training.learning.checkpoints import NONE, Checkpoints
from training.learning.params import Checkpoint, TrainParams
from training.learning.train import Learned, learn
from training.workspace import Workspace
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role

NUMBER = Column(name="y", kind=Kind.REAL, role=Role.TARGET)
PAIR = Column(name="y", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "high"), (0.5,)))
THREE = Column(name="y", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "middle", "high"), (0.3, 0.7)))
BOOSTER = {"num_threads": 1, "num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 5}
SAMPLED = {**BOOSTER, "colsample_bytree": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1}
EVERY = Checkpoint(trees=4, seconds=0)


def table(rows: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(1)
    a, b, noise = random.normal(size=(3, rows))
    a[::11] = np.nan
    town = random.choice(["Oslo", "Rome", "Bonn", "Lund", "Nice"], rows)
    y = np.exp(np.nan_to_num(a) + np.sin(3 * b) + (town == "Rome") + 0.5 * noise)
    return pd.DataFrame({"a": a, "b": b, "town": town, "y": y})


def parts(silver: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ends = [0, len(silver) * 6 // 10, len(silver) * 8 // 10, len(silver)]
    names = ("train", "validation", "calibration")
    return {name: silver.iloc[ends[place] : ends[place + 1]] for place, name in enumerate(names)}


def learned(kept: Checkpoints, column: Column = NUMBER, silver: pd.DataFrame | None = None, **changes: Any) -> Learned:
    inputs = (Column(name="a", kind=Kind.REAL, nullable=True), Column(name="b", kind=Kind.REAL))
    contract = Contract((*inputs, Column(name="town", kind=Kind.CATEGORY), column))
    asked = {"rounds": 22, "stop_after": 6, "seed": 1, "booster": BOOSTER, "folds": 3, **changes}
    rows = table() if silver is None else silver
    return learn(Problem(name="kept", title="", contract=contract), TrainParams(**asked), parts(rows), kept)


def interrupted(folder: Path, *, after: int, **asked: Any) -> tuple[Learned, int]:
    """What is learned in as many processes as it takes, each of which ends after some checkpoints."""
    for kills in range(1_000):
        try:
            return learned(Killed(folder, EVERY, after=after), **asked), kills
        except KeyboardInterrupt:
            continue
    raise AssertionError("it does not come any further")


def assert_same(one: Learned, other: Learned) -> None:
    assert one.model.boosters == other.model.boosters
    assert one.model.outcome == other.model.outcome
    assert one.scores.tobytes() == other.scores.tobytes()


@pytest.mark.parametrize(
    ("column", "folds", "after", "changes"),
    [
        (NUMBER, 3, 5, {}),
        (NUMBER, 0, 17, {}),
        (PAIR, 3, 2, {"class_weights": {"high": 3.0}}),
        (PAIR, 0, 2, {}),
        (THREE, 3, 2, {}),
        (THREE, 0, 2, {"class_weights": "balanced"}),
        (NUMBER, 3, 5, {"target": "log", "booster": {**BOOSTER, "objective": "quantile", "alpha": 0.6}}),
        (NUMBER, 3, 1, {"booster": {**SAMPLED, "objective": "tweedie", "min_split_gain": 0.01, "bagging_freq": 3}}),
        (NUMBER, 0, 17, {"booster": SAMPLED}),
        (PAIR, 3, 5, {"alternatives": [SAMPLED]}),
        (PAIR, 0, 2, {"booster": {**BOOSTER, "pos_bagging_fraction": 0.5, "bagging_freq": 2}}),
        (THREE, 0, 2, {"booster": {**SAMPLED, "bagging_fraction": 0.3}}),
    ],
)
def test_a_model_is_the_same_however_often_its_training_was_killed(
    column: Column,
    folds: int,
    after: int,
    changes: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: dict[str, Any] = {"column": column, "folds": folds, **changes}
    undisturbed = learned(NONE, **asked)
    assert_same(undisturbed, learned(Checkpoints(tmp_path / "on", EVERY), **asked))
    assert "interrupt" not in capsys.readouterr().out
    again, kills = interrupted(tmp_path / "killed", after=after, **asked)
    assert_same(undisturbed, again)
    assert kills > 1
    printed = capsys.readouterr().out
    assert " of a training that was interrupted\n" in printed
    assert "was finished before the interruption; it is not repeated" in printed
    assert "random choices" not in printed


def test_rows_are_chosen_anew_in_some_trees_only_and_it_goes_on_from_those(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        learned(Killed(tmp_path, EVERY), booster={**SAMPLED, "bagging_freq": 6})
    learned(Checkpoints(tmp_path, EVERY), booster={**SAMPLED, "bagging_freq": 6})
    assert "goes on at tree 12 of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [{"extra_trees": True}, {"colsample_bynode": "0.5"}, {"data_sample_strategy": "goss"}],
)
def test_where_random_choices_cannot_be_repeated_that_is_said(
    more: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again, _ = interrupted(tmp_path, after=10, booster={**BOOSTER, **more})
    assert "was interrupted; its random choices are others from there on\n" in capsys.readouterr().out
    undisturbed = learned(NONE, booster={**BOOSTER, **more})
    squares = [np.mean((table()["y"].to_numpy() - one.scores[:, 0]) ** 2) for one in (undisturbed, again)]
    assert squares[1] == pytest.approx(squares[0], rel=0.3)


@pytest.mark.parametrize("boosting", ["dart", "rf"])
def test_trees_that_change_later_are_kept_once_they_are_finished(
    boosting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {"booster": {**SAMPLED, "boosting_type": boosting}}
    again, _ = interrupted(tmp_path, after=1, **asked)
    printed = capsys.readouterr().out
    assert "goes on at tree" not in printed
    assert "is not repeated" in printed
    assert_same(learned(NONE, **asked), again)


def test_another_training_does_not_go_on_from_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, Any] = {"column": PAIR, "folds": 0}
    silver = table()
    turned = 60.0 * (silver["y"] < silver["y"].median())
    for other, changes in (
        (silver, {"seed": 2}),
        (silver, {"rounds": 23}),
        (silver, {"stop_after": 7}),
        (silver, {"booster": {**BOOSTER, "num_leaves": 8}}),
        (silver, {"column": THREE}),
        (silver, {"class_weights": "balanced"}),
        (silver.assign(b=silver["b"].where(silver.index != 5, 1e-6)), {}),
        (silver.assign(y=silver["y"].where(silver.index != 5, turned)), {}),
        (silver.assign(y=silver["y"].where(silver.index != 200, turned)), {}),
    ):
        with pytest.raises(KeyboardInterrupt):
            learned(Killed(tmp_path, EVERY, after=2), **asked)
        learned(Checkpoints(tmp_path, EVERY), silver=other, **{**asked, **changes})
        assert "interrupt" not in capsys.readouterr().out
        learned(Checkpoints(tmp_path, EVERY), **asked)
        assert "goes on at tree 8 of" in capsys.readouterr().out
        Checkpoints(tmp_path, EVERY).clear()
        assert not tmp_path.exists()


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_checkpoint_is_ignored(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        learned(Killed(tmp_path, EVERY))
    [path] = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-9], "changed": content.replace(b"tree", b"tr33"), "empty": b""}[damage])
    again = learned(Checkpoints(tmp_path, EVERY))
    printed = capsys.readouterr().out
    assert f"train: the checkpoint {path} is damaged and ignored\n" in printed
    assert "goes on" not in printed
    assert_same(again, learned(NONE))


@pytest.mark.parametrize("how", [Checkpoint(), Checkpoint(trees=0, seconds=0), Checkpoint(trees=1, seconds=60)])
def test_a_short_training_writes_none(how: Checkpoint, tmp_path: Path) -> None:
    learned(Checkpoints(tmp_path, how))
    assert not any(tmp_path.iterdir())


def test_a_training_goes_on_where_none_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Checkpoints(tmp_path / "file", EVERY)
    assert_same(learned(kept, column=PAIR), learned(NONE, column=PAIR))
    assert capsys.readouterr().out.count("train: goes on without checkpoints, which cannot be written: ") == 1


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_to_the_same_files(trained: Project, tmp_path: Path) -> None:
    """Killed in the middle of each of some trees, by a signal that no process can catch."""
    project = trained.copy(tmp_path / "project").uncounted()
    command, workspace = ("python", "-m", "training", "train", "flights"), Workspace("flights")
    sampled = {"feature_fraction": 0.7, "bagging_fraction": 0.8, "bagging_freq": 1}
    project.change_params({"train": {"rounds": 150, "booster": sampled, "checkpoint": {"trees": 0}}})
    project.run(*command)
    files = sorted((project.folder / workspace.trained).iterdir())
    undisturbed = [path.read_bytes() for path in files]
    project.change_params({"train": {"checkpoint": {"trees": 5, "seconds": 0}}})
    folder, seen = project.folder / workspace.checkpoints, set[Any]()
    for path in files:
        path.unlink()
    for _ in range(3):
        with subprocess.Popen(command, cwd=project.folder, env=project.environment, start_new_session=True) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (left := _left(folder) - seen):
                assert process.poll() is None
                time.sleep(0.001)
            os.killpg(process.pid, signal.SIGKILL)
        seen |= left
        assert not any(path.exists() for path in files)
    printed = project.run(*command)
    assert "interruption; it is not repeated" in printed or "of a training that was interrupted" in printed
    assert [path.read_bytes() for path in files] == undisturbed
    assert not folder.exists()


def _left(folder: Path) -> set[Any]:
    """What is there whole; a hidden file is being written, and may be gone before it is looked at."""
    return {(path.name, path.stat().st_mtime_ns) for path in folder.glob("[!.]*.checkpoint")}
