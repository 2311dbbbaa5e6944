"""Bundles: what is written is read, and whatever was done to one on its way is noticed."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pytest
from hypothesis import given

from model import bundle, golden
from model.bundle import Lineage, Manifest
from model.model import SPREAD, Model
from model.predictor import Predictor, open_predictor
from problems import base
from problems.base import Problem
from tests.project import Project
from tests.strategies import contracts
from validation.contract import Contract, Kind, described
from validation.errors import BundleError

FILES = (*bundle.NEEDED, SPREAD)
"""What the bundle of a regression holds before it is sealed, besides its manifest."""


@pytest.fixture
def folder(trained: Project, tmp_path: Path) -> Path:
    """A copy of the trained project's bundle."""
    return Path(shutil.copytree(trained.folder / "data/flights/bundle", tmp_path / "bundle"))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def model_of(manifest: Manifest, problem: Problem | None = None) -> Model:
    """The model of a manifest, without boosters."""
    return Model(problem or base.load("flights"), manifest.fitted, manifest.outcome, {})


def rewrite(folder: Path, **contents: bytes) -> None:
    """Write the bundle anew around other files, hashes and all, as one with another origin would be."""
    opened = bundle.read(folder)
    files = bundle.contents(folder, opened.manifest)
    files |= {name.replace("_", "."): content for name, content in contents.items()}
    made = bundle.make_manifest(opened.model, opened.manifest.base_values, files)
    bundle.write(folder, made, files)


def test_a_bundle_is_read_as_it_was_written(folder: Path) -> None:
    opened = bundle.read(folder)
    assert opened.model.problem.name == "flights"
    golden.replay(Predictor.of(opened), opened)
    assert len(opened.golden.rows) == 20
    assert sorted(path.name for path in folder.iterdir()) == [
        "golden.json",
        "manifest.json",
        "model.txt",
        "reference.json",
        "spread.txt",
    ]


def test_sealing_keeps_the_version_and_changes_the_digest(folder: Path) -> None:
    manifest = bundle.read(folder).manifest
    cards = {"card.md": b"# Fares", "card.html": b"<h1>Fares</h1>"}
    sealed = bundle.seal(manifest, None, Lineage("sha", "simulated", None, "run", {}), cards)
    assert sealed.version == manifest.version
    assert sealed.digest != manifest.digest
    bundle.write(folder, sealed, bundle.contents(folder, manifest) | cards)
    opened = bundle.read(folder)
    assert opened.manifest.lineage == sealed.lineage
    assert opened.cards == {"card.md": "# Fares", "card.html": "<h1>Fares</h1>"}
    (folder / "card.md").write_text("# Better fares")
    with pytest.raises(BundleError, match=r"card\.md was changed or damaged"):
        bundle.read(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} was changed or damaged"):
        bundle.read(folder)


@pytest.mark.parametrize("name", [bundle.MANIFEST, *FILES])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name} cannot be read: No such file"):
        bundle.read(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(format=1), "is of format 1; this code reads the formats 2 and 3"),
        (lambda m: m.pop("format"), "is of format None"),
        (lambda m: m.update(format=[2]), "is of format \\[2\\]"),
        (lambda m: m.update(base_values=[0.0]), "its digest does not match"),
        (lambda m: m.update(extra=1), "unknown field `extra`"),
        (lambda m: m.update(fitted=3), "Expected `object`"),
        (lambda m: m["files"].update({"../escape": "00"}), "digest does not match"),
    ],
)
def test_a_changed_manifest_is_refused(folder: Path, change: Callable[[dict[str, Any]], object], says: str) -> None:
    edit(folder / bundle.MANIFEST, change)
    with pytest.raises(BundleError, match=says):
        bundle.read(folder)


def test_a_manifest_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / bundle.MANIFEST).write_bytes(b"\x80\x04pickle")
    with pytest.raises(BundleError, match="is not what a bundle holds"):
        bundle.read(folder)


def test_another_base_value_is_noticed(folder: Path) -> None:
    manifest = bundle.read_manifest(folder)
    files = bundle.contents(folder, manifest)
    made = bundle.make_manifest(model_of(manifest), [1.0], files)
    bundle.write(folder, made, files)
    opened = bundle.read(folder)
    with pytest.raises(BundleError, match="the base values are"):
        golden.replay(Predictor.of(opened), opened)


