"""The two stores that outlive a run, MLflow's and BentoML's: where they are, and whether they hold what they should."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from training.workspace import Workspace, read_json, say
from validation.errors import StoreError

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


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what MLflow and BentoML raise into sentences."""
    from bentoml.exceptions import BentoMLException
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, BentoMLException) as error:
        where = f"MLflow at {os.environ['MLFLOW_TRACKING_URI']}, BentoML at {os.environ['BENTOML_HOME']}"
        raise StoreError(f"{error} ({where})") from error


def heal(workspace: Workspace) -> None:
    """Drop receipts of things that their store no longer holds, so that the next `dvc repro` makes them again."""
    if workspace.registered.exists() and not _holds(workspace):
        say("stores", "MLflow does not hold the model any more; it will be registered again")
        workspace.registered.unlink()
    if workspace.packaged.exists():
        name, version = read_json(workspace.packaged)["tag"].split(":")
        if not (Path(os.environ["BENTOML_HOME"]) / "models" / name / version / "model.yaml").exists():
            say("stores", f"{name}:{version} is gone from the BentoML store; it will be imported again")
            workspace.packaged.unlink()


def registry() -> str:
    """Which registry receipts speak of: a tracking server's address, or "local"."""
    return "local" if uses_local_mlflow() else os.environ["MLFLOW_TRACKING_URI"]


def _holds(workspace: Workspace) -> bool:
    """Whether the receipt is of the registry in use and, where that is local, its files are there."""
    if read_json(workspace.registered)["registry"] != registry():
        return False
    artifacts = MLFLOW_ARTIFACTS / workspace.problem
    return not uses_local_mlflow() or (MLFLOW_DATABASE.exists() and artifacts.is_dir())
