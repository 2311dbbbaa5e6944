"""The journal's cost: single rows without it, with it, and with a shadow that answers what it records."""

import urllib.request
from typing import NamedTuple

import msgspec

from benchmarks import load, servers
from benchmarks.load import Load
from benchmarks.options import PORT, Bench
from benchmarks.process import running
from benchmarks.report import Section, Target, median
from benchmarks.servers import PREDICT

CONNECTIONS = 32
SHARE = 0.97
"""What is to be left of the requests a second."""
OFF, ON, SHADOW = "no journal", "journal", "journal and shadow"
_WARM_UP = 2


class Journalled(NamedTuple):
    """The results of one way in one round."""

    way: str
    load: Load
    cpu: float
    """Microseconds of processor time that the worker takes for a request."""


def journal(bench: Bench) -> list[Journalled]:
    """Single rows; the shadow is left out for a Bento of one version."""
    folder = {"BOXWOOD_JOURNAL": str(bench.work / "journal")}
    ways = {OFF: {}, ON: folder, SHADOW: {**folder, "BOXWOOD_CHALLENGER": "shadow"}}
    results: list[Journalled] = []
    versions = 0
    for _ in range(bench.rounds):
        for way, settings in ways.items():
            if way == SHADOW and versions < 2:
                continue
            server = servers.ours(bench, **settings)
            with running(server, bench.work) as process:
                versions = _versions()
                load.wrk(PREDICT, server.body, CONNECTIONS, _WARM_UP, bench.work)
                before = process.processor_seconds
                measured = load.wrk(PREDICT, server.body, CONNECTIONS, bench.seconds, bench.work)
                results.append(Journalled(way, measured, 1e6 * (process.processor_seconds - before) / measured.done))
    return results


def _versions() -> int:
    """How many versions of the model there are."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/v1/models/flights") as answer:
        return len(msgspec.json.decode(answer.read())["versions"])


def section(results: list[Journalled]) -> Section:
    """The journal's cost."""
    ways = list(dict.fromkeys(result.way for result in results))
    by_way = {way: [result for result in results if result.way == way] for way in ways}
    rates = {way: median(result.load.good for result in mine) for way, mine in by_way.items()}
    rows = [
        [
            way, f"{rates[way]:,.0f}/s", f"{rates[way] / rates[OFF]:.2f}",
            f"{median(result.load.p99 for result in mine):.1f} ms", f"{median(result.cpu for result in mine):.1f} µs",
            f"{sum(result.load.bad for result in mine):,}",
        ]
        for way, mine in by_way.items()
    ]  # fmt: skip
    ratio = rates[ON] / rates[OFF]
    target = Target("requests a second with the journal, to none", f"{ratio:.2f}", f"at least {SHARE}", ratio >= SHARE)
    explanation = (
        f"One row a request over {CONNECTIONS} connections, by wrk, with default settings of the journal. `beside`: to "
        "none. "
        "`processor`: the worker's time for a request. A shadow is measured with a Bento of two versions."
    )
    return Section(explanation, ["way", "requests", "beside", "p99", "processor", "bad"], rows, [target])
