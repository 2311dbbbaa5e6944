"""MLflow's champion → the BentoML model store, under the content hash of its bundle as an exact tag."""

import contextlib
import tempfile
from pathlib import Path

import bentoml
import mlflow
from bentoml.exceptions import NotFound

from model import bundle
from problems.base import Problem
from training import champion
from training.workspace import Workspace, say, write_json
from validation.errors import StoreError

REGISTRY_VERSION = "registry_version"


def main(problem: Problem) -> None:
    """Import the champion unless the store has it, and leave a receipt with its exact tag."""
    workspace = Workspace(problem.name)
    best = champion.current(mlflow.MlflowClient(), problem.name)
    if best is None:
        raise StoreError(f"MLflow holds no champion of '{problem.name}'; run `make train`.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = champion.download(best, Path(temporary))
        tag = _import(folder, {REGISTRY_VERSION: str(best.version), "mlflow_run": str(best.run_id)})
    write_json(workspace.packaged, {"tag": tag})
    say("package", f"{tag} is in the BentoML model store; it is registry version {best.version}, the champion")


def _import(folder: Path, labels: dict[str, str]) -> str:
    manifest = bundle.read(folder).manifest
    tag = f"{manifest.problem}:{manifest.version}"
    with contextlib.suppress(NotFound):
        bundle.read(Path(bentoml.models.get(tag).path))
        return tag  # as it is: Bentos were built with what lies under an exact tag
    with bentoml.models.create(tag, labels=labels) as model:
        for name in (bundle.MANIFEST, *manifest.files):
            Path(model.path_of(name)).write_bytes((folder / name).read_bytes())
    return tag
