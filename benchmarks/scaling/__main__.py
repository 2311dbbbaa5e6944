"""From the figures of `make bench` to instances, cost and what breaks first.

    python -m benchmarks.scaling [RESULTS.md] [--loads 1000 100000 10000000] [--write] [--run-cpu 0.000018 …]

Each input is a flag: another price, another limit, the rate that was measured on another machine.
"""

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.scaling import inputs, plan, report

PAGE = inputs.ROOT / "docs/explanation/scaling.md"
BEGIN, END = "<!-- scaling -->", "<!-- end of scaling -->"


def main() -> None:
    """Print the tables; with `--write` put them into the page of the documentation."""
    parser = _parser(inputs.defaults(inputs.RESULTS.read_text()))
    asked = parser.parse_args()
    said = _inputs(parser, asked.results)
    for name, each in said.items():
        if (own := getattr(asked, name.replace("-", "_"))) is not None:
            said[name] = each._replace(value=own, source="the command line")
    given = {name: each.value for name, each in said.items()}
    if given["least-pods"] > given["most-pods"]:
        parser.error(f"--least-pods {given['least-pods']:g} is more than --most-pods {given['most-pods']:g}")
    text = report.rendered([plan.planned(load, given) for load in asked.loads], plan.limits(given), said)
    print(text)
    if asked.write:
        PAGE.write_text(replaced(PAGE.read_text(), text))


def _parser(shipped: Mapping[str, inputs.Input]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [RESULTS.md] [--loads N …] [--write] [--INPUT NUMBER …]; --help lists the inputs",
    )  # fmt: skip
    parser.add_argument("results", type=Path, nargs="?", default=inputs.RESULTS, help="what `make bench` wrote")
    parser.add_argument(
        "--loads", type=_number("loads"), nargs="+", default=[1e3, 1e5, 1e7], help="requests a second"
    )  # fmt: skip
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(inputs.ROOT)}")
    for name, each in shipped.items():
        told = f"{each.unit}; by default from: {each.source}".replace("%", "%%")
        parser.add_argument(f"--{name}", type=_number(name), help=told)
    return parser


def _number(name: str) -> Callable[[str], float]:
    """How a flag is read, with a sentence for what it cannot be."""

    def read(text: str) -> float:
        try:
            return inputs.number(name, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).partition(": ")[2]) from error

    return read


def _inputs(parser: argparse.ArgumentParser, results: Path) -> dict[str, inputs.Input]:
    """The inputs with the figures of a file; what is wrong with it ends the command with a sentence."""
    try:
        return inputs.defaults(results.read_text())
    except OSError as error:
        parser.error(f"{results} cannot be read: {error.strerror}")
    except ValueError as error:
        parser.error(f"{results} is not what `make bench` writes: {error}")


def replaced(page: str, text: str) -> str:
    """The page with the tables between its two marks."""
    return re.sub(rf"(?s){BEGIN}.*{END}", lambda _: f"{BEGIN}\n{text}\n{END}", page)


if __name__ == "__main__":
    main()
