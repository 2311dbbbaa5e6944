"""The journal's cost: single rows without it, with it, and with a shadow that answers what it records."""

import urllib.request

import msgspec

from benchmarks import servers, ways
from benchmarks.options import PORT, Bench
from benchmarks.process import running
from benchmarks.report import Section
from benchmarks.ways import Way

SHARE = 0.97
"""What is to be left of the requests a second."""
OFF, ON, SHADOW = "no journal", "journal", "journal and shadow"


def journal(bench: Bench) -> list[Way]:
    """Single rows; the shadow is left out for a Bento of one version."""
    folder = {"BOXWOOD_JOURNAL": str(bench.work / "journal")}
    kinds = {OFF: {}, ON: folder, SHADOW: {**folder, "BOXWOOD_CHALLENGER": "shadow"}}
    results: list[Way] = []
    versions = 0
    for _ in range(bench.rounds):
        for way, settings in kinds.items():
            if way == SHADOW and versions < 2:
                continue
            server = servers.ours(bench, **settings)
            with running(server, bench.work) as process:
                versions = _versions()
                results.append(ways.asked(way, server, process, bench))
    return results


def _versions() -> int:
    """How many versions of the model there are."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/v1/models/flights") as answer:
        return len(msgspec.json.decode(answer.read())["versions"])


def section(results: list[Way]) -> Section:
    """The journal's cost."""
    explanation = (
        f"One row a request over {ways.CONNECTIONS} connections, by wrk, with default settings of the journal. "
        "`beside`: to none. "
        "`processor`: the worker's time for a request. A shadow is measured with a Bento of two versions."
    )
    return ways.section(results, OFF, ON, ("requests a second with the journal, to none", SHARE), explanation)
