"""The registry's champion: which version it is, which versions were it before, and what they answer."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import msgspec
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from model import bundle
from validation.errors import StoreError

CHAMPION = "champion"
HISTORY = "champions"
"""The tag of a registered model that lists its champions' versions, the latest last."""
WITHDRAWN_TAG = "withdrawn"
DECISION_TAG, PROMOTED, REFUSED = "decision", "promoted", "refused"
"""The tag of a version that says what was decided of it last, and the two decisions there are."""
BEST_TAG, ABOVE_TAG = "best", "above_best"
"""Tags of a champion with more loss than an earlier one: that one's version, and the ratio of their mean losses."""
BUNDLE = "artifacts/bundle"
"""Where a version's bundle lies among its files."""
LEARNED = "learned.parquet"
"""The file beside a version's bundle with the hashes of the rows that it learned from, see `training.data.copies`."""
_UNKNOWN = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""The registry's error codes for a number that no version has, and for a text that is not a number."""
_ASK = Path(__file__).with_name("ask_champion.py")


def current(client: MlflowClient, name: str) -> ModelVersion | None:
    """The champion, or None where there is none. Its files may be gone: `download` and `fetched` raise StoreError then.

    Raises:
        MlflowException: the registry cannot say. That is no answer: nobody is promoted because of it.
    """
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        return None
    number = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if number is None else client.get_model_version(name, number)


def before(client: MlflowClient, name: str, number: str) -> ModelVersion | None:
    """The latest champion besides this version that was neither withdrawn nor deleted; None if there is none."""
    for earlier in reversed(history(client, name)):
        version = find(client, name, earlier) if earlier != number else None
        if version is not None and not version.tags.get(WITHDRAWN_TAG):
            return version
    return None


def has_files(version: ModelVersion) -> bool:
    """Whether a version's model is still there; raises MlflowException if its store cannot be asked."""
    return bool(mlflow.artifacts.list_artifacts(_uri(version)))


def history(client: MlflowClient, name: str) -> list[str]:
    """The versions that were champion, the latest last."""
    return [number for number in client.get_registered_model(name).tags.get(HISTORY, "").split(",") if number]


def set_champion(client: MlflowClient, version: ModelVersion) -> None:
    """Make a version the champion, and remember it."""
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
    numbers = history(client, version.name)
    if numbers[-1:] != [str(version.version)]:
        client.set_registered_model_tag(version.name, HISTORY, ",".join([*numbers, str(version.version)]))


class Best(NamedTuple):
    """The champion with the least loss so far.

    Attributes:
        number: its version.
        above: the mean loss of today's champion divided by its own, when today's was promoted.
        version: the registered version; None if it is today's champion, or deleted.
    """

    number: str
    above: float = 1.0
    version: ModelVersion | None = None


def best(client: MlflowClient, champion: ModelVersion) -> Best:
    """The best champion so far: today's, or the one with less loss that its tags name, unless that was withdrawn."""
    number = champion.tags.get(BEST_TAG)
    if not number:
        return Best(str(champion.version))
    above = float(champion.tags[ABOVE_TAG])
    version = find(client, champion.name, number)
    if version is None:
        return Best(number, above)
    return Best(str(champion.version)) if version.tags.get(WITHDRAWN_TAG) else Best(number, above, version)


def find(client: MlflowClient, name: str, number: str) -> ModelVersion | None:
    """The version of that number; None if there is none, or none any more.

    Raises:
        MlflowException: the registry cannot say.
    """
    try:
        return client.get_model_version(name, number)
    except MlflowException as error:
        if error.error_code in _UNKNOWN:
            return None
        raise


def download(version: ModelVersion, folder: Path) -> Path:
    """Fetch a version's bundle into an empty folder; returns where it lies.

    Raises:
        StoreError: the registry has the version, and its files are gone.
    """
    try:
        return _model(version, folder) / BUNDLE
    except StoreError as error:
        raise StoreError(
            f"'{version.name}' {error}. Bring them back from a copy, or promote a version that has its files: "
            f"`make promote PROBLEM={version.name}@VERSION`."
        ) from error


def _model(version: ModelVersion, folder: Path) -> Path:
    """Fetch all of a version's files into an empty folder; returns where they lie."""
    if not has_files(version):
        where = MlflowClient().get_model_version_download_uri(version.name, version.version)
        raise StoreError(f"version {version.version} has no files in {where}, where the registry expects them")
    return Path(mlflow.artifacts.download_artifacts(_uri(version), dst_path=str(folder)))


def add_files(version: ModelVersion, folder: Path, place: str) -> None:
    """Put the files of a folder at a place among a version's files; raises StoreError if no model of MLflow 3 has them.

    A version's source is `models:/` and the id of the logged model that it was registered from.
    """
    scheme, _, model = str(version.source).partition(":/")
    if scheme != "models" or "/" in model:
        raise StoreError(f"The files of version {version.version} lie at {version.source}, where nothing is added.")
    MlflowClient().log_model_artifacts(model, str(folder), place)


class Fetched(NamedTuple):
    """A registered version whose files are here."""

    version: ModelVersion
    folder: Path

    def manifest(self) -> dict[str, Any]:
        """Its bundle's manifest as JSON, whatever code wrote it."""
        path = self.folder / BUNDLE / bundle.MANIFEST
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])

    def learned(self) -> pd.DataFrame | None:
        """The `copies.hashes` of the rows that it learned from; None of a version that earlier code registered."""
        path = self.folder / "artifacts" / LEARNED
        return pd.read_parquet(path) if path.exists() else None

    def ask(self, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
        """Its answers to rows, given in a separate process by the code that it was registered with.

        Returns:
            A row for each of `rows`: `prediction`, and `probability_<class>` of a classifier; missing where the
            version refuses the row.

        Raises:
            StoreError: it cannot be loaded or asked; the message says why.
        """
        with tempfile.TemporaryDirectory() as temporary:
            row_file, answer_file = Path(temporary) / "rows.jsonl", Path(temporary) / "answers.parquet"
            with row_file.open("w") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            done = subprocess.run(
                [sys.executable, "-P", str(_ASK), str(self.folder), str(row_file), str(answer_file)],
                cwd=temporary,
                # its modules have the same names as today's, which must not be imported
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
                raise StoreError(f"version {self.version.version} cannot be asked: {json.dumps(reason[:300])}")
            return pd.read_parquet(answer_file)


@contextlib.contextmanager
def fetched(version: ModelVersion) -> Iterator[Fetched]:
    """Bring a version's files here for a while; raises StoreError if they are gone."""
    with tempfile.TemporaryDirectory() as temporary:
        yield Fetched(version, _model(version, Path(temporary)))


def _uri(version: ModelVersion) -> str:
    return f"models:/{version.name}/{version.version}"
