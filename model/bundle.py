"""The bundle: a directory that holds a model and everything it needs to answer, in a versioned format without pickle.

    manifest.json    contract, fitted state, outcome, hashes of all files, metrics and lineage
    model.txt        the LightGBM booster in its own text format
    spread.txt       a regression's second booster: how large errors are for such rows
    golden.json      rows with the answers they must get
    reference.json   distributions of the training split, for drift
    manifest.sig     who vouches for it, if somebody does: see `model.signatures`
    card.md, .html   the model card, once the registry has sealed the bundle

Reading parses, then audits, and only then is anything constructed (`model.predictor`): after skops'
`_persist.py`. Nothing here imports LightGBM, so a supervisor can refuse a bundle cheaply.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from model import formats
from model.features import Fitted
from model.formats import FORMAT, Document
from model.metrics import Metrics
from model.model import BOOSTER, SPREAD, Model
from model.outcomes import Outcome
from model.reference import Reference
from model.signatures import Trusted
from problems import base
from problems.base import Problem
from validation import contract
from validation.errors import BundleError, ContractError

T = TypeVar("T")

MANIFEST = "manifest.json"
GOLDEN = "golden.json"
REFERENCE = "reference.json"
CARDS = ("card.md", "card.html")
NEEDED = (BOOSTER, GOLDEN, REFERENCE)
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

    `base_values` are those of SHAP values, of each of the outcome's subjects. `version` is a hash of what decides the
    answers; `digest` covers the whole manifest. Metrics, lineage and cards are absent until the registry seals the
    bundle.
    """

    format: int
    problem: str
    version: str
    contract: list[dict[str, Any]]
    contract_hash: str
    features_hash: str
    fitted: Fitted
    outcome: Outcome
    base_values: list[float]
    files: dict[str, str]
    metrics: Metrics | None = None
    lineage: Lineage | None = None
    digest: str = ""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows as requests carry them, and what the model must say to each: its scores, and what the columns contribute."""

    rows: list[dict[str, Any]]
    scores: list[list[float]]
    contributions: list[dict[str, float]]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and audited: a model, proof of how it answers, and what is known of it."""

    manifest: Manifest
    model: Model
    golden: Golden
    reference: Reference
    cards: Mapping[str, str]
    """By the names of their files."""

    @property
    def examples(self) -> list[dict[str, Any]]:
        """Rows to show how the model is asked, see `Metrics.examples`; that of the contract where there are none."""
        metrics = self.manifest.metrics
        return (metrics.examples if metrics is not None else []) or [self.model.problem.contract.example()]


def make_manifest(model: Model, base_values: list[float], files: dict[str, bytes]) -> Manifest:
    """The manifest of a bundle of this model with these files, unsealed."""
    problem, fitted = model.problem, model.fitted
    manifest = Manifest(
        format=FORMAT,
        problem=problem.name,
        version="",
        contract=[
            column.describe(len(fitted.vocabularies.get(column.name, ()))) for column in problem.contract.columns
        ],
        contract_hash=problem.contract.hash,
        features_hash=problem.features_hash,
        fitted=fitted,
        outcome=model.outcome,
        base_values=base_values,
        files=_hashes(files),
    )
    return _digested(msgspec.structs.replace(manifest, version=_version(manifest)))


def _version(manifest: Manifest) -> str:
    """The hash of what decides the answers: all but what a seal adds."""
    files = {name: digest for name, digest in manifest.files.items() if name not in CARDS}
    bare = msgspec.structs.replace(manifest, version="", digest="", metrics=None, lineage=None, files=files)
    return _hash(msgspec.to_builtins(bare))[:16]


def seal(manifest: Manifest, metrics: Metrics | None, lineage: Lineage, cards: dict[str, bytes]) -> Manifest:
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


