"""What keys, quotas and the audit cost: single rows without them, with keys alone, and with all of it."""

import subprocess
import sys
from pathlib import Path

from benchmarks import load, servers, ways
from benchmarks.options import Bench
from benchmarks.process import running
from benchmarks.report import Section
from benchmarks.ways import Way

SHARE = 0.95
"""What is to be left of the requests a second."""
OFF, KEYS, ALL = "open to anybody", "keys", "keys, quotas and the audit"
_QUOTA = ("--rows-per-second", "1000000", "--rows-per-day", "1000000000")
"""Counted for each request, and never reached."""


def new_key(path: Path, caller: str, *options: str) -> str:
    """A new key in a file."""
    command = [sys.executable, "-m", "serving.access", "new", caller, "--file", str(path), *options]
    done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def access(bench: Bench) -> list[Way]:
    """Single rows in each way, in rounds."""
    file = bench.work / "keys.json"
    file.unlink(missing_ok=True)
    plain, limited = new_key(file, "plain"), new_key(file, "limited", *_QUOTA)
    guarded = {"BOXWOOD_API_KEYS": str(file)}
    kinds = {
        OFF: ("", {}),
        KEYS: (plain, guarded),
        ALL: (limited, {**guarded, "BOXWOOD_AUDIT": str(bench.work / "audit")}),
    }
    results = []
    for _ in range(bench.rounds):
        for way, (key, settings) in kinds.items():
            headers = {"X-API-Key": key} if key else load.NO_HEADERS
            server = servers.ours(bench, **settings)
            with running(server, bench.work) as process:
                results.append(ways.asked(way, server, process, bench, headers))
    return results


def section(results: list[Way]) -> Section:
    """What access costs."""
    explanation = (
        f"One row a request over {ways.CONNECTIONS} connections, by wrk. `beside`: to a service that is open to "
        "anybody. `processor`: the worker's time for a request, its threads' included. A line of the audit was written "
        "for each request, and each counted against a quota of rows a second and a day."
    )
    return ways.section(results, OFF, ALL, ("requests a second with all of it, to none", SHARE), explanation)
