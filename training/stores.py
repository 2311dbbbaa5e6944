"""The two stores that outlive a run, MLflow's and BentoML's: where they are, and whether they hold what they should."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from training.workspace import Workspace, read_json, say
from validation.errors import StoreError

BENTOML_HOME = Path("stores/bentoml")
MLFLOW_DATABASE = Path("stores/mlflow/mlflow.db")
MLFLOW_ARTIFACTS = Path("stores/mlflow/artifacts")
_DEFAULTS = {
    "BENTOML_DO_NOT_TRACK": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # files go through the server: it would send clients to its bucket, which they need not reach
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # by itself it tries a server that is not there for four minutes
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


def configure() -> None:
    """Point MLflow and BentoML at the project's stores unless the environment says otherwise, without telemetry.

    An empty variable says nothing: workflows hand on as empty what nobody has set. To be called before either is
    imported: both read the environment on import.
    """
    if not os.environ.get("MLFLOW_REGISTRY_URI"):
        os.environ.pop("MLFLOW_REGISTRY_URI", None)
    places = {"BENTOML_HOME": str(BENTOML_HOME.absolute()), "MLFLOW_TRACKING_URI": _local_mlflow()}
    for name, value in {**places, **_DEFAULTS}.items():
        os.environ[name] = os.environ.get(name) or value


def _local_mlflow() -> str:
    return f"sqlite:///{MLFLOW_DATABASE.absolute()}"


def uses_local_mlflow() -> bool:
    """Whether runs and their files go to the project's own folders."""
    return os.environ["MLFLOW_TRACKING_URI"] == _local_mlflow()


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what MLflow, its server, its database and BentoML raise into sentences; no password is in them."""
    from bentoml.exceptions import BentoMLException
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, BentoMLException, RequestException, SQLAlchemyError) as error:
        raise StoreError(_without_login(_told(error))) from error


def _told(error: BaseException) -> str:
    import requests
    from sqlalchemy.exc import OperationalError

    mlflow = f"MLflow at {os.environ['MLFLOW_TRACKING_URI']}"
    if "MLFLOW_REGISTRY_URI" in os.environ:
        mlflow += f" with the registry at {os.environ['MLFLOW_REGISTRY_URI']}"
    silence = (requests.ConnectionError, requests.Timeout, OperationalError)
    if not isinstance(error, silence) and not isinstance(error.__context__, silence):
        return f"{error} ({mlflow}, BentoML at {os.environ['BENTOML_HOME']})"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return f"{mlflow} cannot be reached: {cause}. Is it running, and is MLFLOW_TRACKING_URI its address?"


def _without_login(text: str) -> str:
    """A text whose addresses name neither user nor password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


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
    """Which registry receipts speak of: its address without user and password, or "local"."""
    address = os.environ.get("MLFLOW_REGISTRY_URI", os.environ["MLFLOW_TRACKING_URI"])
    return "local" if address == _local_mlflow() else _without_login(address)


def _holds(workspace: Workspace) -> bool:
    """Whether the receipt is of the registry in use and, where that is local, its files are there."""
    if read_json(workspace.registered)["registry"] != registry():
        return False
    artifacts = MLFLOW_ARTIFACTS / workspace.problem
    return not uses_local_mlflow() or (MLFLOW_DATABASE.exists() and artifacts.is_dir())