def test_a_manifest_of_other_files_is_refused(folder: Path) -> None:
    manifest = bundle.read_manifest(folder)
    files = {"model.txt": b"", "../../etc/passwd": b""}
    other = bundle.make_manifest(model_of(manifest), [0.0], files)
    (folder / bundle.MANIFEST).write_bytes(msgspec.json.encode(other))
    with pytest.raises(BundleError, match=r"must list golden\.json, model\.txt, reference\.json, spread\.txt"):
        bundle.read(folder)


def test_a_regression_without_its_spread_is_refused(folder: Path) -> None:
    """Its intervals would be made of nothing."""
    manifest = bundle.read_manifest(folder)
    files = {name: (folder / name).read_bytes() for name in bundle.NEEDED}
    made = bundle.make_manifest(model_of(manifest), [0.0], files)
    (folder / bundle.MANIFEST).write_bytes(msgspec.json.encode(made))
    with pytest.raises(BundleError, match=r"must list .*spread\.txt"):
        bundle.read(folder)


def test_a_model_that_is_no_model_is_refused(folder: Path) -> None:
    rewrite(folder, model_txt=b"tree\nnonsense\n")
    with pytest.raises(BundleError, match=r"model\.txt of 'flights' is not a LightGBM model"):
        open_predictor(folder)


@pytest.mark.parametrize("name", ["model_txt", "spread_txt"])
def test_a_booster_of_other_features_is_refused(folder: Path, name: str) -> None:
    file = name.replace("_", ".")
    text = (folder / file).read_text().replace("duration_hours", "duration_weeks")
    rewrite(folder, **{name: text.encode()})
    with pytest.raises(BundleError, match=rf"{file} of 'flights' was trained on other features"):
        open_predictor(folder)


@pytest.mark.parametrize("name", ["model_txt", "spread_txt"])
def test_a_booster_of_several_outputs_is_refused(folder: Path, name: str) -> None:
    """The scorer has room for one number a row: three would be written into what lies behind it."""
    features = bundle.read_manifest(folder).fitted.feature_names
    data = lgb.Dataset(np.random.default_rng(1).random((60, len(features))), np.arange(60) % 3, feature_name=features)
    settings = {"objective": "multiclass", "num_class": 3, "min_data_in_leaf": 1, "verbosity": -1}
    rewrite(folder, **{name: lgb.train(settings, data, 2).model_to_string().encode()})
    with pytest.raises(BundleError, match=rf"{name.replace('_', '.')} of 'flights' has 3 outputs a row"):
        open_predictor(folder)


def test_a_bundle_is_read_by_the_contract_that_it_carries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What callers of an older model may send does not change when the code's contract does."""
    problem = base.load("flights")
    columns = tuple(
        dataclasses.replace(column, le=9.0) if column.kind is Kind.REAL else column
        for column in problem.contract.columns
        if column.name != "travel_code"
    )
    use(monkeypatch, dataclasses.replace(problem, contract=Contract(columns)))
    opened = bundle.read(folder)
    assert opened.model.problem.contract.columns[4].le == 48.0
    predictor = Predictor.of(opened)
    golden.replay(predictor, opened)
    assert predictor.predict([{**opened.golden.rows[0], "travel_code": 7}]).predictions[0].keys == {"travel_code": 7}


@given(contract=contracts())
def test_a_contract_that_was_described_is_the_same_to_callers(contract: Contract) -> None:
    written = json.loads(json.dumps([column.describe() for column in contract.columns]))
    read = described(written)
    assert [column.describe() for column in read.columns] == [column.describe() for column in contract.columns]
    for kind in ("inputs", "keys", "forbidden"):
        assert [c.name for c in getattr(read, kind)] == [c.name for c in getattr(contract, kind)]


