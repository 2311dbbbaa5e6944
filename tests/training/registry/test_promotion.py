"""Challengers: which become champion, which are refused and why, and going back by hand."""

import fcntl
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from model import loss
from problems.base import Problem
from tests.project import Project, free_port
from training.data import tables
from training.data.split import TEST
from training.registry import champion, promote
from training.workspace import Workspace, write_json

PLACE = Workspace("flights")
AWAY = "Recife (PE)"
SQUARED = loss.of({"objective": "regression"})
Receipt = dict[str, Any]


class Registry:
    """A project whose challengers learn from a changed training split and are judged by the same test split."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def challenge(self, rounds: int, change: Callable[[pd.DataFrame], None] | None = None) -> Receipt:
        """Train, evaluate and register a model; returns the receipt, and what is packaged and how named after it."""
        silver = tables.read(self.project.folder / PLACE.silver)
        learned_from = silver.copy()
        if change is not None:
            known = silver[(tables.read(self.project.folder / PLACE.split)["split"] != TEST).to_numpy()].copy()
            change(known)
            learned_from.loc[known.index] = known
        tables.write(self.project.folder / PLACE.silver, learned_from)
        self.project.change_params({"train": {"rounds": rounds}})
        # the pictures are those of the first: nobody looks at them
        self.project.stages("train", "bundle", "evaluate", "register", "package")
        tables.write(self.project.folder / PLACE.silver, silver)
        return self.project.receipt("registered") | {
            "packaged": self.project.receipt()["tag"],
            "aliases": self.client.get_registered_model("flights").aliases,
        }

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of it."""
        return MlflowClient(f"sqlite:///{self.project.folder / 'stores/mlflow/mlflow.db'}")

    def command(self, *lines: str, fails: bool = False) -> str:
        """Run `registry ACTION flights VERSION…` for each line `ACTION VERSION…`."""
        parts = (line.split() for line in lines)
        commands = [" ".join(("registry", action, "flights", *versions)) for action, *versions in parts]
        return self.project.training(*commands, fails=fails)


def without_a_city(known: pd.DataFrame) -> None:
    known.loc[known["origin"] == AWAY, "origin"] = "Natal (RN)"


def shuffled(known: pd.DataFrame) -> None:
    known["price"] = np.random.default_rng(1).permutation(known["price"].to_numpy())


def wrong_for_one_city(known: pd.DataFrame) -> None:
    known.loc[known["destination"] == "Natal (RN)", "price"] *= 1.15


pytestmark = pytest.mark.slow  # five models are trained and registered
CHALLENGERS = ((12, without_a_city), (60, shuffled), (60, wrong_for_one_city), (60,))
Story = tuple[Registry, list[Receipt]]


@pytest.fixture(scope="session")
def story(trained: Project, shared: Path) -> Story:
    """Four versions: a first poor champion, two challengers to refuse, and one that is truly better."""
    folder = shared / "promotion" / "project"
    told = folder / "receipts.json"
    with FileLock(f"{shared}/promotion.lock"):
        if not told.exists():
            project = trained.copy(folder).uncounted()
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


def test_mlflow_says_why_one_was_refused(story: Story) -> None:
    registry, receipts = story
    version = registry.client.get_model_version("flights", receipts[1]["registry_version"])
    assert "**Refused** when it was registered, compared with version 1;" in version.description
    assert "- worse: rmse " in version.description
    assert "To have it served all the same: `make promote PROBLEM=flights@2`." in version.description
    assert "| promotion | refused, for the reasons above |" in version.description
    assert registry.client.get_run(version.run_id).data.tags["mlflow.note.content"] == version.description


def test_one_that_is_better_overall_and_worse_on_a_slice_is_refused_with_that_slice_named(story: Story) -> None:
    receipt = story[1][2]
    assert not receipt["promoted"]
    [reason] = receipt["reasons"]
    assert reason.startswith("worse where destination is Natal (RN): rmse ")
    assert receipt["packaged"] == story[1][0]["packaged"]


def test_make_serve_says_that_the_newest_was_refused(registry: Registry, story: Story) -> None:
    receipt = {name: value for name, value in story[1][2].items() if name not in ("packaged", "aliases")}
    write_json(registry.project.folder / PLACE.registered, receipt)
    write_json(registry.project.folder / PLACE.packaged, {"tag": story[1][0]["packaged"]})
    printed = registry.project.training("report flights")
    assert "Version 3, which the table is about, was REFUSED: worse where destination is Natal (RN)" in printed
    assert (
        "version 1 goes on serving; to have version 3 served all the same: `make promote PROBLEM=flights@3`" in printed
    )
    assert f"What is served is {story[1][0]['packaged']}, on the test rows of its own table:" in printed


