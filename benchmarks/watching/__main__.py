"""How soon a changed market is noticed and how often an unchanged one is called changed, beside Evidently and NannyML.

    python -m benchmarks.watching [--days 365] [--starts 20 110 200 290] [--seed 1] [--alone] [--out FILE.md]

A model of three simulated years is learned, and each day of 2,000 rows after them is judged. Two cores that have
nothing else to do take ten minutes.
"""

import argparse
import datetime
from pathlib import Path

from benchmarks.watching import said, scenarios
from benchmarks.watching.report import rendered

_STARTS = (20, 110, 200, 290)


def main() -> None:
    """Judge all days, and print and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365, help="undisturbed ones; changes lie within them")
    parser.add_argument("--starts", type=int, nargs="+", default=_STARTS, help="when each change begins")
    parser.add_argument("--seed", type=int, default=1, help="of the market")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument(
        "--work", type=Path, default=Path("stores/watching"), help="models and environments are kept here"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/watching/results.md"))
    asked = parser.parse_args()
    last = max(asked.starts) + max(scenario.days for scenario in scenarios.SCENARIOS)
    if last > asked.days:
        parser.error(f"the last change is watched until day {last}: ask for so many --days, or for earlier --starts")
    work = asked.work.resolve()
    folder = work / f"market-{asked.seed}"
    cases = scenarios.quiet(asked.days) + scenarios.changed(asked.starts)
    found = said.ours(cases, asked.seed, folder)
    if not asked.alone:
        found = said.with_peers(found, asked.seed, folder, work / "environments")
    text = rendered(found)
    print(text)
    asked.out.write_text(f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, seed {asked.seed}.\n\n{text}")


if __name__ == "__main__":
    main()
