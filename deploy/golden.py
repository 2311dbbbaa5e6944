"""The answers that a release must give: the golden rows in the bundles of its Bento, sent as by any caller."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from deploy.errors import ConfigError

PREDICTED, EXPLAINED = 1e-9, 1e-6
"""The relative tolerance to what training recorded: sums of doubles differ between processors."""


class Golden(NamedTuple):
    """One model of a release.

    Attributes:
        model, version: its name and its version; registry_version: MLflow's.
        rows: the golden rows, as callers send them.
        scores: for each row, a regression's prediction and interval, or the probabilities of `classes`.
        contributions: for each row, its SHAP values by column.
        classes: those whose probabilities are scores: of two the positive one; empty for a regression.
        asked: the version to ask for; empty of the one that answers where none is asked for.
    """

    model: str
    version: str
    registry_version: str
    rows: Sequence[Mapping[str, Any]]
    scores: Sequence[Sequence[float]]
    contributions: Sequence[Mapping[str, float]]
    classes: Sequence[str]
    asked: str = ""

    def differs(self, row: int, answer: Mapping[str, Any]) -> str | None:
        """How a prediction differs from the golden one; None if not. `answer` is V1's, or a message as a dict."""
        try:
            score = self._score(answer)
            if _close(score, self.scores[row], PREDICTED):
                return None
        except (KeyError, TypeError):
            return f"golden row {row} of {self.model} got no prediction: {answer}"
        return f"golden row {row} of {self.model} got {score} and not {list(self.scores[row])}"

    def differs_in_why(self, row: int, answer: Mapping[str, Any]) -> str | None:
        """The same for an explanation."""
        expected = self.contributions[row]
        try:
            given = answer["contributions"]
            total = abs(answer["base_value"]) + sum(map(abs, expected.values()))
            for column, share in expected.items():
                if not math.isclose(given[column], share, rel_tol=EXPLAINED, abs_tol=EXPLAINED * total):
                    return f"golden row {row} of {self.model}: {column} contributes {given[column]} and not {share}"
        except (KeyError, TypeError):
            return f"golden row {row} of {self.model} got no explanation: {answer}"
        return None

    def _score(self, answer: Mapping[str, Any]) -> list[float]:
        if self.classes:
            return [answer["probabilities"][label] for label in self.classes]
        return [answer["prediction"], answer["interval"]["low"], answer["interval"]["high"]]


def _close(actual: Sequence[float], expected: Sequence[float], tolerance: float) -> bool:
    return len(actual) == len(expected) and all(
        math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) for a, b in zip(actual, expected, strict=True)
    )


class Bento(NamedTuple):
    """A Bento: its tag and its models' golden rows; both are empty for a page."""

    tag: str = ""
    models: Sequence[Golden] = ()

    @property
    def answering(self) -> Sequence[Golden]:
        """Of each model the version that answers where none is asked for."""
        return [model for model in self.models if not model.asked]


def read(bento: str) -> Bento:
    """Read a Bento by its tag in the BentoML store, or by the folder of an exported one; raises ConfigError."""
    folder = Path(bento)
    if ":" in bento and not folder.exists():
        home = Path(os.environ.get("BENTOML_HOME", Path.home() / "bentoml"))
        folder = home / "bentos" / bento.replace(":", "/")
    try:
        document = yaml.safe_load((folder / "bento.yaml").read_text())
        models = [_golden(_stored(folder, tag)) for tag in tags_of(document)]
        first = {model.model: model.version for model in reversed(models)}
        told = [
            model if first[model.model] == model.version else model._replace(asked=model.version) for model in models
        ]
        return Bento(f"{document['name']}:{document['version']}", told)
    except (OSError, KeyError, TypeError, yaml.YAMLError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{bento} is no Bento with its models: {error!r}. Give its tag, or its folder.") from error


def tags_of(document: Mapping[str, Any]) -> list[str]:
    """The models of a `bento.yaml`, in the order in which the service has them."""
    return [model["tag"] for service in document["services"] for model in service["models"]]


def _stored(folder: Path, tag: str) -> Path:
    """The folder of a model: inside an exported Bento, or in the store that the Bento is in."""
    place = Path("models") / tag.replace(":", "/")
    for home in (folder, *folder.absolute().parents):
        if (home / place).is_dir():
            return home / place
    raise FileNotFoundError(f"{tag} is neither in it nor in a store around it")


def _golden(folder: Path) -> Golden:
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    golden = msgspec.json.decode((folder / "golden.json").read_bytes())
    labels = yaml.safe_load((folder / "model.yaml").read_text())["labels"]
    classes = manifest["outcome"].get("classes", ())
    return Golden(
        manifest["problem"],
        manifest["version"],
        labels.get("registry_version", ""),
        golden["rows"],
        golden["scores"],
        golden["contributions"],
        classes[1:] if len(classes) == 2 else classes,
    )
