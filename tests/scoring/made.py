"""Tables of flights to score, and what scoring them should give."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.predictor import Predictor

Row = dict[str, Any]


def rows(predictor: Predictor, count: int, seed: int = 1) -> list[Row]:
    """Good rows, as requests carry them."""
    random = np.random.default_rng(seed)
    names = predictor.model.fitted.vocabularies
    columns = {
        **{name: random.choice(known, count).tolist() for name, known in names.items()},
        "duration_hours": random.uniform(0.5, 4, count).tolist(),
        "distance_km": random.uniform(200, 2_000, count).tolist(),
        "date": (np.datetime64("2022-01-01") + random.integers(0, 365, count)).astype(str).tolist(),
        "travel_code": list(range(count)),
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def table(found: list[Row]) -> pa.Table:
    """The same as an Arrow table."""
    return pa.Table.from_pylist(found)


def write(path: Path, found: list[Row], **options: Any) -> None:
    """Write rows in the format of a path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = table(found)
    match path.suffix:
        case ".parquet":
            pq.write_table(arrow, path, **options)
        case ".arrow":
            with pa.ipc.new_file(path, arrow.schema) as file:
                file.write_table(arrow, **options)
        case ".arrows":
            with pa.ipc.new_stream(path, arrow.schema) as stream:
                stream.write_table(arrow, **options)
        case _:
            with path.open("w", newline="") as text:
                writer = csv.DictWriter(text, [*found[0]], **options)
                writer.writeheader()
                writer.writerows(found)


def spoil(path: Path, group: int) -> Callable[[], None]:
    """Make a row group of a Parquet file (gzip) unreadable, unseen by size and time; returns what mends it."""
    good, when = path.read_bytes(), path.stat()
    offset = pq.read_metadata(path).row_group(group).column(0).data_page_offset

    def write(content: bytes) -> None:
        path.write_bytes(content)
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))

    write(good[: offset + 8] + b"\0" * 64 + good[offset + 72 :])
    return lambda: write(good)


def answers(out: Path) -> pa.Table:
    """All answers of an output, in the order of its partitions."""
    return pa.concat_tables([pq.read_table(path).unify_dictionaries() for path in sorted(out.glob("part-*.parquet"))])


def refused(out: Path) -> list[Row]:
    """All reasons of an output."""
    lines: list[Row] = []
    for path in sorted(out.glob("_quarantine/*.parquet")):
        lines += pq.read_table(path).to_pylist()
    return lines


def scores(found: pa.Table) -> np.ndarray:
    """Prediction, low and high, shape (rows, 3)."""
    return np.stack([found[name].to_numpy() for name in ("prediction", "interval_low", "interval_high")], axis=1)


def expected(predictor: Predictor, rows: list[Row]) -> np.ndarray:
    return predictor.scores(predictor.decode(rows).inputs)


def assert_served(client: httpx.Client, rows: list[Row], found: pa.Table) -> None:
    """The answers to these rows are those that a service gives over HTTP, to the bit."""
    told = client.post("/v1/models/flights:predict", json={"instances": rows}).json()["predictions"]
    intervals = [one["interval"] for one in told]
    expected = {
        "prediction": [one["prediction"] for one in told],
        "interval_low": [interval["low"] for interval in intervals],
        "interval_high": [interval["high"] for interval in intervals],
        "interval_coverage": [interval["coverage"] for interval in intervals],
        "warnings": ["; ".join(one["warnings"]) for one in told],
    }
    assert {name: found[name].to_pylist() for name in expected} == expected
