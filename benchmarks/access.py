"""What keys, quotas and the audit cost: single rows without them, with keys alone, and with all of it."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks import load, servers
from benchmarks.load import Load
from benchmarks.options import Bench
from benchmarks.process import running
from benchmarks.report import Section, Target, median
from benchmarks.servers import PREDICT

CONNECTIONS = 32
SHARE = 0.95
"""What is to be left of the requests a second."""
OFF, KEYS, ALL = "open to anybody", "keys", "keys, quotas and the audit"
_QUOTA = ("--rows-per-second", "1000000", "--rows-per-day", "1000000000")
"""Counted for each request, and never reached."""
_WARM_UP = 2


class Guarded(NamedTuple):
    """The results of one way in one round."""

    way: str
    load: Load
    cpu: float
    """Microseconds of processor time that the worker takes for a request."""


def new_key(path: Path, caller: str, *options: str) -> str:
    """A new key in a file."""
    command = [sys.executable, "-m", "serving.access", "new", caller, "--file", str(path), *options]
    done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def access(bench: Bench) -> list[Guarded]:
    """Single rows in each way, in rounds."""
    file = bench.work / "keys.json"
    file.unlink(missing_ok=True)
    plain, limited = new_key(file, "plain"), new_key(file, "limited", *_QUOTA)
    guarded = {"BOXWOOD_API_KEYS": str(file)}
    ways = {
        OFF: ("", {}),
        KEYS: (plain, guarded),
        ALL: (limited, {**guarded, "BOXWOOD_AUDIT": str(bench.work / "audit")}),
    }
    results = []
    for _ in range(bench.rounds):
        for way, (key, settings) in ways.items():
            headers = {"X-API-Key": key} if key else load.NO_HEADERS
            server = servers.ours(bench, **settings)
            with running(server, bench.work) as process:
                load.wrk(PREDICT, server.body, CONNECTIONS, _WARM_UP, bench.work, headers)
                before = process.processor_seconds
                measured = load.wrk(PREDICT, server.body, CONNECTIONS, bench.seconds, bench.work, headers)
                results.append(Guarded(way, measured, 1e6 * (process.processor_seconds - before) / measured.done))
    return results


def section(results: list[Guarded]) -> Section:
    """What access costs."""
    by_way = {way: [result for result in results if result.way == way] for way in (OFF, KEYS, ALL)}
    rates = {way: median(result.load.good for result in mine) for way, mine in by_way.items()}
    rows = [
        [
            way, f"{rates[way]:,.0f}/s", f"{rates[way] / rates[OFF]:.2f}",
            f"{median(result.load.p99 for result in mine):.1f} ms", f"{median(result.cpu for result in mine):.1f} µs",
            f"{sum(result.load.bad for result in mine):,}",
        ]
        for way, mine in by_way.items()
    ]  # fmt: skip
    ratio = rates[ALL] / rates[OFF]
    target = Target("requests a second with all of it, to none", f"{ratio:.2f}", f"at least {SHARE}", ratio >= SHARE)
    explanation = (
        f"One row a request over {CONNECTIONS} connections, by wrk. `beside`: to a service that is open to anybody. "
        "`processor`: the worker's time for a request, its threads' included. A line of the audit was written for each "
        "request, and each counted against a quota of rows a second and a day."
    )
    return Section(explanation, ["way", "requests", "beside", "p99", "processor", "bad"], rows, [target])
