"""Tables: the same rows as JSON and as tensors, sent to one server in turn."""

import http.client
import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import bodies, servers
from benchmarks.options import PORT, Bench
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
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    started = time.perf_counter()
    connection.request("POST", way.path, way.body, dict(way.headers))
    answer = connection.getresponse()
    answer.read()
    seconds = time.perf_counter() - started
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{way.name}: {ROWS} rows were answered with {answer.status}")
    return seconds
