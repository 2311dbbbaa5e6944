"""The registry's champion: which version it is, which it was, and what it answers."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from validation.errors import StoreError

CHAMPION = "champion"
HISTORY = "champions"
"""The tag of a registered model that lists its champions' versions, the latest last."""
_ASK = Path(__file__).with_name("ask_champion.py")


def current(client: MlflowClient, name: str) -> ModelVersion | None:
    """The champion, or None where there is none. Its files may be gone: whoever needs them is told so.

    Raises:
        MlflowException: the registry cannot say. That is no answer: nobody is promoted because of it.
    """
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        return None
    number = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if number is None else client.get_model_version(name, number)


def has_files(version: ModelVersion) -> bool:
    """Whether a version's model is still there; raises MlflowException if its store cannot be asked."""
    return bool(mlflow.artifacts.list_artifacts(_uri(version)))


def history(client: MlflowClient, name: str) -> list[str]:
    """The versions that were champion, the latest last."""
    return [number for number in client.get_registered_model(name).tags.get(HISTORY, "").split(",") if number]


def crown(client: MlflowClient, version: ModelVersion) -> None:
    """Make a version the champion, and remember it."""
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
    known = history(client, version.name)
    if known[-1:] != [str(version.version)]:
        client.set_registered_model_tag(version.name, HISTORY, ",".join([*known, str(version.version)]))


def download(version: ModelVersion, folder: Path) -> Path:
    """Fetch a version's bundle into an empty folder; returns where it lies.

    Raises:
        StoreError: the registry has the version, and its files are gone.
    """
    try:
        return _model(version, folder) / "artifacts" / "bundle"
    except StoreError as error:
        raise StoreError(
            f"'{version.name}' {error}. Bring them back from a copy, or promote a version that has its files: "
            f"`python -m training registry promote {version.name} VERSION`."
        ) from error


def _model(version: ModelVersion, folder: Path) -> Path:
    """Fetch all of a version's files into an empty folder; returns where they lie."""
    if not has_files(version):
        where = MlflowClient().get_model_version_download_uri(version.name, version.version)
        raise StoreError(f"version {version.version} has no files in {where}, where the registry expects them")
    return Path(mlflow.artifacts.download_artifacts(_uri(version), dst_path=str(folder)))


def ask(version: ModelVersion, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """What a registered version answers to rows, asked in a process of its own with the code it was registered with.

    Returns:
        A row for each of `rows`: `prediction`, and `probabilities.<class>` of a classifier; missing where the version
        refuses the row.

    Raises:
        StoreError: its files are gone, or it cannot be loaded or asked; the message says why.
    """
    with tempfile.TemporaryDirectory() as temporary:
        model = _model(version, Path(temporary) / "model")
        asked, answered = Path(temporary) / "rows.jsonl", Path(temporary) / "answers.parquet"
        with asked.open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        done = subprocess.run(
            [sys.executable, "-P", str(_ASK), str(model), str(asked), str(answered)],
            cwd=temporary,
            # its modules have the names of today's, which must not be found
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise StoreError(f"version {version.version} cannot be asked: {json.dumps(reason[:300])}")
        return pd.read_parquet(answered)


def _uri(version: ModelVersion) -> str:
    return f"models:/{version.name}/{version.version}"
