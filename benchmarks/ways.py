"""Single rows in several ways of serving them, and what each costs beside the first."""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks import load
from benchmarks.load import Load
from benchmarks.options import Bench
from benchmarks.process import Running
from benchmarks.report import Section, Target, median
from benchmarks.servers import PREDICT, Server

CONNECTIONS = 32
_WARM_UP = 2


class Way(NamedTuple):
    """The results of one way in one round."""

    way: str
    load: Load
    cpu: float
    """Microseconds of processor time that the worker takes for a request."""


def asked(
    way: str, server: Server, process: Running, bench: Bench, headers: Mapping[str, str] = load.NO_HEADERS
) -> Way:
    """Ask a server that runs for single rows, with more headers."""
    load.wrk(PREDICT, server.body, CONNECTIONS, _WARM_UP, bench.work, headers)
    before = process.processor_seconds
    measured = load.wrk(PREDICT, server.body, CONNECTIONS, bench.seconds, bench.work, headers)
    return Way(way, measured, 1e6 * (process.processor_seconds - before) / measured.done)


def section(results: list[Way], off: str, on: str, wanted: tuple[str, float], explanation: str) -> Section:
    """All ways beside `off`; `wanted` says in words what of its rate `on` is to have, and how much."""
    ways = list(dict.fromkeys(result.way for result in results))
    by_way = {way: [result for result in results if result.way == way] for way in ways}
    rates = {way: median(result.load.good for result in mine) for way, mine in by_way.items()}
    rows = [
        [
            way, f"{rates[way]:,.0f}/s", f"{rates[way] / rates[off]:.2f}",
            f"{median(result.load.p99 for result in mine):.1f} ms", f"{median(result.cpu for result in mine):.1f} µs",
            f"{sum(result.load.bad for result in mine):,}",
        ]
        for way, mine in by_way.items()
    ]  # fmt: skip
    ratio, (what, share) = rates[on] / rates[off], wanted
    target = Target(what, f"{ratio:.2f}", f"at least {share}", ratio >= share)
    return Section(explanation, ["way", "requests", "beside", "p99", "processor", "bad"], rows, [target])