def carrying(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Write the manifest with another contract, as one of format 2, whose version does not cover it."""
    manifest = json.loads((folder / bundle.MANIFEST).read_bytes())
    columns = [dict(column) for column in manifest["contract"] if column["role"] != "key"]
    change(columns)
    manifest |= {"format": 2, "contract": columns, "base_value": manifest.pop("base_values")[0], "digest": ""}
    manifest["digest"] = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda contract: contract[0].pop("kind"),
        lambda contract: contract[0].update(kind="colour"),
        lambda contract: contract[0].update(surprise=1),
        lambda contract: contract[0].update(parse="x"),
        lambda contract: contract[0].update(nullable="no"),
        lambda contract: contract[0].update(choices=[1, 2]),
        lambda contract: contract[0].update(help=["x"]),
        lambda contract: contract[4].update(ge="x"),
        lambda contract: contract.pop(),
        lambda contract: contract.append(contract[0]),
    ],
)
def test_a_contract_that_is_none_is_refused(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    carrying(folder, change)
    with pytest.raises(BundleError, match="carries a contract that this code cannot read"):
        bundle.read(folder)


def test_a_target_that_is_not_what_is_answered_is_refused(folder: Path) -> None:
    carrying(folder, lambda contract: contract[-1].update(kind="flag", ge=None, unit=None))
    with pytest.raises(BundleError, match="answers otherwise than its target 'price' says"):
        bundle.read(folder)


def test_the_version_covers_the_contract(folder: Path) -> None:
    """It decides verdicts, so two bundles that differ in it are two versions."""
    manifest = bundle.read_manifest(folder)
    wider = [{**column, "nullable": True} for column in manifest.contract]
    changed = bundle.seal(msgspec.structs.replace(manifest, contract=wider), None, Lineage("", "", None, "", {}), {})
    bundle.write(folder, changed, bundle.contents(folder, manifest))
    with pytest.raises(BundleError, match="has another version than what it holds"):
        bundle.read(folder)


def test_a_bundle_for_other_features_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, dataclasses.replace(base.load("flights"), features=other_features))
    with pytest.raises(BundleError, match="was trained with other features than this code computes for 'flights'"):
        bundle.read(folder)


def test_a_bundle_for_no_problem_of_ours_is_refused(folder: Path) -> None:
    manifest = bundle.read_manifest(folder)
    problem = dataclasses.replace(base.load("flights"), name="trains")
    files = bundle.contents(folder, manifest)
    made = bundle.make_manifest(model_of(manifest, problem), manifest.base_values, files)
    bundle.write(folder, made, files)
    with pytest.raises(BundleError, match=r"this code does not have.*There are: .*flights"):
        bundle.read(folder)


def test_other_answers_than_in_training_are_noticed(folder: Path) -> None:
    def check(change: Callable[[dict[str, Any]], object], says: str) -> None:
        document = json.loads((folder / bundle.GOLDEN).read_bytes())
        change(document)
        rewrite(folder, golden_json=json.dumps(document).encode())
        opened = bundle.read(folder)
        with pytest.raises(BundleError, match=says):
            golden.replay(Predictor.of(opened), opened)

    original = (folder / bundle.GOLDEN).read_bytes()
    for change, says in (
        (lambda d: d["scores"][3].__setitem__(0, d["scores"][3][0] * 1.001), "golden row 3: expected"),
        (lambda d: d["scores"][4].__setitem__(2, d["scores"][4][2] * 1.001), "golden row 4: expected"),  # its interval
        (lambda d: d["scores"][5].pop(), "golden row 5: expected"),
        (lambda d: d["contributions"][2].update(date=9.0), "golden row 2: 'date' contributes"),
        (lambda d: d["rows"][1].update(cabin="roof"), "golden row 1: 'roof' is not a cabin"),
        (lambda d: d["scores"].pop(), "the recorded answers are incomplete"),
        (lambda d: d.update(rows=[], scores=[], contributions=[]), "has no golden rows"),
    ):
        check(change, says)
        rewrite(folder, golden_json=original)


def test_no_pickle_anywhere(trained: Project) -> None:
    for path in (trained.folder / "stores/bentoml/models").rglob("*"):
        if path.is_file():
            assert not path.read_bytes().startswith(b"\x80")
            assert path.suffix in (".txt", ".json", ".yaml", ".md", ".html", ""), path


def other_features(columns: Any, state: Any) -> Any:
    return dict(columns)


def use(monkeypatch: pytest.MonkeyPatch, problem: Problem) -> None:
    """Let the code's flights be another problem, as a later commit's would be."""
    monkeypatch.setattr("problems.flights.PROBLEM", problem)
