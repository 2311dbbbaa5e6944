"""MLflow's champion → the BentoML model store, under the content hash of its bundle as an exact tag."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import bentoml
import mlflow
from bentoml.exceptions import NotFound
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from model import bundle, receipts, signatures
from model.bundle import Manifest
from problems.base import Problem
from training.registry import champion
from training.workspace import Workspace, read_json, say, write_json
from validation.errors import BundleError, StoreError

REGISTRY_VERSION = "registry_version"
_INFO = "model.yaml"
"""What BentoML knows of a model of its store."""
_RENEWED = ".renewed-"
"""What the folders begin with in which a model is renewed."""


def main(problem: Problem) -> None:
    """Import the champion unless the store has it, and leave a receipt with its exact tag."""
    current = champion.current(mlflow.MlflowClient(), problem.name)
    if current is None:
        raise StoreError(_no_champion(problem))
    try:
        tag = bring(current)
    except BundleError as error:
        raise StoreError(_unservable(problem, current, error)) from error
    leave_receipt(problem, tag)
    say("package", f"{tag} is in the BentoML model store; it is registry version {current.version}, the champion")
    if bundle.read_manifest(Path(bentoml.models.get(tag).path)).contract_hash != problem.contract.hash:
        say("package", "its contract is the one that it was trained with, not the code's of today")


def _no_champion(problem: Problem) -> str:
    """What to do where there is no champion: a first model that was refused is served only if a person promotes it."""
    last = _last_registered(problem)
    if last is None:
        return f"MLflow holds no champion of '{problem.name}'; run `make train`."
    number = last["registry_version"]
    return (
        f"There is no champion of '{problem.name}', and so nothing to serve. Version {number} was refused: "
        f"{last['reasons'][0]}. Its figures: `python -m training report {problem.name}`. To serve it all the same: "
        f"`make promote PROBLEM={problem.name}@{number}`, and then `make serve PROBLEM={problem.name}`."
    )


def _unservable(problem: Problem, current: ModelVersion, error: BundleError) -> str:
    """What to do where today's code cannot serve the champion: whoever changed the code decides what comes next."""
    message = f"Version {current.version}, the champion of '{problem.name}', cannot be served by this code: {error}"
    last = _last_registered(problem)
    if last is None or last["registry_version"] == str(current.version):
        return message
    number = last["registry_version"]
    return (
        f"{message} Or have version {number}, which was refused, served all the same: "
        f"`make promote PROBLEM={problem.name}@{number}`."
    )


def _last_registered(problem: Problem) -> dict[str, Any] | None:
    """The receipt of the version that was registered last; None if there is none, as after an experiment."""
    receipt = Workspace(problem.name).registered
    document: dict[str, Any] = read_json(receipt) if receipt.exists() else {}
    return document if "registry_version" in document else None


def bring(version: ModelVersion) -> str:
    """Import a registered version; returns its tag in the store.

    A store that has the same model of another registration gets the metrics, lineage and card of this one.

    Raises:
        BundleError: it is damaged, or this code cannot serve it.
        StoreError: its files are gone.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = champion.download(version, Path(temporary))
        return _import(folder, {REGISTRY_VERSION: str(version.version), "mlflow_run": str(version.run_id)})


def bring_named(version: ModelVersion) -> str:
    """The same for a version that a person named; StoreError, before anything changes, if it cannot be served."""
    try:
        return bring(version)
    except (BundleError, MlflowException, OSError) as error:
        raise StoreError(f"Version {version.version} cannot be served: {error} Nothing was changed.") from error


def leave_receipt(problem: Problem, tag: str) -> None:
    """Say which tag is to be served from now on."""
    write_json(Workspace(problem.name).packaged, receipts.document(tag))


def _import(folder: Path, labels: dict[str, str]) -> str:
    manifest = bundle.read(folder).manifest
    tag = receipts.tag(manifest.problem, manifest.version)
    with contextlib.suppress(NotFound):
        model = bentoml.models.get(tag)
        stored = Path(model.path)
        bundle.read(stored)
        if _content(folder, bundle.MANIFEST) == _content(stored, bundle.MANIFEST):
            _carry_signature(folder, stored)
        elif _content(folder, signatures.SIGNATURE) or not _content(stored, signatures.SIGNATURE):
            _renew(folder, manifest, model, labels)
            say("package", f"{tag} was in the store from another registration; what is known of it is renewed")
        else:
            say(
                "package",
                f"{tag} is in the store from another registration, signed, and this one is not: it stays as it is. "
                f"`python -m training registry sign {manifest.problem} {labels[REGISTRY_VERSION]}` renews it.",
            )
        return tag
    with bentoml.models.create(tag, labels=labels) as created:
        _fill(Path(created.path), folder, manifest)
    _drop_unfinished(_home(bentoml.models.get(tag)))
    return tag


def _fill(target: Path, folder: Path, manifest: Manifest) -> None:
    for name in (bundle.MANIFEST, *manifest.files):
        (target / name).write_bytes((folder / name).read_bytes())
    _carry_signature(folder, target)


def _renew(folder: Path, manifest: Manifest, model: bentoml.Model, labels: dict[str, str]) -> None:
    """Put a registration of a model in the place of another, whole.

    Both are of one version, so they answer the same: Bentos that were built with the other do too.
    """
    stored, home = Path(model.path), _home(model)
    _drop_unfinished(home)
    # not beside it, where BentoML takes each folder for a model
    with tempfile.TemporaryDirectory(dir=home, prefix=_RENEWED) as temporary:
        fresh = Path(temporary) / "fresh"
        fresh.mkdir()
        model.info.labels.update(labels)
        with (fresh / _INFO).open("w") as info:
            model.info.dump(info)
        _fill(fresh, folder, manifest)
        stored.rename(Path(temporary) / "before")
        # until the next line the store has none: no service starts with it, and a run after one killed here imports it
        fresh.rename(stored)


def _home(model: bentoml.Model) -> Path:
    """The folder of BentoML that has the store of this model."""
    return Path(model.path).parents[2]


def _drop_unfinished(home: Path) -> None:
    """Remove what runs that were killed left of renewals; no other is under way, since one runs at a time."""
    for folder in home.glob(f"{_RENEWED}*"):
        shutil.rmtree(folder)


def _carry_signature(folder: Path, stored: Path) -> None:
    """Put a bundle's signature, if it has one, beside its copy, which may have come before it."""
    signature = _content(folder, signatures.SIGNATURE)
    if signature is not None:
        part = stored / f"{signatures.SIGNATURE}.part"
        part.write_bytes(signature)
        part.replace(stored / signatures.SIGNATURE)


def _content(folder: Path, name: str) -> bytes | None:
    """What a file of a bundle holds; None where there is none."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return None
