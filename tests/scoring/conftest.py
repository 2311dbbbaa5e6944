"""The bundle that scores, and a bucket for who keeps tables in one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.predictor import Predictor
from tests import remotes
from tests.project import Project
from tests.scoring import made


@pytest.fixture(scope="session")
def bundle(trained: Project) -> Path:
    """The folder of the trained project's model."""
    return trained.folder / "data/flights/bundle"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bucket of a server that speaks S3."""
    with remotes.bucket(tmp_path_factory.mktemp("s3"), "scored") as address:
        yield address


@pytest.fixture(scope="session")
def rows(predictor: Predictor) -> list[made.Row]:
    """Three thousand good rows."""
    return made.rows(predictor, 3_000)
