"""Parameters that are written into params.yaml: two entries change, and no other byte does."""

import difflib
from pathlib import Path

import pytest
import yaml

from tests.project import parameters
from training.tuning import written
from validation.errors import SettingsError

BOOSTER = {"num_threads": 2, "learning_rate": 0.0123, "extra_trees": True, "lambda_l1": 0.001}
LAYOUTS = {
    "as the pipeline lists a problem": "{A}a: {source: {}, train: {}, split: {}}\n{B}",
    "in braces": "{A}a: {train: {rounds: 5, booster: {num_threads: 1, learning_rate: 0.1}}}  # mine\n{B}",
    "without train": "{A}a:\n    source: {}   # nothing\n\n{B}",
    "without an entry": "{A}{B}",
    "with nothing of its own": "{A}a:\n  train: {}  # what differs\n{B}",
    "indented by four": "{A}a:\n    train:\n        rounds: 7\n        booster:   # LightGBM's\n"
    "            num_threads: 1 # of two\n            learning_rate:   0.1\n\n    # and so on\n    split: {}\n{B}",
    "with alternatives": "{A}a:\n  train:\n    booster: {}\n    alternatives: # others\n    # small\n"
    '    - {num_leaves: 3}\n    # "large"\n    - num_leaves: 63\n      lambda_l2: 1\n\n    folds: 0 # none\n{B}',
    "with alternatives in brackets": "{A}a:\n  train:\n    alternatives: [{num_leaves: 3}] # one\n{B}",
    "at the end, and no more": "{A}{B}a:\n  train:\n    booster:\n      num_threads: 1",
    "with a value of several parts": "{A}a:\n  train:\n    booster:\n      monotone_constraints: [1, 0] # up\n{B}",
    "without a value": "{A}a:\n{B}",
    "of another system": "{A}a:\r\n  train:\r\n    booster:\r\n      num_threads: 1 # one\r\n{B}",
}
BEFORE = "# 'numbers'\ndefaults:\n  train: {booster: {num_leaves: 5}, alternatives: [{num_leaves: 9}]}\n\n"
AFTER = "b: {  train: {rounds: 1.50} }   # Ünïcode\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def booster_of(text: str, problem: str) -> dict[str, object]:
    """What a problem has of its own."""
    entry = yaml.safe_load(text).get(problem) or {}
    return dict((entry.get("train") or {}).get("booster") or {})


def changed(before: str, problem: str) -> tuple[list[str], list[str]]:
    """The lines that are gone and those that are new after writing."""
    path = Path("params.yaml")
    path.write_bytes(before.encode())
    written.write(problem, {**booster_of(before, problem), **BOOSTER})
    lines = list(difflib.ndiff(before.splitlines(keepends=True), path.read_bytes().decode().splitlines(keepends=True)))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


def test_the_projects_own_numbers_keep_their_comments() -> None:
    gone, new = changed(parameters(), "istanbul")
    assert gone == ["      learning_rate: 0.03\n"]
    assert new == ["      learning_rate: 0.0123\n", "      extra_trees: true\n", "      lambda_l1: 0.001\n"]
    text = Path("params.yaml").read_text()
    one_name = "max_cat_to_onehot: 1000 # one name from the rest: sets of names overfit to the many rare ones of"
    assert f"{one_name} the crosses\n      extra_trees: true\n      lambda_l1: 0.001\n    folds: 0\n" in text


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_keeps_what_is_not_written(layout: str) -> None:
    before = layout.replace("{A}", BEFORE).replace("{B}", AFTER)
    gone, new = changed(before, "a")
    text = Path("params.yaml").read_bytes().decode()
    assert text.startswith(BEFORE)
    assert AFTER in text
    train = yaml.safe_load(text)["a"]["train"]
    assert train["booster"] == {**booster_of(before, "a"), **BOOSTER}
    assert train["alternatives"] == []
    comments = [line.split("#", 1)[1] for line in before.splitlines() if "#" in line]
    lost = [comment for comment in comments if comment not in text]
    assert lost in ([], [" small", ' "large"'])  # of the alternatives, which are gone too
    assert yaml.safe_load(text) | {"a": None} == yaml.safe_load(before) | {"a": None}
    assert all("train" in line or _is_of_training(line) for line in (*gone, *new)), (gone, new)


def _is_of_training(line: str) -> bool:
    name = line.strip().removeprefix("- ").split(":")[0]
    return (
        name in (*BOOSTER, "booster", "alternatives", "{num_leaves", "num_leaves", "lambda_l2", "a", "") or "#" in line
    )


def test_what_cannot_be_edited_safely_stays_as_it_is() -> None:
    text = "defaults: {}\nb:\n  train:\n    booster: &same\n      num_leaves: 5\na:\n  train:\n    booster: *same\n"
    Path("params.yaml").write_text(text)
    with pytest.raises(SettingsError, match="nothing was changed"):
        written.write("a", {"num_leaves": 7})
    assert Path("params.yaml").read_text() == text


def test_a_file_that_ends_by_itself_stays_as_it_is() -> None:
    text = "defaults: {}\n...\n"
    Path("params.yaml").write_text(text)
    with pytest.raises(SettingsError, match="nothing was changed"):
        written.write("a", {"num_leaves": 7})
    assert Path("params.yaml").read_text() == text


def test_the_lines_that_are_shown_are_what_is_written() -> None:
    [*_], new = changed(parameters(), "churn")
    booster = {**booster_of(parameters(), "churn"), **BOOSTER}
    shown = written.snippet("churn", booster)
    assert yaml.safe_load(shown) == {"churn": {"train": {"booster": booster, "alternatives": []}}}
    assert all(line in shown for line in new)
