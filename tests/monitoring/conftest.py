"""A folder of a project, and a bucket for whoever keeps a journal or a watch store in one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import remotes
from tests.project import ROOT


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bucket of a server that speaks S3."""
    with remotes.bucket(tmp_path_factory.mktemp("s3"), "watching") as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: it has the project's parameters, and stores of its own."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    for name in ("BOXWOOD_WATCH", "BOXWOOD_JOURNAL", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
