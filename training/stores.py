"""The two stores that outlive a run, MLflow's and BentoML's: where they are, and whether they hold what they should."""

import os
from pathlib import Path

from training.workspace import Workspace, read_json, say

BENTOML_HOME = Path("stores/bentoml")
MLFLOW_DATABASE = Path("stores/mlflow/mlflow.db")
MLFLOW_ARTIFACTS = Path("stores/mlflow/artifacts")
_QUIET = {
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def configure() -> None:
    """Point MLflow and BentoML at the project's stores unless the environment says otherwise, without telemetry.

    To be called before either is imported: both read the environment on import.
    """
    os.environ.setdefault("BENTOML_HOME", str(BENTOML_HOME.absolute()))
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{MLFLOW_DATABASE.absolute()}")
    for quiet, value in _QUIET.items():
        os.environ.setdefault(quiet, value)


def uses_local_mlflow() -> bool:
    """Whether MLflow is the project's own SQLite file."""
    return os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{MLFLOW_DATABASE.absolute()}"


def heal(workspace: Workspace) -> None:
    """Drop receipts of things that their store no longer holds, so that the next `dvc repro` makes them again."""
    if workspace.registered.exists() and uses_local_mlflow() and not MLFLOW_DATABASE.exists():
        say("stores", "the MLflow database is gone; the model will be registered again")
        workspace.registered.unlink()
    if workspace.packaged.exists():
        name, version = read_json(workspace.packaged)["tag"].split(":")
        if not (Path(os.environ["BENTOML_HOME"]) / "models" / name / version / "model.yaml").exists():
            say("stores", f"{name}:{version} is gone from the BentoML store; it will be imported again")
            workspace.packaged.unlink()
