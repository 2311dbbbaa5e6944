"""Training on real clusters of Dask: as good as on one machine, though workers and schedulers are lost on the way."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.data import telco, wide
from tests.project import ROOT, Project
from tests.training.distributed.clusters import PYTHON, Cluster, running
from training.data.simulators.flights import simulate
from training.workspace import Workspace, read_json

FILES, ROWS = 6, 8_000
WIDE_FILES, WIDE_ROWS = 10, 20_000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Dask is not here: make engines"),
]
STAGES = ("ingest", "clean", "split", "train", "bundle", "evaluate")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a wide problem beside flights, and its code."""
    folder = tmp_path_factory.mktemp("cluster") / "project"
    project = Project(Project.create(folder, {"clean": {"quarantine_limit": 0.01}}).folder, own_code=True).uncounted()
    shutil.copytree(ROOT / "tests/data", folder / "tests/data")
    (folder / "problems/wide").mkdir()
    shutil.copy(ROOT / "tests/data/wide.py", folder / "problems/wide/__init__.py")
    one_thread = {"num_threads": 1, "min_data_in_leaf": 20, "learning_rate": 0.1, "num_leaves": 15}
    project.change_params(
        {
            "evaluate": {"resamples": 100, "slice_rows": 300},
            "cluster": {"sample": 24_000, "partition": 4_000},
            "train": {
                "rounds": 900,
                "stop_after": 20,
                "booster": {**one_thread, "learning_rate": 0.02, "num_leaves": 31},
            },
        }
    )
    params = folder / "params.yaml"
    params.write_text(params.read_text() + "\nwide: {}\n")
    project.change_params(
        {
            "evaluate": {"resamples": 100},
            "cluster": {"sample": 20_000, "partition": 10_000},
            "train": {"rounds": 60, "stop_after": 10, "booster": one_thread, "alternatives": [], "folds": 0},
        },
        "wide",
    )
    return project


@pytest.fixture
def cluster(project: Project, tmp_path: Path) -> Iterator[Cluster]:
    with running(project, tmp_path) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def fares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files in time, and the same table in one file beside it."""
    folder = tmp_path_factory.mktemp("fares")
    whole = folder / "whole.csv"
    simulate(whole, rows=FILES * ROWS, seed=3)
    table = pd.read_csv(whole)
    (folder / "table").mkdir()
    for number in range(FILES):
        table.iloc[number * ROWS : (number + 1) * ROWS].to_parquet(folder / f"table/{number}.parquet", index=False)
    return folder / "table"


def metrics(project: Project, problem: str, *, cluster: bool) -> dict[str, Any]:
    found: dict[str, Any] = read_json(project.folder / Workspace(problem, cluster=cluster).metrics)
    return found


def assert_as_good(project: Project, problem: str, name: str) -> None:
    """The cluster's model is within the bootstrap interval of the one-machine model, or better, by all test rows."""
    one = metrics(project, problem, cluster=False)["scores"]["model"][name]
    ours = read_json(project.folder / Workspace(problem, cluster=True).source)["cluster"]["all_test_rows"]
    print(f"{problem}: {name} on one machine {one}, on two workers {ours}")
    assert ours[name] <= one["high"]


