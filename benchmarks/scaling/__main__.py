"""From the figures of `make bench` to instances, cost and what breaks first.

    python -m benchmarks.scaling [RESULTS.md] [--loads 1000 100000 10000000] [--write] [--run-cpu 0.000018 …]

Each input is a flag: another price, another limit, the rate that was measured on another machine.
"""

import argparse
import re
from pathlib import Path

from benchmarks.scaling import inputs, plan, report

PAGE = inputs.ROOT / "docs/explanation/scaling.md"
BEGIN, END = "<!-- scaling -->", "<!-- end of scaling -->"


def main() -> None:
    """Print the tables; with `--write` put them into the page of the documentation."""
    shipped = inputs.defaults(inputs.RESULTS.read_text())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="?", default=inputs.RESULTS, help="what `make bench` wrote")
    parser.add_argument("--loads", type=float, nargs="+", default=[1e3, 1e5, 1e7], help="requests a second")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(inputs.ROOT)}")
    for name, each in shipped.items():
        parser.add_argument(
            f"--{name}", type=float, help=f"{each.unit}; by default from: {each.source}".replace("%", "%%")
        )
    asked = vars(parser.parse_args())
    said = inputs.defaults(asked["results"].read_text())
    for name, each in said.items():
        if (own := asked[name.replace("-", "_")]) is not None:
            said[name] = each._replace(value=own, source="the command line")
    given = {name: each.value for name, each in said.items()}
    text = report.rendered([plan.planned(load, given) for load in asked["loads"]], plan.limits(given), said)
    print(text)
    if asked["write"]:
        PAGE.write_text(replaced(PAGE.read_text(), text))


def replaced(page: str, text: str) -> str:
    """The page with the tables between its two marks."""
    return re.sub(rf"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", page)


if __name__ == "__main__":
    main()
