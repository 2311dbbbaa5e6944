"""How fast many rows are explained: Boxwood, LightGBM's `pred_contrib` and WOODELF, on the same rows in one run.

    python -m benchmarks.explaining PROBLEM … [--rows 100000] [--rounds 3] [--threads 1 2] [--environments .bench]

Of each problem that was trained here (`make train PROBLEM=… DATA=…`) its own booster explains rows of its table, which
are repeated if there are too few. WOODELF refuses categorical splits, so a second booster of each problem has none: it
learns the first one's scores from the numbers. LightGBM takes minutes for all rows, so it explains a sample of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import lightgbm as lgb
import numpy as np

from benchmarks.environments import made
from benchmarks.report import machine, table
from model import bundle as bundles
from model.contributions import BulkContributions
from model.features import FeatureMatrix, ownership
from model.model import BOOSTER
from model.predictor import Predictor
from training.data import tables
from training.workspace import Workspace
from validation.decode import to_arrays

T = TypeVar("T")
_PEER = Path(__file__).parent / "peers/explain_woodelf.py"
_PACKAGES = ("woodelf_explainer==0.4.8", "lightgbm")
_SAMPLE_LEAVES = 20_000_000
"""Rows times leaves of LightGBM's sample: a few seconds."""
_HEADS = (
    "model", "trees", "leaves", "threads", "`pred_contrib`, rows/s", "WOODELF", "Boxwood", "beside `pred_contrib`",
    "beside WOODELF", "tables made in", "tables pay from", "greatest difference",
)  # fmt: skip


class Case(NamedTuple):
    """A booster and rows."""

    name: str
    booster: lgb.Booster
    matrix: np.ndarray
    """Shape (rows, features)."""
    owners: np.ndarray
    """Shape (features, columns)."""
    peer: bool
    """Whether WOODELF takes it."""

    @property
    def leaves(self) -> int:
        """Of all trees."""
        counts = [line for line in self.booster.model_to_string().splitlines() if line.startswith("num_leaves=")]
        return sum(int(line.split("=")[1]) for line in counts)


class Round(NamedTuple):
    """What was measured once, with so many threads; seconds a row, and to make the tables."""

    lightgbm: float
    peer: float | None
    making: float
    ours: float
    difference: float
    """The greatest, as a part of the greatest number of its row."""


def main() -> None:
    """Measure each case and print a table."""
    asked = _options()
    folder = made(asked.environments / "woodelf", *_PACKAGES)
    rows = []
    for name in asked.problems:
        for case in _cases(name, asked.rows):
            for threads in asked.threads:
                rounds = [_measured(case, threads, folder) for _ in range(asked.rounds)]
                rows.append(_told(case, threads, rounds))
                print(" | ".join(rows[-1]), flush=True)
    print(f"\n{table(_HEADS, rows)}\n")
    print(f"Medians of {asked.rounds} rounds of {asked.rows:,} rows; Boxwood's have the making of the tables in them.")
    print(f"{machine()}, load average afterwards {os.getloadavg()[0]:.1f}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+", metavar="PROBLEM")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often; medians are told")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--environments", type=Path, default=Path(".bench"), help="of the peer")
    return parser.parse_args()


def _cases(name: str, rows: int) -> Iterator[Case]:
    workspace = Workspace(name)
    bundle = bundles.read(workspace.bundle)
    fitted, predictor = bundle.manifest.fitted, Predictor.of(bundle)
    silver = tables.read(workspace.silver)
    sample = silver.sample(rows, replace=len(silver) < rows, random_state=1)
    inputs = predictor.decode(tables.requested(predictor.contract, sample)).raise_if_rejected().inputs
    matrix = FeatureMatrix(predictor.problem, fitted)(to_arrays(predictor.contract.inputs, inputs))
    booster = lgb.Booster(model_str=bundle.model.boosters[BOOSTER])
    names = [column.name for column in predictor.contract.inputs]
    categorical = [place for place, feature in enumerate(fitted.feature_names) if feature in fitted.encodings]
    yield Case(name, booster, matrix, ownership(fitted.feature_names, names), not categorical)
    numbers = np.delete(matrix, categorical, axis=1)
    if categorical and numbers.shape[1]:
        scores = np.asarray(booster.predict(matrix[:20_000], raw_score=True))
        if scores.ndim == 1:
            data = lgb.Dataset(numbers[: len(scores)], scores)
            plain = lgb.train({"verbose": -1, "seed": 1, "deterministic": True, "num_threads": 1}, data, 200)
            yield Case(f"{name}, numbers only", plain, numbers, np.eye(numbers.shape[1]), True)


def _measured(case: Case, threads: int, environment: Path) -> Round:
    sample = case.matrix[: max(_SAMPLE_LEAVES // case.leaves, 100)]
    expected, lightgbm = _timed(lambda: case.booster.predict(sample, pred_contrib=True, num_threads=threads))
    explain, making = _timed(lambda: BulkContributions(case.booster.model_to_string(), case.owners))
    found, ours = _timed(lambda: explain(case.matrix, threads))
    by_feature = np.reshape(expected, (len(sample), explain.outputs, -1))
    wanted = np.concatenate([by_feature[..., :-1] @ case.owners, by_feature[..., -1:]], axis=-1)
    greatest = np.abs(wanted).max(axis=-1, keepdims=True)
    difference = float((np.abs(found[: len(sample)] - wanted) / greatest).max())
    rows = len(case.matrix)
    peer = _peer(case, environment) / rows if case.peer and threads == 1 else None
    return Round(lightgbm / len(sample), peer, making, ours / rows, difference)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _peer(case: Case, environment: Path) -> float:
    """The seconds that WOODELF takes for all rows, without its imports."""
    with tempfile.TemporaryDirectory() as folder:
        case.booster.save_model(Path(folder) / "model.txt")
        np.save(Path(folder) / "rows.npy", case.matrix)
        alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [str(environment / "bin/python"), str(_PEER), folder]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=alone).stdout
    return float(json.loads(said.splitlines()[-1])["seconds"])


def _told(case: Case, threads: int, rounds: Sequence[Round]) -> list[str]:
    rows = len(case.matrix)
    lightgbm, making, ours = (
        statistics.median(found) for found in zip(*((r.lightgbm, r.making, r.ours) for r in rounds), strict=True)
    )
    peers = [found.peer for found in rounds if found.peer is not None]
    peer = statistics.median(peers) if peers else None
    whole = ours + making / rows
    return [
        case.name, str(case.booster.num_trees()), f"{case.leaves:,}", str(threads), f"{1 / lightgbm:,.0f}",
        "refuses categories" if not case.peer else "" if peer is None else f"{1 / peer:,.0f}", f"{1 / whole:,.0f}",
        f"{lightgbm / whole:.0f}", "" if peer is None else f"{peer / whole:.1f}", f"{making:.2f} s",
        f"{making / max(lightgbm - ours, 1e-12):,.0f} rows", f"{max(found.difference for found in rounds):.0e}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