def test_lost_workers_and_schedulers_cost_no_row_and_the_same_command_goes_on(
    cluster: Cluster, project: Project, fares: Path
) -> None:
    cluster.add(2)
    torn = fares / "3.parquet"
    content = torn.read_bytes()
    torn.write_bytes(content[: len(content) // 3] + bytes(len(content) // 3) + content[2 * len(content) // 3 :])
    said = cluster.train("flights", fares, fails=True)
    assert "3.parquet cannot be read" in said
    torn.write_bytes(content)

    lost = (("source: ", cluster.kill_a_worker), ("trees grow", cluster.kill_scheduler))
    said = cluster.train("flights", fares, lost, fails=True)
    assert f"gates: {FILES * ROWS:,} rows satisfy the contract, 0 do not" in said
    assert "The same command goes on." in said
    assert not (project.folder / Workspace("flights", cluster=True).bundle).exists()

    cluster.end()
    cluster.begin()
    cluster.add(2)
    said = cluster.train("flights", fares, [("trees grow", cluster.kill_a_worker_at_work)])
    assert "nothing has changed since they were passed" in said
    assert "was lost" in said
    assert "training 2" in said

    project.stages(f"source --data {fares.with_name('whole.csv')}", *STAGES)
    one, ours = (metrics(project, "flights", cluster=where) for where in (False, True))
    assert ours["splits"] == one["splits"]
    assert sum(ours["splits"].values()) == FILES * ROWS
    assert_as_good(project, "flights", "rmse")
    source = read_json(project.folder / Workspace("flights", cluster=True).source)
    assert source["cluster"]["partitions"] == 2 * FILES
    assert source["cluster"]["all_test_rows"]["rows"] == one["splits"]["test"]
    assert project.receipt()["tag"] == f"flights:{ours['version']}"


def test_two_workers_learn_what_one_has_no_room_for(cluster: Cluster, project: Project, tmp_path: Path) -> None:
    table = tmp_path / "wide"
    wide.write_table(table, WIDE_FILES, WIDE_ROWS)
    cluster.add(1, "1GB")
    said = cluster.train("wide", table, fails=True)
    assert "of the workers' memory while trees grow, and 1 worker of 1.00 GB each has" in said
    cluster.add(1, "1GB")
    said = cluster.train("wide", table)
    assert f"gates: {WIDE_FILES * (WIDE_ROWS - 1):,} rows satisfy the contract, {WIDE_FILES} do not" in said
    whole = tmp_path / "whole.parquet"
    pd.concat([pd.read_parquet(path) for path in sorted(table.iterdir())]).to_parquet(whole, index=False)
    project.stages(f"source --data {whole}", *STAGES, problem="wide")
    assert_as_good(project, "wide", "log_loss")
    ours = metrics(project, "wide", cluster=True)
    assert sum(ours["splits"].values()) == WIDE_FILES * (WIDE_ROWS - 1)
    assert ours["quarantined"] == WIDE_FILES
    quarantined = pd.read_csv(project.folder / Workspace("wide", cluster=True).quarantine)
    assert sorted(quarantined["_file"]) == sorted(f"{number}.parquet" for number in range(WIDE_FILES))
    assert set(quarantined["_row"]) == {4}


def test_a_scheduler_without_the_project_is_said(
    cluster: Cluster, project: Project, fares: Path, tmp_path: Path
) -> None:
    cluster.kill_scheduler()
    cluster.begin(knows=False)
    cluster.add(1)
    said = cluster.train("flights", fares, fails=True)
    assert "does not find training: " in said
    assert "PYTHONPATH names this project" in said
    assert "Traceback" not in said


def test_what_is_no_table_of_the_problem_is_said_before_a_worker_is_asked(project: Project, tmp_path: Path) -> None:
    table = tmp_path / "other"
    table.mkdir()
    pd.DataFrame({"price": [1.0]}).to_parquet(table / "x.parquet")
    said = Cluster(project, tmp_path).train("flights", table, fails=True)
    assert "x.parquet lacks the columns 'from'" in said


def test_workers_have_the_code_of_this_run_and_not_of_the_one_before(
    cluster: Cluster, project: Project, tmp_path: Path
) -> None:
    telco.write_table(tmp_path / "telco.csv", 1_000)
    rows = pd.read_csv(tmp_path / "telco.csv")
    (tmp_path / "table").mkdir()
    for number in range(10):  # so that each worker gets some
        rows.assign(TotalCharges=1.0)[number::10].to_parquet(tmp_path / f"table/{number}.parquet", index=False)
    contract = project.folder / "problems/churn/__init__.py"
    before = contract.read_text()
    cluster.add(2)
    for most in (20, 40):
        contract.write_text(before.replace('unit="months", ge=0', f'unit="months", ge=0, le={most}'))
        said = cluster.train("churn", tmp_path / "table", fails=True)
        assert f"{(rows['tenure'] > most).sum()} of 1,000 rows do not satisfy the contract" in said
    contract.write_text(before)


def test_a_cluster_without_this_project_is_a_sentence(cluster: Cluster, project: Project, fares: Path) -> None:
    assert "nonsense is no address of a scheduler of Dask" in cluster.train("flights", fares, fails=True, at="nonsense")
    cluster.end()
    lacking = Cluster(replace(project, variables={"PYTHONPATH": str(fares)}), cluster.logs)
    lacking.begin()
    try:
        lacking.add(1)
        said = cluster.train("flights", fares, fails=True, at=lacking.address)
    finally:
        lacking.end()
    assert "does not find training: PYTHONPATH names this project there" in said
