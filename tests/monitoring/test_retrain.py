"""The loop: what begins a retraining, what it comes to, and what an interruption leaves."""

import fcntl
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from model.predictor import open_predictor
from tests.monitoring import retraining
from tests.project import Project
from training.data import tables
from training.workspace import Workspace

PLACE = Workspace("flights")
WATCH = "stores/watch/flights"


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """The trained project, which may be changed."""
    return trained.copy(tmp_path / "project")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """The file of a few labelled rows."""
    path = tmp_path / "few.parquet"
    retraining.later(tmp_path, 200, seed=3, factor=1.3).to_parquet(path)
    return path


def test_without_an_alarm_there_is_nothing_to_do(project: Project, few: Path) -> None:
    printed = project.run(*retraining.command(few))
    assert "nothing to do: there is no verdict on 'flights'; `python -m monitoring drift flights` makes one" in printed
    for status, version, why in (
        ("changed", None, "the verdict of 2027-09-01T00:00:00Z is no alarm: fares are higher than the model expects"),
        ("alarm", "0123456789abcdef", "is of version 0123456789abcdef, which is not the champion any more"),
    ):
        retraining.verdict(project, status, version)
        assert f"{why} (--scheduled retrains all the same)" in project.run(*retraining.command(few))
    assert [run["status"] for run in retraining.listed(project)] == ["nothing to do"] * 3


def test_few_labelled_rows_are_refused_with_the_number_that_is_wanted(project: Project, few: Path) -> None:
    retraining.verdict(project, "alarm")
    before = project.receipt("registered")
    assert "200 labelled rows are too few to retrain on; 1,000 are wanted" in project.run(*retraining.command(few))
    [run] = retraining.listed(project)
    assert (run["status"], run["labelled"], run["trigger"]) == ("nothing to do", 200, "verdict")
    assert project.receipt("registered") == before


def test_one_at_a_time(project: Project, few: Path) -> None:
    path = project.folder / "stores/retraining/flights/lock"
    path.parent.mkdir(parents=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        printed = project.run(*retraining.command(few, "scheduled"), fails=True)
    assert "'flights' is being retrained in this folder already; nothing was changed" in printed
    assert project.run("python", "-m", "monitoring", "runs", "flights") == "There are no retraining runs yet.\n"


class Story(NamedTuple):
    """A project that was retrained, what each retraining printed, and its receipts."""

    project: Project
    printed: dict[str, str]
    receipts: dict[str, Any]


@pytest.fixture(scope="module")
def story(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """After a shock of fares: true values that are chance, a run that is killed, the same again, and twice."""
    folder = tmp_path_factory.mktemp("story")
    project = trained.copy(folder / "project").uncounted()
    rows = retraining.later(folder, 2_000, seed=11, factor=1.4)
    chance = rows.assign(price=np.random.default_rng(1).permutation(rows["price"].to_numpy()))
    files = {"chance": chance, "shock": rows.drop(columns=["travel_code", "user_code"])}
    for name, table in files.items():
        table.to_parquet(folder / f"{name}.parquet")
    printed, receipts = {}, {}
    printed["chance"] = project.run(*retraining.command(folder / "chance.parquet", "scheduled"))
    receipts["chance"] = project.receipt("registered")
    retraining.verdict(project, "alarm")
    shock = retraining.command(folder / "shock.parquet")
    project.kill_when(shock, lambda line: line.startswith("> python -m training evaluate"))
    receipts["killed"] = project.receipt("registered")
    for name in ("shock", "again"):
        printed[name] = project.run(*shock)
        receipts[name] = project.receipt("registered")
    printed["scheduled"] = project.run(*retraining.command(folder / "shock.parquet", "scheduled"))
    return Story(project, printed, receipts)


@pytest.mark.slow
def test_true_values_that_are_chance_are_refused(story: Story) -> None:
    receipt = story.receipts["chance"]
    assert (receipt["promoted"], receipt["champion"]) == (False, "1")
    assert "not surely better than one answer for all rows" in receipt["reasons"][0]
    assert f"retrain: refused: {receipt['reasons'][0]}" in story.printed["chance"]


@pytest.mark.slow
def test_a_killed_run_changes_no_champion_and_the_next_goes_on(story: Story) -> None:
    assert story.receipts["killed"] == story.receipts["chance"]
    assert "never ended; it is marked as interrupted" in story.printed["shock"]
    assert "> python -m training train" not in story.printed["shock"]  # which had been done
    statuses = [run["status"] for run in retraining.listed(story.project)]
    assert statuses == ["refused", "interrupted", "promoted", "nothing to do", "nothing to do"]


@pytest.mark.slow
def test_a_promoted_run_says_what_it_is_about(story: Story) -> None:
    receipt, run = story.receipts["shock"], retraining.listed(story.project)[2]
    assert receipt["promoted"]
    assert (run["version"], run["registry_version"]) == (receipt["bundle"], receipt["registry_version"])
    assert (run["trigger"], run["labelled"], run["reasons"]) == ("verdict", 2_000, receipt["reasons"])
    assert run["rows"] == 8_000
    source = json.loads((story.project.folder / PLACE.source).read_text())
    assert run["data"] == source["sha256"] != source["table"]
    shown = story.project.training("registry show flights champion")
    assert f"retraining {run['id']}, verdict: alarm of 2027-09-01" in shown
    kept = pq.read_metadata(story.project.folder / WATCH / f"reference/{receipt['bundle']}.parquet")
    assert kept.num_rows > 500
    card = open_predictor(story.project.folder / PLACE.bundle)
    assert card.version == receipt["bundle"]


@pytest.mark.slow
def test_twice_is_harmless(story: Story) -> None:
    number = story.receipts["shock"]["registry_version"]
    assert story.receipts["again"] == story.receipts["shock"]
    assert "the alarm of 2027-09-01T00:00:00Z is of version" in story.printed["again"]
    told = f"nothing to do: these rows were decided on before: version {number} was promoted"
    assert told in story.printed["scheduled"]


@pytest.mark.slow
def test_its_error_is_near_that_of_a_model_of_the_new_world(story: Story, trained: Project, tmp_path: Path) -> None:
    new = retraining.later(tmp_path, 6_000, seed=12, factor=1.4)
    alone = trained.copy(tmp_path / "alone").uncounted()
    learned = new.rename(columns={column.name: column.source for column in retraining.FLIGHTS.contract.columns})
    learned.assign(date=learned["date"].dt.strftime("%m/%d/%Y")).to_csv(tmp_path / "new.csv", index=False)
    alone.stages(f"source --data {tmp_path / 'new.csv'}", "ingest", "clean", "split", "train", "bundle")
    asked = retraining.later(tmp_path, 2_000, seed=13, factor=1.4)
    asked = asked[asked["origin"] != asked["destination"]]

    def error(bundle: Path) -> float:
        answered, scores = tables.ask(open_predictor(bundle), asked)
        return float(np.sqrt(np.mean((scores[:, 0] - asked["price"].to_numpy()[answered]) ** 2)))

    before, retrained, ideal = (
        error(path / PLACE.bundle) for path in (trained.folder, story.project.folder, alone.folder)
    )
    assert retrained < 1.1 * ideal
    assert before > 2 * ideal
