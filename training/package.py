"""MLflow's champion → the BentoML model store, under the content hash of its bundle as an exact tag."""

import contextlib
import tempfile
from pathlib import Path

import bentoml
import mlflow
from bentoml.exceptions import NotFound

from model import bundle
from problems.base import Problem
from training.register import CHAMPION
from training.workspace import Workspace, say, write_json

REGISTRY_VERSION = "registry_version"


def main(problem: Problem) -> None:
    """Import the champion unless the store has it, and leave a receipt with its exact tag."""
    workspace = Workspace(problem.name)
    champion = mlflow.MlflowClient().get_model_version_by_alias(problem.name, CHAMPION)
    with tempfile.TemporaryDirectory() as temporary:
        uri = f"models:/{problem.name}/{champion.version}"
        folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=temporary)) / "artifacts" / "bundle"
        tag = _import(folder, {REGISTRY_VERSION: str(champion.version), "mlflow_run": str(champion.run_id)})
    write_json(workspace.packaged, {"tag": tag})
    say("package", f"{tag} is in the BentoML model store; it is registry version {champion.version}")


def _import(folder: Path, labels: dict[str, str]) -> str:
    manifest = bundle.read(folder).manifest
    tag = f"{manifest.problem}:{manifest.version}"
    with contextlib.suppress(NotFound):
        bundle.read(Path(bentoml.models.get(tag).path))
        return tag  # as it is: Bentos were built with what lies under an exact tag
    with bentoml.models.create(tag, labels=labels) as model:
        for name in (bundle.MANIFEST, *bundle.FILES):
            Path(model.path_of(name)).write_bytes((folder / name).read_bytes())
    return tag