def test_one_that_is_truly_better_is_promoted(story: Story) -> None:
    receipt = story[1][3]
    assert receipt["promoted"], receipt
    assert "is below the champion's " in receipt["reasons"][0]
    assert receipt["champion"] == "4"
    assert receipt["packaged"] == f"flights:{receipt['bundle']}"


def test_the_newest_that_was_refused_is_the_challenger_until_one_is_promoted(registry: Registry, story: Story) -> None:
    named = [{alias: int(number) for alias, number in receipt["aliases"].items()} for receipt in story[1]]
    assert named == [
        {"champion": 1},
        {"champion": 1, "challenger": 2},
        {"champion": 1, "challenger": 3},
        {"champion": 4},
    ]
    commands = ("show challenger", "promote 2", "list", "promote challenger", "list", "rollback", "list")
    printed = registry.command(*commands, fails=True)
    assert "There is no challenger of 'flights': the last version, 4, was promoted." in printed
    assert "Aliases: champion." in printed
    shown = re.findall(r"^[* ] +\d  \w{16}  (\w+) +(\S+)", printed, re.MULTILINE)
    after_promotion, after_another, after_rollback = shown[:4], shown[4:8], shown[8:]
    assert [called for _, called in after_promotion] == ["-", "champion", "challenger", "-"]
    assert [called for _, called in after_another] == ["-", "-", "champion", "-"]
    assert after_rollback[1:3] == [("promoted", "champion"), ("withdrawn", "-")]


def test_an_earlier_version_that_is_refused_again_is_the_challenger(registry: Registry) -> None:
    receipt = registry.challenge(*CHALLENGERS[1])
    assert (receipt["promoted"], receipt["registry_version"]) == (False, "2")
    assert {alias: int(number) for alias, number in receipt["aliases"].items()} == {"champion": 4, "challenger": 2}


def test_decisions_and_differences_can_be_read(story: Story) -> None:
    printed = story[0].command("list", "diff 1 4", "show 3")
    lines = printed.splitlines()
    assert [line.replace("*", " ").split()[2] for line in lines[:4]] == ["promoted", "refused", "refused", "promoted"]
    assert [line[:1] for line in lines[:4]] == [" ", " ", " ", "*"]
    assert "train.rounds: 12 → 60" in printed
    assert "model.rmse: " in printed
    assert "contract:\n  no change" in printed
    shown = json.loads(printed[printed.index("\n{") :])
    assert shown["tags"]["decision"] == "refused"
    assert shown["parameters"]["train.rounds"] == "60"


def test_a_rollback_that_would_break_callers_is_refused(registry: Registry) -> None:
    printed = registry.command("rollback", "show", fails=True)
    assert f"Version 1 would break callers of version 4: 'origin' does not know '{AWAY}' there" in printed
    assert "Nothing was changed" in printed
    assert '"version": "4"' in printed


def test_a_rollback_serves_the_earlier_champion_and_withdraws_the_later(registry: Registry) -> None:
    printed = registry.command("promote 3", "rollback", "list", "show")
    assert "Version 3 is champion" in printed
    assert "Version 4 is champion" in printed
    versions = printed[printed.index(" 1  ") :].splitlines()
    assert "withdrawn" in versions[2]
    shown = json.loads(printed[printed.index("\n{") :])
    assert registry.project.receipt()["tag"].endswith(shown["tags"]["bundle"])
    again = registry.command("rollback 3", "list")  # what was withdrawn can come back
    assert ["withdrawn" in line for line in again.splitlines()[-4:]] == [False, False, False, True]


def test_nothing_is_promoted_while_another_run_is_in_progress(registry: Registry) -> None:
    lock = registry.project.folder / ".dvc/run.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Another run is in progress" in registry.command("promote 3", fails=True)


def test_figures_are_told_of_what_is_served(registry: Registry, story: Story) -> None:
    registry.command("promote 3")
    printed = registry.project.training("report flights")
    judged, served = printed.split("Version 4, which the table is about, is not served any more.\nWhat is served is ")
    assert served.startswith(f"flights:{story[1][2]['bundle']}, on the test rows of its own table:\n")
    rmse = [
        line.split()[1] for part in (judged, served) for line in part.splitlines() if line.strip().startswith("model")
    ]
    assert len(set(rmse)) == 2


