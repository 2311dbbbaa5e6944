"""Challengers: which become champion, which are refused and why, and going back by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from tests.project import Project
from training import tables
from training.split import TEST
from training.workspace import Workspace

PLACE = Workspace("flights")
AWAY = "Recife (PE)"
Receipt = dict[str, Any]


class Registry:
    """A project whose challengers learn from a changed training split and are judged by the same test split."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def challenge(self, rounds: int, change: Callable[[pd.DataFrame], None] | None = None) -> Receipt:
        """Train, evaluate and register a model; returns the receipt, and who is champion after it."""
        silver = tables.read(self.project.folder / PLACE.silver)
        learned_from = silver.copy()
        if change is not None:
            known = silver[(tables.read(self.project.folder / PLACE.split)["split"] != TEST).to_numpy()].copy()
            change(known)
            learned_from.loc[known.index] = known
        tables.write(self.project.folder / PLACE.silver, learned_from)
        self.project.change_params({"train": {"rounds": rounds}})
        self.project.stages("train", "bundle", "evaluate", "register", "package")  # with the pictures of another
        tables.write(self.project.folder / PLACE.silver, silver)
        report = self.project.run("python", "-m", "training", "report", "flights")
        after = {"champion": self.champion(), "packaged": self.packaged(), "report": report}
        return self.project.receipt("registered") | after

    def command(self, *arguments: str, fails: bool = False) -> str:
        action, *versions = arguments
        return self.project.run("python", "-m", "training", "registry", action, "flights", *versions, fails=fails)

    def champion(self) -> str:
        [line] = [line for line in self.command("list").splitlines() if line.startswith("*")]
        return line.split()[1]

    def packaged(self) -> str:
        return str(self.project.receipt()["tag"])


def without_a_city(known: pd.DataFrame) -> None:
    known.loc[known["origin"] == AWAY, "origin"] = "Natal (RN)"


def shuffled(known: pd.DataFrame) -> None:
    known["price"] = np.random.default_rng(1).permutation(known["price"].to_numpy())


def wrong_for_one_city(known: pd.DataFrame) -> None:
    known.loc[known["destination"] == "Natal (RN)", "price"] *= 1.15


CHALLENGERS = ((10, without_a_city), (60, shuffled), (60, wrong_for_one_city), (60,))
Story = tuple[Registry, list[Receipt]]


@pytest.fixture(scope="session")
def story(trained: Project, shared: Path) -> Story:
    """Four versions: a first poor champion, two challengers to refuse, and one that is truly better."""
    folder = shared / "promotion" / "project"
    told = folder / "receipts.json"
    with FileLock(f"{shared}/promotion.lock"):
        if not told.exists():
            project = trained.copy(folder)
            for store in (PLACE.registered, PLACE.packaged, Path("stores/mlflow/mlflow.db")):
                (folder / store).unlink()
            project.change_params({"promote": {"slice_rows": 100}})
            told.write_text(json.dumps([Registry(project).challenge(*challenger) for challenger in CHALLENGERS]))
    return Registry(Project(folder)), json.loads(told.read_text())


@pytest.fixture
def registry(story: Story, tmp_path: Path) -> Registry:
    """A copy of the registry that may be changed."""
    return Registry(story[0].project.copy(tmp_path / "project"))


def test_one_that_learned_shuffled_targets_is_refused(story: Story) -> None:
    first, receipt = story[1][:2]
    assert first["promoted"]
    assert not receipt["promoted"]
    assert receipt["compared_with"] == "1"
    assert receipt["reasons"][0].startswith("worse: rmse ")
    assert receipt["champion"] == "1"


def test_one_that_is_better_overall_and_worse_on_a_slice_is_refused_with_that_slice_named(story: Story) -> None:
    receipt = story[1][2]
    assert not receipt["promoted"]
    [reason] = receipt["reasons"]
    assert reason.startswith("worse where destination is Natal (RN): rmse ")
    assert "Version 3 was REFUSED: worse where destination is Natal (RN)" in receipt["report"]
    assert "is what is served." in receipt["report"]
    assert receipt["packaged"] == story[1][0]["packaged"]


def test_one_that_is_truly_better_is_promoted(story: Story) -> None:
    receipt = story[1][3]
    assert receipt["promoted"], receipt
    assert "not worse overall or on any slice" in receipt["reasons"][0]
    assert receipt["champion"] == "4"
    assert receipt["packaged"] == f"flights:{receipt['bundle']}"


def test_decisions_and_differences_can_be_read(story: Story) -> None:
    registry = story[0]
    decisions = [line.replace("*", " ").split()[2] for line in registry.command("list").splitlines()]
    assert decisions == ["promoted", "refused", "refused", "promoted"]
    difference = registry.command("diff", "1", "4")
    assert "train.rounds: 10 → 60" in difference
    assert "model.rmse: " in difference
    assert "contract:\n  no change" in difference
    shown = json.loads(registry.command("show", "3"))
    assert shown["tags"]["decision"] == "refused"
    assert shown["parameters"]["train.rounds"] == "60"


def test_a_rollback_that_would_break_callers_is_refused(registry: Registry) -> None:
    printed = registry.command("rollback", fails=True)
    assert f"Version 1 would break callers of version 4: 'origin' does not know '{AWAY}' there" in printed
    assert "Nothing was changed" in printed
    assert registry.champion() == "4"


def test_a_rollback_serves_the_earlier_champion_and_withdraws_the_later(registry: Registry) -> None:
    registry.command("promote", "3")
    assert registry.champion() == "3"
    printed = registry.command("rollback")
    assert "Version 4 is champion" in printed
    assert "withdrawn" in registry.command("list").splitlines()[2]
    assert registry.packaged().endswith(json.loads(registry.command("show"))["tags"]["bundle"])


def test_mistakes_are_sentences(story: Story) -> None:
    command = story[0].command
    assert "has no version '9'. There are: 1, 2, 3, 4." in command("promote", "9", fails=True)
    assert "takes two versions, or none; 1 given" in command("diff", "1", fails=True)
    assert "Version 4 is the champion already." in command("rollback", "4", fails=True)
