"""Receipts: which model of the BentoML store is to be served of each problem, by its exact tag.

They lie in the store and enter the Bento with the code. One without a tag is of a problem that saw experiments only.
"""

import json
import re
from pathlib import Path

FOLDER = Path("stores/bentoml/packaged")
"""In a checkout and in a Bento."""
TAG = re.compile(r"[a-z][a-z0-9_]*:[0-9a-f]{16}")
"""A problem and the version of a bundle, as the store and callers name a model."""


def path(problem: str) -> Path:
    """Where the receipt of a problem lies."""
    return FOLDER / f"{problem}.json"


def tag(problem: str, version: str) -> str:
    """How a version of a model is named."""
    return f"{problem}:{version}"


def document(tag: str | None) -> dict[str, str | None]:
    """What a receipt says."""
    return {"tag": tag}


def tags(folder: Path) -> list[str]:
    """The tags of all receipts, by problem.

    Args:
        folder: a checkout or the code of a Bento.
    """
    entries = (json.loads(receipt.read_text())["tag"] for receipt in sorted((folder / FOLDER).glob("*.json")))
    return [tag for tag in entries if tag]