def test_mistakes_are_sentences(story: Story) -> None:
    printed = story[0].command("promote 9", "diff 1", "rollback 4", fails=True)
    assert "has no version '9'. There are: 1, 2, 3, 4." in printed
    assert "takes two versions, or none; 1 given" in printed
    assert "Version 4 is the champion already." in printed


def test_a_registry_that_cannot_say_who_is_champion_is_no_reason_to_promote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(MlflowException):
        champion.current(MlflowClient(f"http://127.0.0.1:{free_port()}"), "flights")
    with pytest.raises(MlflowException):
        champion.find(MlflowClient(f"http://127.0.0.1:{free_port()}"), "flights", "1")


def test_a_deleted_version_is_passed_over_on_the_way_back(tmp_path: Path) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_registered_model("flights")
    for _ in range(3):
        champion.set_champion(client, client.create_model_version("flights", str(tmp_path)))
    client.delete_model_version("flights", "2")
    assert champion.find(client, "flights", "2") is None
    assert champion.find(client, "flights", "two") is None
    earlier = champion.before(client, "flights", "3")
    assert earlier is not None
    assert earlier.version == 1


@pytest.mark.parametrize(
    ("factor", "where", "refused"),
    [
        (0.9, slice(None), "[]"),
        (1.01, slice(None), "[]"),
        (1.05, slice(None), "['worse: "),
        (1.2, slice(0, 300), "['worse where agency is a: "),
        (1.2, slice(0, 30), "[]"),
    ],
    ids=["better", "within the tolerance", "worse", "worse on a slice", "worse on a few rows"],
)
def test_verdicts(flights: Problem, factor: float, where: slice, refused: str) -> None:
    random = np.random.default_rng(1)
    losses = random.gamma(2, 100, 4_000)
    new = losses * random.normal(1, 0.01, 4_000)
    new[where] *= factor
    table = pd.DataFrame({c.name: "x" for c in flights.contract.categories}, index=range(4_000))
    table["agency"] = ["a"] * 300 + ["b"] * 3_700
    table["date"] = pd.Timestamp("2023-01-01")
    found = promote.refusals(flights.contract, table, new, losses, SQUARED, promote.PromoteParams())
    assert str(found).startswith(refused)


@pytest.mark.parametrize(("factors", "chance"), [((1.0, 1.2), False), ((0.1, 2.1), True)], ids=["surely", "perhaps"])
def test_a_difference_within_chance_is_called_that(flights: Problem, factors: tuple[float, ...], chance: bool) -> None:
    random = np.random.default_rng(1)
    old = random.pareto(3, 400)
    new = old * random.choice(factors, 400)
    table = pd.DataFrame({c.name: "x" for c in flights.contract.categories}, index=range(400))
    table["date"] = pd.Timestamp("2023-01-01")
    absolute = loss.of({"objective": "regression_l1"})
    params = promote.PromoteParams(slice_rows=500)
    [reason] = promote.refusals(flights.contract, table, new, old, absolute, params)
    assert reason.startswith(f"worse: mae {new.mean():.4g} instead of {old.mean():.4g} on 400 rows, a mean loss +")
    assert reason.endswith(": the difference is within chance") == chance


@given(
    steps=st.lists(st.tuples(st.floats(0.9, 1.05), st.booleans()), min_size=1, max_size=60),
    tolerance=st.sampled_from([0.0, 0.02, 0.1]),
)
def test_no_chain_of_champions_becomes_worse_than_the_best_of_them(
    steps: list[tuple[float, bool]], tolerance: float
) -> None:
    """Each step is a challenger's loss, as a multiple of the champion's, and whether the best can still be asked."""
    champion_loss = best_loss = recorded = 1.0
    for step, asked in steps:
        challenger = champion_loss * step
        above = promote.above(step, recorded, challenger / best_loss if asked else None)
        assert above == pytest.approx(challenger / best_loss)
        if step > 1 + tolerance or above > 1 + tolerance:
            continue
        champion_loss, recorded = challenger, max(above, 1.0)
        best_loss = min(best_loss, champion_loss)
        assert champion_loss <= best_loss * (1 + tolerance) * (1 + 1e-9)
