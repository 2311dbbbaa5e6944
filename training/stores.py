"""The two stores that outlive a run, MLflow's and BentoML's: where they are, and whether they hold what they should."""

import contextlib
import os
import re
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from training.workspace import Workspace, read_json, say
from validation.errors import StoreError

BENTOML_HOME = Path("stores/bentoml")
MLFLOW_DATABASE = Path("stores/mlflow/mlflow.db")
MLFLOW_ARTIFACTS = Path("stores/mlflow/artifacts")
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""The tables and columns in which MLflow's database says where files are, always as absolute paths."""
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
    return f"sqlite:///{urllib.parse.quote(str(MLFLOW_DATABASE.absolute()))}"


def _is_local(address: str) -> bool:
    """Whether an address of MLflow is the project's own database, however it is written."""
    path = urllib.parse.unquote(address.removeprefix("sqlite:///"))
    return address.startswith("sqlite:///") and Path(path).absolute() == MLFLOW_DATABASE.absolute()


def uses_local_mlflow() -> bool:
    """Whether runs and their files go to the project's own folders."""
    return _is_local(os.environ["MLFLOW_TRACKING_URI"])


def local_artifacts() -> str:
    """The URI of the folder that holds the files of all local runs."""
    return MLFLOW_ARTIFACTS.absolute().as_uri()


def _settle() -> None:
    """Let everything in the local registry name the files of this folder, wherever it was when they were written.

    MLflow records absolute paths. Without this a project that was moved would find none of its models, and one that was
    copied would write into the project it is a copy of.
    """
    if not MLFLOW_DATABASE.exists():
        return
    with contextlib.closing(sqlite3.connect(MLFLOW_DATABASE, timeout=60)) as database, database:
        present = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        for table, column in LOCATIONS:
            if table not in present:
                continue  # killed while MLflow made the database
            known = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 our own names
            for (old,) in database.execute(known).fetchall():
                if (new := _here(old)) != old:
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))  # noqa: S608


def _here(location: str) -> str:
    """A location among the artifacts of any project's folder, as it is in this one; others as they are."""
    _, found, tail = location.rpartition(f"/{MLFLOW_ARTIFACTS}/")
    mine = found and urllib.parse.urlsplit(location).scheme in ("", "file")
    return f"{local_artifacts()}/{tail}" if mine else location


@contextlib.contextmanager
def in_use() -> Iterator[None]:
    """Work on the stores of this folder; what MLflow, its server, its database and BentoML raise become sentences.

    Raises:
        StoreError: one of them failed; no password is in the message.
    """
    from bentoml.exceptions import BentoMLException
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _settle()
        yield
    except (MlflowException, BentoMLException, RequestException, SQLAlchemyError, sqlite3.Error) as error:
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
    return "local" if _is_local(address) else _without_login(address)


def _holds(workspace: Workspace) -> bool:
    """Whether the receipt is of the registry in use and, where that is local, its files are there."""
    if read_json(workspace.registered)["registry"] != registry():
        return False
    artifacts = MLFLOW_ARTIFACTS / workspace.problem
    return not uses_local_mlflow() or (MLFLOW_DATABASE.exists() and artifacts.is_dir())
