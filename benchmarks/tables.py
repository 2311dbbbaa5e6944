"""Tables: the same rows as JSON and as tensors, sent to one server in turn."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import bodies, load, servers
from benchmarks.options import Bench
from benchmarks.process import running
from benchmarks.servers import INFER, PREDICT

ROWS = 20_000
_TURNS = 5
"""The requests of each way in a round."""


class Way(NamedTuple):
    """One way to send a table."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str]


def ways() -> list[Way]:
    """All ways, JSON rows first."""
    text, raw = bodies.table(ROWS)
    length = {"inference-header-content-length": str(len(text)), "content-type": "application/octet-stream"}
    return [
        Way("V1, JSON rows", PREDICT, bodies.instances(ROWS).encode(), _JSON),
        Way("V2, JSON tensors", INFER, json.dumps(bodies.columns(ROWS)).encode(), _JSON),
        Way("V2, binary tensors", INFER, text + raw, length),
    ]


_JSON = {"content-type": "application/json"}


def tables(bench: Bench) -> dict[str, list[float]]:
    """Seconds of each request, by way; the ways take turns, so that slow moments of the machine affect all."""
    all_ways = ways()
    with running(servers.ours(bench), bench.work):
        seconds: dict[str, list[float]] = {way.name: [] for way in all_ways}
        for way in all_ways:
            _post(way)
        for _ in range(_TURNS * bench.rounds):
            for way in all_ways:
                seconds[way.name].append(_post(way))
    return seconds


def _post(way: Way) -> float:
    """Seconds until the whole answer was received."""
    status, seconds = load.once(way.path, way.body, way.headers)
    if status != 200:
        raise RuntimeError(f"{way.name}: {ROWS} rows were answered with {status}")
    return seconds
