"""Fixtures of the rollout tests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.deploy.standin import Image, StandIn


@pytest.fixture
def cloud_of() -> Iterator[Callable[[Mapping[str, Image]], StandIn]]:
    """Starts a stand-in for Cloud Run that knows these images; it ends with the test."""
    with ExitStack() as stack:
        yield lambda images: stack.enter_context(StandIn(images))
