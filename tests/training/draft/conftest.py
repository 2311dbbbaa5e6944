"""A folder of its own for each test."""

import shutil
from pathlib import Path

import pytest

from tests.project import ROOT
from training.workspace import PARAMS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the project's parameters, as the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / PARAMS, PARAMS)
    return tmp_path
