"""What an interruption changes: each training is killed after its first checkpoint, goes on, and is judged on new rows.

    python -m tests.interrupted [--seeds N] [--rows N] [--folds N]

A line for each parameter set of the defaults and for what else has random choices: in how many of the seeds the model
is the same to the bit, and by how much the error on new rows differs, beside what another seed does to it.
"""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import yaml

from model.predictor import Predictor
from problems.base import Problem
from tests.project import ROOT
from training.data import tables
from training.learning.checkpoints import NONE, Checkpoints, State
from training.learning.params import Checkpoint, TrainParams
from training.learning.train import Learned, learn
from validation.contract import Column, Contract, Kind, Role

_NUMBERS = tuple("abcdef")
_TOWNS = ("Oslo", "Rome", "Bonn", "Lund", "Nice", "Graz", "Turku")
PROBLEM = Problem(
    name="interrupted",
    title="",
    contract=Contract(
        (
            *(Column(name=name, kind=Kind.REAL) for name in _NUMBERS),
            Column(name="town", kind=Kind.CATEGORY),
            Column(name="y", kind=Kind.REAL, role=Role.TARGET),
        )
    ),
)
_MORE: dict[str, dict[str, Any]] = {
    "extra_trees": {"extra_trees": True},
    "feature_fraction_bynode: 0.5": {"feature_fraction_bynode": 0.5},
    "data_sample_strategy: goss": {"data_sample_strategy": "goss"},
}


class Killed(Checkpoints):
    """Checkpoints of a process that ends as soon as it has written so many."""

    def __init__(self, folder: Path, how: Checkpoint, after: int = 1) -> None:
        super().__init__(folder, how)
        self._left = after

    def write(self, key: str, state: State) -> None:
        """Write it, and end."""
        super().write(key, state)
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def table(rows: int, seed: int) -> pd.DataFrame:
    """Rows with numbers, a category, steps, waves and noise."""
    random = np.random.default_rng(seed)
    columns = pd.DataFrame(random.normal(size=(rows, len(_NUMBERS))), columns=list(_NUMBERS))
    towns = random.integers(len(_TOWNS), size=rows)
    y = 2 * columns["a"] + np.sin(3 * columns["b"]) * columns["c"] + (columns["d"] > 0.5) + 0.3 * towns
    return columns.assign(town=np.array(_TOWNS)[towns], y=y + random.normal(size=rows))


def trained(params: TrainParams, silver: pd.DataFrame, kept: Checkpoints = NONE) -> Learned:
    """What is learned from these rows."""
    ends = [0, len(silver) * 7 // 10, len(silver) * 8 // 10, len(silver)]
    names = ("train", "validation", "calibration")
    parts = {name: silver.iloc[ends[place] : ends[place + 1]] for place, name in enumerate(names)}
    with contextlib.redirect_stdout(io.StringIO()):
        return learn(PROBLEM, params, parts, kept)


def compared(params: TrainParams, rows: int, seed: int) -> tuple[bool, float, float]:
    """What the interruption changes.

    Returns:
        Whether both models are the same, by what share the RMSE on new rows of the one that went on is larger, and by
        what share that of a model with another seed is.
    """
    silver, new = table(rows, seed), table(20_000, 1_000 + seed)
    with tempfile.TemporaryDirectory() as folder:
        how = Checkpoint(trees=50, seconds=0)
        with contextlib.suppress(KeyboardInterrupt):
            trained(params, silver, Killed(Path(folder), how))
        after = trained(params, silver, Checkpoints(Path(folder), how))
    before = trained(params, silver)
    other = trained(msgspec.structs.replace(params, seed=params.seed + 1), silver)
    errors = [
        np.sqrt(np.mean((new["y"].to_numpy() - tables.ask(Predictor(one.model), new)[1][:, 0]) ** 2))
        for one in (before, after, other)
    ]
    same = before.model.boosters == after.model.boosters
    return same, float(errors[1] / errors[0] - 1), float(errors[2] / errors[0] - 1)


def main() -> None:
    """Compare what is asked for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--folds", type=int, default=0)
    asked = parser.parse_args()
    train = yaml.safe_load((ROOT / "params.yaml").read_text())["defaults"]["train"]
    defaults = msgspec.convert({**train, "folds": asked.folds}, TrainParams)
    defaults.booster["num_threads"] = 1  # several runs may be side by side
    sets = {f"parameter set {place} of the defaults": booster for place, booster in enumerate(defaults.boosters, 1)}
    sets |= {name: {**defaults.booster, "feature_fraction": 1, **more} for name, more in _MORE.items()}
    for name, booster in sets.items():
        alone = msgspec.structs.replace(defaults, booster=booster, alternatives=[])
        found = [compared(alone, asked.rows, seed) for seed in range(asked.seeds)]
        gone_on, reseeded = (
            f"{100 * np.mean(shares):+.2f} % (from {100 * min(shares):+.2f} to {100 * max(shares):+.2f} %)"
            for shares in ([one[1] for one in found], [one[2] for one in found])
        )
        print(
            f"{name}: the same model in {sum(one[0] for one in found)} of {len(found)}; the RMSE on new rows differs "
            f"by {gone_on}, with another seed by {reseeded}",
            flush=True,
        )


if __name__ == "__main__":
    main()
