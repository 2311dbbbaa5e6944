"""Fixtures of the rollout tests, and of the stack for one machine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.deploy import watched
from tests.deploy.standin import Image, StandIn
from tests.project import Project


@pytest.fixture
def cloud_of() -> Iterator[Callable[[Mapping[str, Image]], StandIn]]:
    """Starts a stand-in for Cloud Run that knows these images; it ends with the test."""
    with ExitStack() as stack:
        yield lambda images: stack.enter_context(StandIn(images))


@pytest.fixture(scope="package")
def watch_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The watch store of `watched_service`, with a verdict on flights."""
    folder = tmp_path_factory.mktemp("watch")
    watched.put(folder)
    return folder


@pytest.fixture(scope="package")
def watched_service(
    trained: Project, bento: str, watch_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a service that journals, and passes on what is in a watch store."""
    folder, journal = tmp_path_factory.mktemp("watched"), str(tmp_path_factory.mktemp("journal"))
    with trained.serve(bento, folder, BOXWOOD_JOURNAL=journal, BOXWOOD_WATCH=str(watch_store)) as client:
        yield client
