"""The code blocks of README.md, DEPLOYING.md and docs/."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.project import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A code block.

    Attributes:
        page: from the repository's root.
        language: as the page says it.
        text: what stands in it.
    """

    page: str
    language: str
    text: str


def pages() -> list[Path]:
    """The pages whose blocks a reader may run."""
    return [ROOT / "README.md", ROOT / "DEPLOYING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: str) -> list[Block]:
    """The blocks of a page, from the repository's root, in its order."""
    return [Block(page, language, text) for language, text in _BLOCK.findall((ROOT / page).read_text())]


def block(page: str, begins: str) -> str:
    """The one block of a page in docs/ that begins so."""
    [found] = [found.text for found in blocks(f"docs/{page}") if found.text.startswith(begins)]
    return found


def commands(text: str, program: str) -> list[str]:
    """The lines of a shell block that run `python -m` with a program, without that and without comments."""
    lines = re.sub(r"\\\n *", "", text).splitlines()
    start = f"python -m {program} "
    return [line.split("#")[0].removeprefix(start).strip() for line in lines if line.startswith(start)]
