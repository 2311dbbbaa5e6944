"""Receipts: which model of the BentoML store is to be served of each problem, by its exact tag.

They lie in the store and enter the Bento with the code. One without a tag is of a problem that saw experiments only.
The registry leaves a receipt too: which version a table came to, and what was decided of it.
"""

import json
import re
from pathlib import Path

import msgspec

FOLDER = Path("stores/bentoml/packaged")
"""In a checkout and in a Bento."""
REGISTERED = Path("stores/mlflow/registered")
"""Where those of the registry lie, in a checkout."""
BECAUSE = "BOXWOOD_BECAUSE"
"""The environment variable that says why a model is trained; a registered version carries it as a tag."""
TAG = re.compile(r"[a-z][a-z0-9_]*:[0-9a-f]{16}")
"""A problem and the version of a bundle, as the store and callers name a model."""


def path(problem: str) -> Path:
    """Where the receipt of a problem lies."""
    return FOLDER / f"{problem}.json"


def registered(problem: str) -> Path:
    """Where the registry's receipt of a problem lies."""
    return REGISTERED / f"{problem}.json"


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry's receipt says of the last bundle; members that a reader does not know are ignored.

    Attributes:
        bundle: its version.
        registry_version: the number that it has in the registry.
        promoted, reasons: whether it became champion, and why or why not.
        data: the hash of what it learned from and was judged by.
        labelled: that of the labelled rows among it; None without any.
        rows: how many rows that is.
        reference: where the rows are that its answers are compared with later.
    """

    bundle: str
    registry_version: str
    promoted: bool
    reasons: list[str]
    data: str
    labelled: str | None
    rows: int
    reference: str


def read_registered(problem: str) -> Registered | None:
    """The registry's receipt of a problem; None if there is none, or one of earlier code or of an experiment."""
    try:
        return msgspec.json.decode(registered(problem).read_bytes(), type=Registered)
    except (FileNotFoundError, msgspec.ValidationError):
        return None


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
