"""Settings from the environment, and which models a service holds."""

import json
from pathlib import Path

import pytest

from serving import pins
from serving.settings import Settings
from validation.errors import SettingsError


def test_defaults_and_overrides() -> None:
    assert Settings.from_environment({"PATH": "/bin", "BOXWOOD_DATA": "/x"}) == Settings()
    assert Settings.from_environment({"BOXWOOD_MAX_ROWS": "5"}).max_rows == 5
    assert Settings.from_environment({"BOXWOOD_BATCHING": "0"}).batching == 0


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("BOXWOOD_MAX_ROW", "5", "BOXWOOD_MAX_ROW is not a setting. There are: BOXWOOD_MAX_BODY_BYTES"),
        ("BOXWOOD_MAX_ROWS", "many", "BOXWOOD_MAX_ROWS is 'many'; it takes a whole number"),
        ("BOXWOOD_MAX_ROWS", "0", "at least 1"),
        ("BOXWOOD_MAX_ROWS", "-1", "at least 1"),
    ],
)
def test_nonsense_is_refused(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment({variable: value})


def receipt(folder: Path, name: str, version: str) -> None:
    path = folder / pins.RECEIPTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"tag": f"{name}:{version}"}))


def test_packaged_models_are_pinned_by_their_receipts(tmp_path: Path) -> None:
    receipt(tmp_path, "flights", "0" * 16)
    receipt(tmp_path, "churn", "1" * 16)
    assert pins.tags("", tmp_path) == ["churn:" + "1" * 16, "flights:" + "0" * 16]
    assert pins.tags(" flights:" + "2" * 16 + ",", tmp_path) == ["flights:" + "2" * 16]


@pytest.mark.parametrize("tag", ["flights", "flights:latest", "flights:abc", "../x:0123456789abcdef"])
def test_only_exact_tags_are_served(tmp_path: Path, tag: str) -> None:
    with pytest.raises(SettingsError, match="is not an exact tag"):
        pins.tags(tag, tmp_path)


def test_a_name_stands_once_and_something_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="names a model twice"):
        pins.tags(f"a:{'0' * 16},a:{'1' * 16}", tmp_path)
    with pytest.raises(SettingsError, match="make train"):
        pins.tags("", tmp_path)
