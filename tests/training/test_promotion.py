"""Challengers: which become champion, which are refused and why, and going back by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.project import Project
from training import tables
from training.split import TEST
from training.workspace import Workspace

PLACE = Workspace("flights")
REST = "from training.__main__ import main; import sys; sys.exit(any(main([s, 'flights']) for s in sys.argv[1:]))"
AWAY = "Recife (PE)"


class Registry:
    """A project whose challengers learn from a changed training split and are judged by the same test split."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._silver = tables.read(project.folder / PLACE.silver)
        self.test = (tables.read(project.folder / PLACE.split)["split"] == TEST).to_numpy()

    def challenge(self, rounds: int, change: Callable[[pd.DataFrame], None] | None = None) -> dict[str, object]:
        """Train, evaluate and register a model; returns the receipt."""
        silver = self._silver.copy()
        if change is not None:
            known = silver[~self.test].copy()
            change(known)
            silver.loc[known.index] = known
        tables.write(self.project.folder / PLACE.silver, silver)
        self.project.change_params({"train": {"rounds": rounds}})
        self.project.run("python", "-c", REST, "train", "bundle", "evaluate", "plot", "register", "package")
        receipt: dict[str, object] = json.loads((self.project.folder / PLACE.registered).read_text())
        return receipt

    def command(self, *arguments: str, fails: bool = False) -> str:
        action, *versions = arguments
        return self.project.run("python", "-m", "training", "registry", action, "flights", *versions, fails=fails)

    def champion(self) -> str:
        [line] = [line for line in self.command("list").splitlines() if line.startswith("*")]
        return line.split()[1]


def without_a_city(known: pd.DataFrame) -> None:
    known.loc[known["origin"] == AWAY, "origin"] = "Natal (RN)"


def shuffled(known: pd.DataFrame) -> None:
    known["price"] = np.random.default_rng(1).permutation(known["price"].to_numpy())


def wrong_for_one_city(known: pd.DataFrame) -> None:
    known.loc[known["destination"] == "Natal (RN)", "price"] *= 1.15


@pytest.fixture(scope="module")
def registry(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Four versions: a first poor champion, two challengers that are refused, and one that is truly better."""
    project = trained.copy(tmp_path_factory.mktemp("promotion") / "project")
    for store in (PLACE.registered, PLACE.packaged, Path("stores/mlflow/mlflow.db")):
        (project.folder / store).unlink()
    project.change_params({"promote": {"slice_rows": 100}})
    registry = Registry(project)
    assert registry.challenge(10, without_a_city)["promoted"]
    return registry


@pytest.mark.xdist_group("promotion")
class TestChallengers:
    """In this order, on one registry."""

    def test_one_that_learned_shuffled_targets_is_refused(self, registry: Registry) -> None:
        receipt = registry.challenge(60, shuffled)
        assert not receipt["promoted"]
        assert receipt["compared_with"] == "1"
        assert str(receipt["reasons"]).startswith("['worse: rmse ")
        assert registry.champion() == "1"

    def test_one_that_is_better_overall_and_worse_on_a_slice_is_refused_with_that_slice_named(
        self, registry: Registry
    ) -> None:
        receipt = registry.challenge(60, wrong_for_one_city)
        assert not receipt["promoted"], receipt
        assert str(receipt["reasons"]).startswith("['worse where destination is Natal (RN): rmse ")
        assert str(receipt["reasons"]).count("worse") == 1
        printed = registry.project.run("python", "-m", "training", "report", "flights")
        assert "Version 3 was REFUSED: worse where destination is Natal (RN)" in printed
        assert "is what is served." in printed

    def test_one_that_is_truly_better_is_promoted(self, registry: Registry) -> None:
        receipt = registry.challenge(60)
        assert receipt["promoted"], receipt
        assert "not worse overall or on any slice" in str(receipt["reasons"])
        assert registry.champion() == "4"
        packaged = json.loads((registry.project.folder / PLACE.packaged).read_text())["tag"]
        assert packaged == f"flights:{receipt['bundle']}"

    def test_decisions_and_differences_can_be_read(self, registry: Registry) -> None:
        decisions = [line.replace("*", " ").split()[2] for line in registry.command("list").splitlines()]
        assert decisions == ["promoted", "refused", "refused", "promoted"]
        difference = registry.command("diff", "1", "4")
        assert "train.rounds: 10 → 60" in difference
        assert "model.rmse: " in difference
        assert "contract:\n  no change" in difference
        shown = json.loads(registry.command("show", "3"))
        assert shown["tags"]["decision"] == "refused"
        assert shown["parameters"]["train.rounds"] == "60"

    def test_a_rollback_that_would_break_callers_is_refused(self, registry: Registry) -> None:
        printed = registry.command("rollback", fails=True)
        assert f"Version 1 would break callers of version 4: 'origin' does not know '{AWAY}' there" in printed
        assert "Nothing was changed" in printed
        assert registry.champion() == "4"

    def test_a_rollback_serves_the_earlier_champion_and_withdraws_the_later(self, registry: Registry) -> None:
        registry.command("promote", "3")
        assert registry.champion() == "3"
        printed = registry.command("rollback")
        assert "Version 4 is champion" in printed
        assert "withdrawn" in registry.command("list").splitlines()[2]
        packaged = json.loads((registry.project.folder / PLACE.packaged).read_text())["tag"]
        assert packaged.endswith(json.loads(registry.command("show"))["tags"]["bundle"])

    def test_mistakes_are_sentences(self, registry: Registry) -> None:
        assert "has no version '9'. There are: 1, 2, 3, 4." in registry.command("promote", "9", fails=True)
        assert "takes two versions, or none; 1 given" in registry.command("diff", "1", fails=True)
        assert "Version 4 is the champion already." in registry.command("rollback", "4", fails=True)
