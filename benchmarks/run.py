"""python -m benchmarks.run TAG: our Bento beside its peers, every server alone on the machine, to results.md."""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import (
    access,
    fairness,
    journal,
    limits,
    load,
    page,
    page_section,
    report,
    sections,
    servers,
    tables,
    throughput,
    visitor,
)
from benchmarks.options import Bench
from benchmarks.report import Section

RESULTS = Path(__file__).parent / "results.md"


class Measure(NamedTuple):
    """One part of the benchmark."""

    title: str
    measure: Callable[[Bench], Any]
    section: Callable[[Any], Section]
    rounds: bool = True
    """Whether it is repeated in rounds; long measurements are not."""
    program: str | None = None
    """The program that it needs; without it, it is left out."""


MEASURES = {
    "single": Measure("Single rows over HTTP", throughput.single, sections.single),
    "rpc": Measure("Single rows over gRPC", throughput.rpc, sections.rpc),
    "explain": Measure("Explanations", throughput.explain, sections.explain),
    "large": Measure("Large requests", limits.large, sections.large),
    "tables": Measure("Tables", tables.tables, sections.tables),
    "batching": Measure("Batching", throughput.batching, sections.batching),
    "journal": Measure("The journal", journal.journal, journal.section),
    "access": Measure("Keys, quotas and the audit", access.access, access.section),
    "fairness": Measure("Callers beside each other", fairness.fairness, fairness.section, rounds=False),
    "stall": Measure("Stalls", limits.stall, sections.stall, rounds=False),
    "overload": Measure("Overload", limits.overload, sections.overload, rounds=False),
    "page": Measure("The demo page", page.measure, page_section.section, program=visitor.PROGRAM),
}


def main() -> None:
    """Measure, print and write, part by part, so that an interrupted run keeps its results."""
    options = _options()
    load.demand_programs()
    servers.prepare(options.environments)
    order = [measure.title for measure in MEASURES.values()]
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(
            options.tag, Path(os.environ["BENTOML_HOME"]), options.environments.absolute(), Path(work), options.rounds,
            options.seconds, options.stall_seconds, options.overload_seconds,
        )  # fmt: skip
        for name in options.only:
            part = MEASURES[name]
            if part.program is not None and shutil.which(part.program) is None:
                print(f"bench: {part.title} is left out: there is no {part.program} on PATH", flush=True)
                continue
            print(f"bench: {part.title}", flush=True)
            section = part.section(part.measure(bench))
            text = report.rendered(section, report.how(bench.tag, bench.rounds if part.rounds else 1))
            print(f"\n{text}\n", flush=True)
            old = RESULTS.read_text() if RESULTS.exists() else ""
            RESULTS.write_text(report.merged(old, {part.title: text}, order))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", help="the Bento")
    parser.add_argument("--rounds", type=int, default=3, help="how often, interleaved; medians are told")
    parser.add_argument("--seconds", type=int, default=4, help="one measurement")
    parser.add_argument("--stall-seconds", type=int, default=60)
    parser.add_argument("--overload-seconds", type=int, default=30)
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, default=list(MEASURES), metavar="NAME", help="these parts"
    )
    parser.add_argument("--environments", type=Path, default=Path(".bench"), help="of the peers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
