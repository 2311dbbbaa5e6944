"""A server that tests of several files ask beside `client`."""

from collections.abc import Iterator

import httpx
import pytest

from tests.project import Project


@pytest.fixture(scope="package")
def through_asgi(trained: Project, bento: str) -> Iterator[httpx.Client]:
    """A worker that answers no request straight from its connection."""
    with trained.start_alone(bento, BOXWOOD_DIRECT="0") as (client, _):
        yield client
