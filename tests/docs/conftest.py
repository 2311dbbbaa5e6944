"""The site as it is built: once for all tests."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

PYTHON = ROOT / ".venv-docs/bin/python"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site that was just built from this working tree."""
    assert PYTHON.exists(), "there is no environment for the site; make docs"
    folder = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        [PYTHON, "-m", "docs.site", folder], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"
