"""What a run that was interrupted had finished: the gates, and the booster of all rows. The same command goes on there.

Each is known by what it was made of: the table's files, the code, and the parameters.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import pandas as pd

from problems.base import Problem
from training.data import tables
from training.distributed.gate import Seen
from training.distributed.listing import Listing
from training.distributed.plan import Grown
from training.workspace import Workspace, atomic_folder, say

_PROJECT = Path(__file__).parents[2]
_CODE = ("validation", "problems", "model", "training")
_GATES, _BOOSTER, _KEY = "gates", "booster", "key.txt"
_OF_GATES = ("clean", "split", "cluster")
_TABLES = ("sample", "quarantined", "failures")


class _Counts(msgspec.Struct, frozen=True):
    """The numbers of `Seen`."""

    rows: int
    bad: int
    unlabelled: int
    reasons: dict[str, int]
    times: dict[int, int]
    names: list[str]


class Kept:
    """What was finished of a table's training, in the workspace."""

    def __init__(self, workspace: Workspace, problem: Problem, listing: Listing) -> None:
        """Look for what is of this listing and of today's code and parameters."""
        self._folder = workspace.folder / "kept"
        parameters = workspace.document()
        versions = [lgb.__version__, pd.__version__]
        made_of = [listing.digest, problem.contract.hash, code(), versions, [parameters[name] for name in _OF_GATES]]
        self._gates = _hash(made_of)
        self._booster = _hash([self._gates, parameters["train"]])

    def seen(self) -> Seen | None:
        """What the gates came to, if they were passed."""
        folder = self._found(_GATES, self._gates)
        if folder is None:
            return None
        counts = msgspec.json.decode((folder / "counts.json").read_bytes(), type=_Counts)
        sample, quarantined, failures = (tables.read(folder / f"{name}.parquet") for name in _TABLES)
        names = {name: tables.read(folder / f"names.{name}.parquet") for name in counts.names}
        numbers = (counts.rows, counts.bad, counts.unlabelled)
        return Seen(*numbers, sample, quarantined, failures, Counter(counts.reasons), Counter(counts.times), names)

    def keep_seen(self, seen: Seen) -> None:
        """Keep it, whole or not at all."""
        with atomic_folder(self._folder / _GATES) as folder:
            for name in _TABLES:
                tables.write(folder / f"{name}.parquet", getattr(seen, name))
            for name, names in seen.names.items():
                tables.write(folder / f"names.{name}.parquet", names)
            numbers = (seen.rows, seen.bad, seen.unlabelled)
            counts = _Counts(*numbers, dict(seen.reasons), dict(seen.times), list(seen.names))
            (folder / "counts.json").write_bytes(msgspec.json.encode(counts))
            (folder / _KEY).write_text(self._gates)

    def booster(self) -> Grown | None:
        """The booster of all rows, if it was grown."""
        folder = self._found(_BOOSTER, self._booster)
        if folder is None:
            return None
        say("train", "the booster of all rows was grown before the interruption; it is not grown again")
        return msgspec.json.decode((folder / "grown.json").read_bytes(), type=Grown)

    def keep_booster(self, grown: Grown) -> None:
        """Keep it, whole or not at all."""
        with atomic_folder(self._folder / _BOOSTER) as folder:
            (folder / "grown.json").write_bytes(msgspec.json.encode(grown))
            (folder / _KEY).write_text(self._booster)

    def _found(self, name: str, key: str) -> Path | None:
        """The folder of what has this key."""
        folder = self._folder / name
        found = folder / _KEY
        return folder if found.exists() and found.read_text() == key else None


def code() -> str:
    """A hash of the sources that decide what a table comes to, as they lie on the disk."""
    digest = hashlib.sha256()
    for path in sorted(path for name in _CODE for path in (_PROJECT / name).rglob("*.py")):
        digest.update(f"{path.relative_to(_PROJECT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _hash(document: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()
