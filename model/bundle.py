"""The bundle: a directory that holds a model and everything it needs to answer, in a versioned format without pickle.

    manifest.json    contract, fitted state, outcome, hashes of all files, metrics and lineage
    model.txt        the LightGBM booster in its own text format
    spread.txt       a regression's second booster: how large errors are for such rows
    golden.json      rows with the answers they must get
    reference.json   distributions of the training split, for drift
    card.md, .html   the model card, once the registry has sealed the bundle

Reading parses, then audits, and only then is anything constructed (`model.predictor`): after skops'
`_persist.py`. Nothing here imports LightGBM, so a supervisor can refuse a bundle cheaply.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from model.features import Fitted
from model.outcomes import Outcome
from problems import base
from problems.base import Problem
from validation.contract import MOST_LISTED, Column, Kind, Unseen
from validation.errors import BundleError, ContractError

T = TypeVar("T")

FORMAT = 2
MANIFEST = "manifest.json"
MODEL = "model.txt"
SPREAD = "spread.txt"
GOLDEN = "golden.json"
REFERENCE = "reference.json"
_A_SECOND: Mapping[Kind, float] = {Kind.DATE: 1 / 86_400, Kind.TIMESTAMP: 1e6}
"""What `Reference` keeps times in, as their readers give it."""
SEVERAL = 5
"""A name with as many rows in training is hardly one person's."""
CARDS = ("card.md", "card.html")
NEEDED = (MODEL, GOLDEN, REFERENCE)
ALLOWED = (*NEEDED, SPREAD, *CARDS)


class Lineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a bundle comes from."""

    data_sha256: str
    data_source: str
    git_commit: str | None
    mlflow_run_id: str
    libraries: dict[str, str]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What manifest.json says.

    `version` is a hash of what decides the answers; `digest` covers the whole manifest. Metrics, lineage and cards
    are absent until the registry seals the bundle.
    """

    format: int
    problem: str
    version: str
    contract: list[dict[str, Any]]
    contract_hash: str
    features_hash: str
    fitted: Fitted
    outcome: Outcome
    base_value: float
    files: dict[str, str]
    metrics: dict[str, Any] | None = None
    lineage: Lineage | None = None
    digest: str = ""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows as requests carry them, and what the model must say to each: its scores, and what the columns contribute."""

    rows: list[dict[str, Any]]
    scores: list[list[float]]
    contributions: list[dict[str, float]]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the training split is distributed: for each input and the target, what `training.learning.bundle` writes."""

    columns: dict[str, dict[str, Any]]
    rows: int

    def deciles(self, column: Column) -> list[float]:
        """Eleven values of a number or time, from the least to the greatest, as its reader gives them.

        None at all for other columns, and where training saw no value.
        """
        a_second = _A_SECOND.get(column.kind, 1.0)
        return [value * a_second for value in self.columns.get(column.name, {}).get("deciles", ())]

    def counts(self, column: Column) -> dict[str, int]:
        """In how many rows training saw each name of a category."""
        entry = self.columns.get(column.name, {})
        there = self.rows * (1 - entry.get("missing", 0.0))
        return {name: round(share * there) for name, share in entry.get("shares", {}).items()}


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and audited; `boosters` and `cards` by the names of their files."""

    manifest: Manifest
    problem: Problem
    boosters: dict[str, str]
    golden: Golden
    reference: Reference
    cards: dict[str, str]

    def names(self, column: Column) -> list[str]:
        """The names of a category that may be told to anybody, the most common in training first.

        All of those that callers must know. Where there are many and others are answered too, only those with `SEVERAL`
        rows in training: one with a single row may be somebody's.
        """
        known = self.manifest.fitted.vocabularies.get(column.name, [])
        rows = self.reference.counts(column)
        if len(known) > MOST_LISTED and column.when_unseen(len(known)) is Unseen.WARN:
            known = [name for name in known if rows.get(name, 0) >= SEVERAL]
        return sorted(known, key=lambda name: (-rows.get(name, 0), name))


def make_manifest(
    problem: Problem, fitted: Fitted, outcome: Outcome, base_value: float, files: dict[str, bytes]
) -> Manifest:
    """The manifest of a bundle with these files, unsealed."""
    identity = {
        "format": FORMAT,
        "problem": problem.name,
        "contract_hash": problem.contract.hash,
        "features_hash": problem.features_hash,
        "fitted": msgspec.to_builtins(fitted),
        "outcome": msgspec.to_builtins(outcome),
        "base_value": base_value,
        "files": _hashes(files),
    }
    manifest = Manifest(
        **{**identity, "fitted": fitted, "outcome": outcome},
        version=_hash(identity)[:16],
        contract=[
            column.describe(len(fitted.vocabularies.get(column.name, ()))) for column in problem.contract.columns
        ],
    )
    return _digested(manifest)


def seal(manifest: Manifest, metrics: dict[str, Any], lineage: Lineage, cards: dict[str, bytes]) -> Manifest:
    """The manifest with what is known once a model is evaluated and registered; its version stays."""
    files = manifest.files | _hashes(cards)
    return _digested(msgspec.structs.replace(manifest, metrics=metrics, lineage=lineage, files=files))


def contents(directory: Path, manifest: Manifest) -> dict[str, bytes]:
    """The files of a bundle besides its manifest, as they lie there."""
    return {name: _read(directory / name) for name in manifest.files}


def write(directory: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    """Write a bundle into an empty directory."""
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def read(directory: Path) -> Bundle:
    """Read and audit a bundle.

    Raises:
        BundleError: it is damaged, of another format, or made for another contract or other features. The message
            says which, and what to do.
    """
    manifest = read_manifest(directory)
    _audit_digest(directory, manifest)
    files = _audit_files(directory, manifest)
    problem = _audit_problem(directory, manifest)
    golden = _parse(directory / GOLDEN, files[GOLDEN], Golden)
    reference = _parse(directory / REFERENCE, files[REFERENCE], Reference)
    boosters = {name: files[name].decode() for name in (MODEL, SPREAD) if name in files}
    cards = {name: files[name].decode() for name in CARDS if name in files}
    return Bundle(manifest, problem, boosters, golden, reference, cards)


def read_manifest(directory: Path) -> Manifest:
    """Parse manifest.json alone; raises BundleError."""
    path = directory / MANIFEST
    content = _read(path)
    document = _parse(path, content, dict[str, Any])
    found = document.get("format")
    if found != FORMAT:
        raise BundleError(
            f"{path} is of format {found!r}; this code reads format {FORMAT}. "
            "Train again with this code, or serve the bundle with the release that made it."
        )
    return _parse(path, content, Manifest)


def _audit_digest(directory: Path, manifest: Manifest) -> None:
    if _digested(manifest).digest != manifest.digest:
        raise BundleError(
            f"{directory / MANIFEST} was changed after it was written: its digest does not match. {_RESTORE}"
        )


def _audit_files(directory: Path, manifest: Manifest) -> dict[str, bytes]:
    needed = {*NEEDED, SPREAD} if manifest.outcome.spread else set(NEEDED)
    if not needed <= set(manifest.files) <= set(ALLOWED):
        raise BundleError(f"{directory / MANIFEST} must list {', '.join(sorted(needed))}. {_RESTORE}")
    files = contents(directory, manifest)
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != manifest.files[name]:
            raise BundleError(f"{directory / name} was changed or damaged: its sha256 does not match. {_RESTORE}")
    return files


def _audit_problem(directory: Path, manifest: Manifest) -> Problem:
    try:
        problem = base.load(manifest.problem)
    except ContractError as error:
        raise BundleError(f"{directory} is a model for a problem that this code does not have. {error}") from error
    for what, ours, theirs in (
        ("contract", problem.contract.hash, manifest.contract_hash),
        ("features", problem.features_hash, manifest.features_hash),
    ):
        if ours != theirs:
            raise BundleError(
                f"{directory} was trained with another version of the {what} of '{problem.name}' than this code has. "
                "Train again (`make train`), or serve it with the code of its commit."
            )
    return problem


_RESTORE = "Restore the bundle from the registry or train again."


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}. {_RESTORE}") from error


def _parse(path: Path, content: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not what a bundle holds: {error}. {_RESTORE}") from error


def _digested(manifest: Manifest) -> Manifest:
    bare = msgspec.structs.replace(manifest, digest="")
    return msgspec.structs.replace(bare, digest=_hash(msgspec.to_builtins(bare)))


def _hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode()).hexdigest()
