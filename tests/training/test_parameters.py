"""params.yaml: the defaults, what differs from them in a problem, and what DVC makes of both."""

from pathlib import Path

import pytest
import yaml

from problems import base
from problems.parameters import PARAMS
from tests.project import ROOT
from training.data import listed
from training.data.split import SplitParams
from training.draft import draft
from training.workspace import Workspace
from validation.errors import SettingsError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_problem_has_the_defaults_where_its_own_numbers_do_not_differ(here: Path) -> None:
    PARAMS.write_text(
        "defaults: {train: {rounds: 9, costs: {a: 1, b: 1}, booster: {num_leaves: 15, seed: 1}}, split: {seed: 1}}\n"
        "mine: {train: {costs: {a: 2}, booster: {num_leaves: 7}}}\n"
    )
    # LightGBM's parameters are taken as a whole
    train = {"rounds": 9, "costs": {"a": 2, "b": 1}, "booster": {"num_leaves": 7}}
    expected = {"train": train, "split": {"seed": 1}}
    assert Workspace("mine").document() == expected
    assert Workspace("another").document()["split"] == {"seed": 1}
    PARAMS.write_text(PARAMS.read_text().replace("mine: {train", "mine: {training"))
    with pytest.raises(SettingsError, match="'mine' has a section 'training'; there are: train, split"):
        Workspace("mine").document()
    PARAMS.write_text("mine: 3\n")
    with pytest.raises(SettingsError, match="'mine' must have sections"):
        Workspace("mine").document()
    PARAMS.write_text("problems: []\n")
    with pytest.raises(SettingsError, match="has no entry 'defaults' and none 'mine'"):
        Workspace("mine").document()


def test_a_stage_runs_again_when_a_default_or_a_problems_number_changes() -> None:
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        params = stage.get("params", [])
        of_problem = "${item.problem}."
        sections = {name.removeprefix(of_problem) for name in params if name.startswith(of_problem)}
        assert {f"defaults.{section}" for section in sections} <= {*params}


def test_a_listed_problem_has_every_section_that_dvc_asks_for(here: Path) -> None:
    PARAMS.write_text("problems: [flights] # tables\ndefaults: {a: {}, b: {}}\nold:\n  a: {x: 1} # kept\n")
    for name in ("new", "old", "old"):
        listed.add(Workspace(name))
    text = PARAMS.read_text()
    assert "problems: [flights, new, old] # tables" in text
    assert "# kept" in text
    assert yaml.safe_load(text)["old"] == {"a": {"x": 1}, "b": {}}
    assert "\nnew: {a: {}, b: {}}\n" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"defaults: {a: {x: \xe9}}", "params.yaml cannot be read: 'utf-8' codec can't decode byte 0xe9"),
        (b"defaults: [1,", "params.yaml cannot be read: while parsing a flow node expected the node content"),
        (b"defaults: {a: {}}\nold: {}\nold: {}\n", "params.yaml cannot be read: while constructing a mapping"),
        (b"defaults: {a: {}}\nproblems: old\n", "params.yaml: 'problems' must be a list of names."),
        (b"defaults: {a: {}}\nnew: 5\n", "params.yaml: 'new' must have sections."),
        (b"a list", "params.yaml has no entry 'defaults' and none 'new'."),
    ],
)
def test_numbers_that_cannot_be_read_are_said_before_anything_is_kept(here: Path, content: bytes, says: str) -> None:
    PARAMS.write_bytes(content)
    (here / "new.csv").write_text("x,y\n" + "1,2\n3,4\n" * 40)
    with pytest.raises(SettingsError) as caught:
        draft.main("new.csv", "y")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PARAMS.read_bytes() == content
    assert not (here / "data").exists()
    assert "new" not in base.names()


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_is_one_that_both_libraries_take(here: Path, seed: int) -> None:
    PARAMS.write_text(f"defaults: {{split: {{seed: {seed}, test: 0.2, validation: 0.1, calibration: 0.1}}}}")
    with pytest.raises(SettingsError, match=r"params\.yaml, new\.split: Expected `int` .* at `\$\.seed`"):
        Workspace("new").params("split", SplitParams)
