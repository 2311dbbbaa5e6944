"""A folder of its own for each test."""

import shutil
from pathlib import Path

import pytest

from problems import base
from problems.parameters import PARAMS
from tests.project import ROOT


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the project's parameters, as the current one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / PARAMS, PARAMS)
    return tmp_path


@pytest.fixture
def problems(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of problems."""
    monkeypatch.setattr(base, "folder", lambda: here / "problems")
    monkeypatch.setattr(base, "names", lambda: ["flights"])
    return here / "problems"
