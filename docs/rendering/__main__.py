"""Writes the reference pages that are rendered: `make reference`, and `--api` for the page that a service describes."""

import argparse
import json
import urllib.request
from pathlib import Path

from docs import rendering
from docs.rendering import bundle, commands, contract, metrics, operations, parameters

ROOT = Path(rendering.__file__).parents[2]
_NOTE = "<!-- rendered by `make reference`; a change here is lost -->"


def rendered() -> dict[str, str]:
    """The pages that need no service, by the names of their files."""
    return {
        "contract.md": contract.page(),
        "parameters.md": parameters.page(ROOT),
        "metrics.md": metrics.page(),
        "bundle.md": bundle.page(),
        "commands.md": commands.page(),
    }


def noted(text: str) -> str:
    """A page as its file has it: behind the title, how it came about."""
    title, rest = text.split("\n", 1)
    return f"{title}\n\n{_NOTE}\n{rest.rstrip()}\n"


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", help="a service of the default problem; its page stays as it is without one")
    parser.add_argument("--into", type=Path, default=ROOT / "docs/reference", help="the folder of the pages")
    options = parser.parse_args()
    pages = rendered()
    if options.api:
        with urllib.request.urlopen(f"{options.api}/docs.json") as answer:  # noqa: S310 an address of the caller's own
            pages["operations.md"] = operations.page(json.load(answer))
    for name, text in pages.items():
        (options.into / name).write_text(noted(text))


if __name__ == "__main__":
    main()
