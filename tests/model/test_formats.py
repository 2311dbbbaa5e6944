"""Bundles of earlier code: a Bento's model of churn, exported with the last commit that wrote format 2."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from model import bundle, golden
from model.bundle import Bundle
from model.predictor import Predictor
from model.reference import Names, Numbers
from problems import base
from tests.project import ROOT, Project

EXPORTED = ROOT / "tests/data/churn-format-2.bentomodel"
TAG = "churn:a652138e1612251b"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with tarfile.open(EXPORTED) as archive:
        archive.extractall(folder)  # noqa: S202 it is ours, and Debian's Python 3.11 has no filters yet
    return folder


@pytest.fixture(scope="module")
def opened(exported: Path) -> Bundle:
    return bundle.read(exported)


def test_an_old_bundle_answers_as_it_did(opened: Bundle) -> None:
    assert opened.manifest.format == 2
    golden.replay(Predictor.of(opened), opened)
    assert opened.cards["card.md"].startswith("# ")


def test_what_an_old_bundle_says_of_training_is_read(opened: Bundle) -> None:
    columns = {column.name: column for column in opened.model.problem.contract.columns}
    assert set(opened.reference.columns) == {name for name, column in columns.items() if column.role != "key"}
    for name, seen in opened.reference.columns.items():
        if isinstance(seen, Numbers):
            assert opened.reference.deciles(columns[name]) == seen.quantiles
            assert len(seen.quantiles) == 11
        else:
            assert isinstance(seen, Names)
            assert sum(seen.shares.values()) == pytest.approx(1)
            assert (seen.distinct, seen.others) == (len(seen.shares), 0)
    assert opened.reference.predictions is None


def test_what_an_old_evaluation_found_is_read(opened: Bundle) -> None:
    metrics = opened.manifest.metrics
    assert metrics is not None
    assert metrics.decision is not None
    assert (metrics.decision.curve, metrics.reliability) == (None, None)
    assert metrics.scores["model"].keys() == {"roc_auc", "log_loss", "brier", "ece"}
    assert len(metrics.slices) > 10
    assert all(part.scores.keys() == metrics.scores["model"].keys() for part in metrics.slices)


@pytest.mark.parametrize(
    "change", [lambda m: m.pop("importance"), lambda m: m.pop("quarantined"), lambda m: m.update(new=1)]
)
def test_a_bundle_is_not_refused_for_its_report(
    opened: Bundle, exported: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """No answer depends on it, and code of other days wrote more or less."""
    folder = Path(shutil.copytree(exported, tmp_path / "bundle"))
    document = json.loads((folder / bundle.MANIFEST).read_text())
    change(document["metrics"])
    digest = hashlib.sha256(json.dumps(document | {"digest": ""}, sort_keys=True).encode()).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(document | {"digest": digest}))
    metrics = bundle.read(folder).manifest.metrics
    assert metrics is not None
    assert metrics.scores == opened.manifest.metrics.scores  # type: ignore[union-attr]


def test_its_contract_is_todays_to_callers(opened: Bundle) -> None:
    """Else the fixture says less than it could."""
    assert [column.name for column in opened.model.problem.contract.columns] == [
        column.name for column in base.load("churn").contract.columns
    ]


@pytest.mark.slow
def test_an_exported_model_is_served(tmp_path: Path, opened: Bundle) -> None:
    project = Project.create(tmp_path / "project")
    project.run("bentoml", "models", "import", str(EXPORTED))
    bento = project.build("--arg", f"models={TAG}")
    with project.serve(bento, tmp_path / "elsewhere") as client:
        rows = opened.golden.rows
        answered = client.post("/v1/models/churn:predict", json={"instances": rows})
        described = client.get("/v1/models/churn").json()
    assert answered.status_code == httpx.codes.OK
    found = [answer["probabilities"]["Yes"] for answer in answered.json()["predictions"]]
    assert found == pytest.approx([score for [score] in opened.golden.scores], rel=1e-9)
    assert described["metrics"]["task"] == "binary"
    assert json.dumps(described["reference"])