def read(directory: Path, trusted: Trusted | None = None) -> Bundle:
    """Read and audit a bundle.

    The contract is the one that it carries, which later code may have changed. Its features are the code's.

    Args:
        directory: where it lies.
        trusted: the keys of which one must have signed it, which is checked before anything is parsed; None for no
            such demand.

    Raises:
        BundleError: it is not signed as demanded, damaged, of a format that is not read here, or made with other
            features. The message says which, and what to do.
    """
    path = directory / MANIFEST
    content = _read(path)
    if trusted is not None:
        trusted.demand(directory, content)
    document = _document(path, content)
    manifest = _manifest(path, document)
    if _digest(document) != manifest.digest:
        raise BundleError(f"{path} was changed after it was written: its digest does not match. {_RESTORE}")
    if manifest.format == FORMAT and _version(manifest) != manifest.version:
        raise BundleError(f"{path} has another version than what it holds. {_RESTORE}")
    files = _audit_files(directory, manifest)
    boosters = {name: files[name].decode() for name in (BOOSTER, SPREAD) if name in files}
    model = Model(_audit_problem(manifest), manifest.fitted, manifest.outcome, boosters)
    golden = _parse(directory / GOLDEN, files[GOLDEN], Golden)
    cards = {name: files[name].decode() for name in CARDS if name in files}
    path = directory / REFERENCE
    upgrade = formats.READERS[manifest.format].reference
    reference = _upgraded(path, Reference, upgrade, document, _parse(path, files[REFERENCE], Document))
    return Bundle(manifest, model, golden, reference, cards)


def read_manifest(directory: Path) -> Manifest:
    """Parse manifest.json alone; raises BundleError."""
    path = directory / MANIFEST
    return _manifest(path, _document(path, _read(path)))


def _document(path: Path, content: bytes) -> Document:
    """A manifest as it was written; raises BundleError if its format is not read here."""
    document = _parse(path, content, Document)
    number = document.get("format")
    if not isinstance(number, int) or number not in formats.READERS:
        readable = " and ".join(map(str, formats.READERS))
        raise BundleError(
            f"{path} is of format {number!r}; this code reads the formats {readable}. "
            "Train again with this code, or serve the bundle with the release that made it."
        )
    return document


def _manifest(path: Path, document: Document) -> Manifest:
    return _upgraded(path, Manifest, formats.READERS[document["format"]].manifest, document)


def _upgraded(path: Path, shape: type[T], upgrade: Callable[..., Document], *documents: Document) -> T:
    """A document of any readable format, in the shape of today's."""
    try:
        return msgspec.convert(upgrade(*documents), shape)
    except (KeyError, AttributeError, TypeError, msgspec.ValidationError) as error:
        raise _unreadable(path, error) from error


def _audit_files(directory: Path, manifest: Manifest) -> dict[str, bytes]:
    needed = {*NEEDED, SPREAD} if manifest.outcome.spread else set(NEEDED)
    if not needed <= set(manifest.files) <= set(ALLOWED):
        raise BundleError(f"{directory / MANIFEST} must list {', '.join(sorted(needed))}. {_RESTORE}")
    files = contents(directory, manifest)
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != manifest.files[name]:
            raise BundleError(f"{directory / name} was changed or damaged: its sha256 does not match. {_RESTORE}")
    return files


def _audit_problem(manifest: Manifest) -> Problem:
    """The code's problem with the contract of the bundle."""
    model = f"The model '{manifest.problem}' {manifest.version}"
    try:
        problem = base.load(manifest.problem)
    except ContractError as error:
        raise BundleError(f"{model} is for a problem that this code does not have. {error}") from error
    if problem.features_hash != manifest.features_hash:
        raise BundleError(
            f"{model} was trained with other features than this code computes for '{problem.name}'. "
            "Train again (`make train`), or serve it with the code of its commit."
        )
    try:
        problem = replace(problem, contract=contract.described(manifest.contract).read_as(problem.contract))
    except ContractError as error:
        raise BundleError(f"{model} carries a contract that this code cannot read: {error}") from error
    target, vocabularies = problem.contract.target, manifest.fitted.vocabularies
    if not manifest.outcome.fits(target):
        raise BundleError(f"{model} answers otherwise than its target '{target.name}' says. {_RESTORE}")
    missing = [column.name for column in problem.contract.categories if column.name not in vocabularies]
    if missing:
        raise BundleError(f"{model} has no names of '{missing[0]}'. {_RESTORE}")
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
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BundleError:
    return BundleError(f"{path} is not what a bundle holds: {error}. {_RESTORE}")


def _digested(manifest: Manifest) -> Manifest:
    return msgspec.structs.replace(manifest, digest=_digest(msgspec.to_builtins(manifest)))


def _digest(manifest: Document) -> str:
    return _hash(manifest | {"digest": ""})


def _hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _hash(document: Document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode()).hexdigest()
