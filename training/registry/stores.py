"""The two stores that outlive a run, MLflow's and BentoML's: where they are, and whether they hold what they should."""

import contextlib
import errno
import importlib.util
import os
import re
import shutil
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from model import receipts
from training.workspace import Workspace, read_json, say, sha256, write_json
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
_LOCAL = "local"
_ROOM = 1 << 20
"""What SQLite needs for a journal, in bytes."""
_EXPERIMENT = "DVC_EXP_BASELINE_REV"
"""DVC sets it for the stages of `dvc exp run` and `dvc queue`."""
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
    if uses_local_mlflow():  # whatever folder a command works in
        os.environ["MLFLOW_TRACKING_URI"] = _local_mlflow()


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


def _relocate() -> None:
    """Rewrite the file locations in the local registry to this folder, wherever it was when they were written.

    MLflow records absolute paths. Without this a project that was moved would find none of its models, and one that was
    copied would write into the project it is a copy of.
    """
    if not uses_local_mlflow() and registry() != _LOCAL:
        return
    _refuse_percent()
    MLFLOW_DATABASE.parent.mkdir(parents=True, exist_ok=True)  # MLflow makes it only where its name needs no quoting
    if not MLFLOW_DATABASE.exists():
        return
    with contextlib.closing(sqlite3.connect(MLFLOW_DATABASE, timeout=60)) as database, database:
        present = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        for table, column in LOCATIONS:
            if table not in present:
                continue  # killed while MLflow made the database
            query = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 our own names
            for (old,) in database.execute(query).fetchall():
                if (new := _here(old)) != old:
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))  # noqa: S608


def _refuse_percent() -> None:
    """Raise StoreError where MLflow cannot open a database: it reads a % in its own path as configparser's syntax."""
    mlflow = importlib.util.find_spec("mlflow")  # without importing it, which takes seconds
    if mlflow and mlflow.origin and "%" in mlflow.origin:
        raise StoreError(
            f"MLflow cannot work from {Path(mlflow.origin).parent}: a folder above it has a % in its name. Rename that "
            "folder, or use an environment that lies elsewhere."
        )


def _here(location: str) -> str:
    """The location in this folder of a file among the artifacts of any project's folder; others are unchanged."""
    _, marker, tail = location.rpartition(f"/{MLFLOW_ARTIFACTS}/")
    ours = marker and urllib.parse.urlsplit(location).scheme in ("", "file")
    return f"{local_artifacts()}/{tail}" if ours else location


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
        _relocate()
        yield
    except (MlflowException, BentoMLException, RequestException, SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(_without_login(_message(error))) from error


def _message(error: BaseException) -> str:
    import requests
    from sqlalchemy.exc import OperationalError

    if _disk_is_full(error):
        return f"The disk that holds {Path('stores').absolute()} is full. Make room and run `make train` again."
    mlflow = f"MLflow at {os.environ['MLFLOW_TRACKING_URI']}"
    if "MLFLOW_REGISTRY_URI" in os.environ:
        mlflow += f" with the registry at {os.environ['MLFLOW_REGISTRY_URI']}"
    unreachable = (requests.ConnectionError, requests.Timeout, OperationalError, sqlite3.Error)
    causes = list(_causes(error))
    if not any(isinstance(cause, unreachable) for cause in causes[:2]):
        return f"{error} ({mlflow}, BentoML at {os.environ['BENTOML_HOME']})"
    if any(isinstance(cause, sqlite3.Error) for cause in causes):
        return f"{mlflow}: its database cannot be used: {causes[-1]}."
    return f"{mlflow} cannot be reached: {causes[-1]}. Is it running, and is MLFLOW_TRACKING_URI its address?"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of, the first cause last."""
    while error is not None:
        yield error
        error = error.__context__


def _disk_is_full(error: BaseException) -> bool:
    """Whether a full disk is the cause; SQLite says so in its message only, or cannot open its files."""
    full = any(
        getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(cause)
        for cause in _causes(error)
    )
    in_sqlite = any(isinstance(cause, sqlite3.Error) for cause in _causes(error))
    return full or (in_sqlite and shutil.disk_usage(".").free < _ROOM)


def _without_login(text: str) -> str:
    """A text whose addresses name neither user nor password."""
    return re.sub(r"(?<=://)[^/\s]+@", "", text)


def look() -> None:
    """Ask MLflow's server whether it is there, before anything is trained for it; raises StoreError if it is not."""
    if uses_local_mlflow() and registry() == _LOCAL:
        _refuse_percent()
        return
    with in_use():
        from mlflow import MlflowClient

        MlflowClient().search_experiments(max_results=1)
        MlflowClient().search_registered_models(max_results=1)


def experiment(workspace: Workspace, stage: str) -> bool:
    """Whether this is an experiment of DVC, which registers and packages nothing; DVC wants a receipt all the same."""
    if not os.environ.get(_EXPERIMENT):
        return False
    say(stage, "nothing to do in an experiment; `make train` registers what it left in the workspace")
    for receipt, nothing in ((workspace.registered, {"registry": None}), (workspace.packaged, receipts.document(None))):
        if not receipt.exists():
            write_json(receipt, nothing)
    return True


def heal(workspace: Workspace) -> None:
    """Drop receipts of what their store does not hold, so that the next `dvc repro` brings it there."""
    if workspace.registered.exists() and (reason := _unregistered(workspace)):
        say("stores", f"{reason}; it will be registered")
        workspace.registered.unlink()
    if workspace.packaged.exists():
        tag = read_json(workspace.packaged)["tag"]
        if not tag or not (Path(os.environ["BENTOML_HOME"]) / "models" / tag.replace(":", "/") / "model.yaml").exists():
            say("stores", f"{tag or 'the champion'} is not in the BentoML store; it will be imported")
            workspace.packaged.unlink()


def registry() -> str:
    """Which registry receipts speak of: its address without user and password, or "local"."""
    address = os.environ.get("MLFLOW_REGISTRY_URI", os.environ["MLFLOW_TRACKING_URI"])
    return _LOCAL if _is_local(address) else _without_login(address)


def _unregistered(workspace: Workspace) -> str | None:
    """Why the registry's receipt does not speak for what was evaluated last; None if it does."""
    receipt = read_json(workspace.registered)
    artifacts = MLFLOW_ARTIFACTS / workspace.problem
    if receipt["registry"] != registry() or (
        uses_local_mlflow() and not (MLFLOW_DATABASE.exists() and artifacts.is_dir())
    ):
        return "MLflow does not hold the model"
    if workspace.metrics.exists() and receipt["metrics"] != sha256(workspace.metrics):
        return "what was evaluated last is not registered yet"
    return None
