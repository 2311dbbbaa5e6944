"""python -m benchmarks.scoring: from Parquet to Parquet, beside LightGBM on a matrix that is ready in memory.

    python -m benchmarks.scoring [--model FOLDER] [--rows 1000000 5000000] [--workers 2] [--repeats 3]

A table of flights is made of the rows that the pipeline left (`make train`), with distances of its own for each row.
The same processors then do both: `python -m scoring score` as a whole command, from its start to the manifest, and
`Booster.predict` of the model's booster, which reads nothing, decodes nothing and writes nothing. Rows are told for a
second of each, the ratio, and the peak memory of the largest process and of all together.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from model.predictor import Predictor, open_predictor

_PART = 1 << 18
_SILVER = Path("data/flights/silver.parquet")


class Measured(NamedTuple):
    """A run: seconds, and the peak resident memory in MB of the largest process and of all."""

    seconds: float
    largest: float
    whole: float


def write(path: Path, rows: int, silver: Path) -> None:
    """A table of so many rows, drawn from those of the pipeline."""
    table = pq.read_table(silver).drop_columns(["price"])
    random = np.random.default_rng(1)
    with pq.ParquetWriter(path, table.schema) as writer:
        for start in range(0, rows, _PART):
            count = min(_PART, rows - start)
            part = table.take(random.integers(0, len(table), count))
            longer = part["distance_km"].to_numpy() * random.uniform(0.99, 1.01, count)
            place = part.schema.get_field_index("distance_km")
            writer.write_table(part.set_column(place, "distance_km", pa.array(longer)))


def command(source: Path, out: Path, model: Path, workers: int) -> Measured:
    """Run the command and watch its memory."""
    arguments = [sys.executable, "-m", "scoring", "score", source, out, "--model", model, "--workers", str(workers)]
    started = time.perf_counter()
    process = psutil.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL)
    largest = whole = 0.0
    while process.poll() is None:
        sizes = _sizes(process)
        largest, whole = max(largest, *sizes, 0.0), max(whole, sum(sizes))
        time.sleep(0.05)
    if process.returncode:
        sys.exit("The run failed.")
    return Measured(time.perf_counter() - started, largest, whole)


def _sizes(process: psutil.Popen) -> list[float]:
    sizes = [0.0]
    try:
        sizes.extend(each.memory_info().rss / 1e6 for each in (process, *process.children(recursive=True)))
    except psutil.Error:  # one has just ended
        return sizes
    return sizes


def matrix(predictor: Predictor, source: Path) -> np.ndarray:
    """The model matrix of a million rows of a table at most, which Booster.predict gets ready."""
    from model.features import FeatureMatrix
    from scoring.batches import Scorer

    scorer, build = Scorer(predictor), FeatureMatrix(predictor.problem, predictor.model.fitted)
    parts: list[np.ndarray] = []
    known = [column.name for column in predictor.contract.inputs]
    for batch in pq.ParquetFile(source).iter_batches(batch_size=_PART, columns=known):
        inputs: Any = predictor.decode(scorer.table(batch)).inputs
        parts.append(build(inputs))
        if sum(map(len, parts)) >= 1_000_000:
            break
    return np.concatenate(parts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/flights/bundle"))
    parser.add_argument("--silver", type=Path, default=_SILVER, help="the rows that tables are made of")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    predictor = open_predictor(asked.model)
    boosters = {name: lgb.Booster(model_str=text) for name, text in predictor.model.boosters.items()}
    with tempfile.TemporaryDirectory(prefix="boxwood-benchmark-") as folder:
        for rows in asked.rows:
            source = Path(folder, f"{rows}.parquet")
            write(source, rows, asked.silver)
            ready = matrix(predictor, source)
            runs, plain = [], []
            for repeat in range(asked.repeats):
                plain.append([_predict(booster, ready, asked.workers) for booster in boosters.values()])
                runs.append(command(source, Path(folder, f"{rows}-{repeat}"), asked.model, asked.workers))
            print(_told(rows, runs, np.array(plain)), flush=True)
            source.unlink()


def _predict(booster: lgb.Booster, ready: np.ndarray, threads: int) -> float:
    """The rows that a booster predicts in a second."""
    started = time.perf_counter()
    booster.predict(ready, num_threads=threads, raw_score=True)
    return len(ready) / (time.perf_counter() - started)


def _told(rows: int, runs: list[Measured], plain: np.ndarray) -> str:
    speeds = rows / np.array([run.seconds for run in runs])
    first, both = plain[:, 0], 1 / (1 / plain).sum(axis=1)
    return (
        f"{rows:,} rows: {np.median(speeds):,.0f} rows/s; Booster.predict {np.median(first):,.0f} rows/s, ratio "
        f"{np.median(speeds / first):.2f}; of all boosters of the model {np.median(both):,.0f} rows/s, ratio "
        f"{np.median(speeds / both):.2f}; peak {max(run.largest for run in runs):,.0f} MB in the largest process, "
        f"{max(run.whole for run in runs):,.0f} MB in all"
    )


if __name__ == "__main__":
    main()
