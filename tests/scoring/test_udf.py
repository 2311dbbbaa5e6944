"""The registered model as a UDF of Spark: the program of docs/how-to/score.md on two executors, with raw columns."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.predictor import open_predictor
from tests.project import ROOT, Project
from training.data import tables
from training.workspace import Workspace

PYTHON = ROOT / ".venv-engines/bin/python"
BATCH = 20
"""Rows of a batch, of which some have no null and others have nothing else: Spark brings them in other types then."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="Spark is not here: make engines"),
]
PLAIN = {
    "city": pa.string(), "energy": pa.string(), "rooms": pa.int64(), "area": pa.float64(), "furnished": pa.bool_(),
    "built": pa.date32(), "listed": pa.timestamp("us"), "landlord": pa.string(), "number": pa.string(),
}  # fmt: skip
WAREHOUSE = PLAIN | {"rooms": pa.int32(), "area": pa.decimal128(12, 3), "listed": pa.timestamp("us", "UTC")}
WHOLE = PLAIN | {"rooms": pa.float64(), "area": pa.int64()}

OPTIONAL = ("energy", "rooms", "furnished", "built")


def run(project: Project, folder: Path, change: Callable[[str], str] = str) -> subprocess.CompletedProcess[str]:
    """Run the program of the documentation where `tables` lie, and the project does not."""
    [program] = re.findall(r"```python\n(# job\.py\n.*?)```", (ROOT / "docs/how-to/score.md").read_text(), re.DOTALL)
    (folder / "job.py").write_text(change(program))
    asked = {
        "spark.cores.max": 2,
        "spark.scheduler.minRegisteredResourcesRatio": 1.0,  # it begins once both executors are there
        "spark.sql.execution.arrow.maxRecordsPerBatch": BATCH,
        "spark.ui.enabled": "false",
        "spark.task.maxFailures": 1,  # what fails here would fail again
    }
    submit = " ".join(f"--conf {name}={value}" for name, value in asked.items())
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "MLFLOW"))},
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.folder}/stores/mlflow/mlflow.db",
        "PYSPARK_PYTHON": str(PYTHON),
        "PYSPARK_SUBMIT_ARGS": f"--master local-cluster[2,1,1024] {submit} pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(PYTHON), "job.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def written(folder: Path, table: pa.Table, files: int = 4) -> None:
    """Write a table as several files, which become tasks."""
    (folder / "tables").mkdir()
    step = -(-len(table) // files)
    for place in range(files):
        pq.write_table(table.slice(place * step, step), folder / f"tables/{place}.parquet")


def answers(folder: Path, key: str) -> dict[str, dict[str, Any]]:
    """The rows of the output by their keys."""
    return {row[key]: row for row in pq.read_table(folder / "answers").to_pylist()}


def homes(count: int = 400) -> list[dict[str, Any]]:
    """Homes as requests carry them, with values missing here, everywhere or nowhere in a batch, and each value odd."""
    random = np.random.default_rng(3)
    days = (np.datetime64("1910-01-01") + random.integers(0, 40_000, count)).astype(str).tolist()
    times = (np.datetime64("2024-01-01T00:00:01.000002") + random.integers(0, 10**13, count)).astype(str).tolist()
    rows = [
        {
            "city": str(random.choice(["Oslo", "Rome", "Ürgüp"])),
            "energy": str(random.choice(["A", "B", "C", "?"])),  # of "?" there is a warning
            "rooms": int(random.integers(1, 9)),
            "area": float(random.integers(20, 200)),
            "furnished": bool(random.integers(2)),
            "built": days[place],
            "listed": times[place],
            "landlord": f"Agency {random.integers(10)}",
            "number": f"n{place}",
        }
        for place in range(count)
    ]
    for place, row in enumerate(rows):
        share = (0.0, 0.3, 1.0)[place // BATCH % 3]
        row.update(dict.fromkeys(name for name in OPTIONAL if random.random() < share))
    rows[0]["built"] = "9999-12-31"  # as warehouses write "never"
    return rows


def typed(rows: list[dict[str, Any]], types: dict[str, pa.DataType]) -> pa.Table:
    """Requests' rows as a table of such types."""

    def column(name: str, kind: pa.DataType) -> pa.Array:
        values = [row[name] for row in rows]
        if pa.types.is_decimal(kind):
            return pa.array([Decimal(value) for value in values], kind)
        if not pa.types.is_temporal(kind):
            return pa.array(values).cast(kind)
        naive = pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
        return pa.array(values, pa.string()).cast(naive).cast(kind)

    return pa.table({name: column(name, kind) for name, kind in types.items()})


def test_every_kind_of_column_gets_the_services_numbers(letting: Project, both: httpx.Client, tmp_path: Path) -> None:
    rows, kinds = homes(), {"plain": PLAIN, "warehouse": WAREHOUSE, "whole": WHOLE}
    for name, types in kinds.items():
        (tmp_path / name).mkdir()
        written(tmp_path / name, typed(rows, types).append_column("unknown", pa.array(range(len(rows)))))

    def program(text: str) -> str:
        """It, with what it does to `tables` done in each folder: starting Spark takes longer."""
        begin, once, end = re.split(r"(?s)(table = .*)(?=spark\.stop)", text.replace("flights", "letting"))
        return begin + "".join(re.sub('"(tables|answers)"', rf'"{name}/\1"', once) for name in kinds) + end

    done = run(letting, tmp_path, program)
    assert done.returncode == 0, done.stderr
    told = both.post("/v1/models/letting:predict", json={"instances": rows}).json()["predictions"]
    assert any(one["warnings"] for one in told)
    for name in kinds:
        demand_the_same(answers(tmp_path / name, "number"), rows, told)


def demand_the_same(found: dict[str, dict[str, Any]], rows: list[dict[str, Any]], told: list[dict[str, Any]]) -> None:
    assert len(found) == len(told) == len(rows)
    for row, one in zip(rows, told, strict=True):
        answer = found[row["number"]]
        assert answer["prediction"] == one["prediction"]
        assert (answer["interval_low"], answer["interval_high"]) == (one["interval"]["low"], one["interval"]["high"])
        assert answer["warnings"] == "; ".join(one["warnings"])
        assert answer["key_number"] == row["number"]


def test_a_refused_row_fails_the_job_or_is_null(letting: Project, both: httpx.Client, tmp_path: Path) -> None:
    rows = homes(60)
    bad: dict[int, dict[str, Any]] = {
        7: {"area": -1.0},
        8: {"area": None},
        30: {"listed": None},
        59: {"city": "Atlantis"},
    }
    for place, change in bad.items():
        rows[place] |= change
    written(tmp_path, typed(rows, PLAIN).drop_columns([*OPTIONAL]))  # which may be left out

    def program(text: str) -> str:
        return text.replace("flights", "letting")

    done = run(letting, tmp_path, program)
    assert done.returncode == 1
    assert re.search(r"\d errors, first: row \d+, (area|listed|city): ", done.stderr)
    shutil.rmtree(tmp_path / "answers", ignore_errors=True)  # which Spark may have begun
    done = run(letting, tmp_path, lambda text: program(text).replace('"local"', '"local", params={"partial": True}'))
    assert done.returncode == 0, done.stderr
    found = answers(tmp_path, "number")
    sent = [{name: value for name, value in row.items() if name not in OPTIONAL} for row in rows]
    body = {"instances": sent, "parameters": {"partial": True}}
    told = both.post("/v1/models/letting:predict", json=body).json()["predictions"]
    for place, (row, one) in enumerate(zip(rows, told, strict=True)):
        answer = found[row["number"]]
        if place in bad:
            numbers = ("prediction", "interval_low", "interval_high", "interval_coverage")
            assert [answer[name] for name in numbers] == [None] * len(numbers)
            assert answer["warnings"] == answer["key_number"] == ""
        else:
            assert answer["prediction"] == one["prediction"]


def test_the_classes_of_a_classification(churned: Project, tmp_path: Path) -> None:
    place = Workspace("churn")
    predictor = open_predictor(churned.folder / place.bundle)
    silver = tables.read(churned.folder / place.silver).drop(columns="churn").tail(300)
    table = pa.Table.from_pandas(silver, preserve_index=False)
    tenure = table.schema.get_field_index("tenure")
    written(tmp_path, table.set_column(tenure, "tenure", table["tenure"].cast(pa.int64())))
    done = run(churned, tmp_path, lambda program: program.replace("flights", "churn"))
    assert done.returncode == 0, done.stderr
    found = answers(tmp_path, "customer_id")
    told = predictor.predict(tables.rows(predictor.contract, silver)).predictions
    for customer, one in zip(silver["customer_id"], told, strict=True):
        answer = found[customer]
        assert answer["prediction"] == one.prediction
        assert isinstance(one.probabilities, dict)
        assert {name: answer[f"probability_{name}"] for name in one.probabilities} == one.probabilities
