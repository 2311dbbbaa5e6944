"""A million rows, a million names, five thousand columns: in bounded memory and time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from problems import base
from tests.project import ROOT
from tests.training.conftest import GONE, PARAMS, PRICE, STAGES, problem, table
from training.workspace import Workspace, sha256, write_json
from validation.contract import Column, Kind

LARGE = """
import resource, sys
from tests.training.data.test_large_tables import large
large(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def large(kind: str) -> None:
    """Bring a large table into the current folder and run the stages; in a process of its own, to see its memory."""
    chance = np.random.default_rng(1)
    drawn = table(1_000 if kind == "columns" else 1_000_000)
    more: tuple[Column, ...] = ()
    if kind == "columns":
        wide = pd.DataFrame(chance.normal(size=(len(drawn), 4_995)).round(2)).add_prefix("x")
        drawn, more = drawn.join(wide), tuple(Column(name=str(name), kind=Kind.REAL) for name in wide)
    elif kind == "names":
        drawn["city"] = [f"name {row}" for row in chance.permutation(len(drawn))]
    asked = problem(GONE if kind == "rows" else PRICE, True, more=more)
    base.load = lambda name: asked
    workspace = Workspace(asked.name)
    workspace.raw.mkdir(parents=True)
    drawn.to_csv(workspace.raw / "table.csv", index=False)
    write_json(workspace.source, {"sha256": sha256(workspace.raw / "table.csv")})
    Path("params.yaml").write_text(yaml.safe_dump({asked.name: {**PARAMS, "evaluate": {"resamples": 200, "seed": 1}}}))
    for stage in STAGES:
        stage.main(asked)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("kind", ["rows", "names", "columns"])
def test_large_tables_take_less_than_four_gibibytes(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", LARGE, kind]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 4 * 1024**2  # KiB
