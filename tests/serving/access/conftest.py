"""A server that wants keys, and its keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from problems.base import Problem
from tests.project import Project, free_port
from tests.serving.access import made


class Guarded(NamedTuple):
    """A server that wants keys: a client without one, the address of gRPC, keys by their ids, and its folder."""

    client: httpx.Client
    grpc: str
    keys: dict[str, str]
    folder: Path


@pytest.fixture(scope="session")
def guarded(
    trained: Project, bento: str, flights: Problem, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    """A server with keys of all kinds, a line for each request, and a journal."""
    folder = tmp_path_factory.mktemp("guarded")
    path = folder / "keys.json"
    options = {
        "all": (),
        "predicting": ("--verbs", "predict"),
        "elsewhere": ("--models", "another"),
        "flights": ("--models", "flights", "another"),
        "slow": ("--rows-per-second", "1", "--burst-rows", "3", "--rows-per-day", "1000"),
        "slow-too": ("--rows-per-second", "1", "--burst-rows", "3"),
        "three": ("--rows-per-day", "3"),
        "spent": ("--rows-per-day", "6"),
        "over": (),
    }
    keys = {named: made.new(path, named, *given) for named, given in options.items()}
    made.run("revoke", "over", "--file", str(path))
    port = str(free_port())
    audit, journal = str(folder / "audit"), str(folder / "journal")
    with trained.serve(
        bento, folder, BOXWOOD_API_KEYS=str(path), BOXWOOD_GRPC_PORT=port, BOXWOOD_AUDIT=audit, BOXWOOD_JOURNAL=journal
    ) as client:
        rows = {"instances": [flights.contract.example()] * 2}
        client.post("/v1/models/flights:predict", json=rows, headers=made.bearer(keys["spent"])).raise_for_status()
        yield Guarded(client, f"127.0.0.1:{port}", keys, folder)


class Opened(NamedTuple):
    """A server that wants keys for asking alone: a client without one, and a key."""

    client: httpx.Client
    key: str


@pytest.fixture(scope="package")
def opened(trained: Project, bento: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A server that shows its docs and metrics to everybody."""
    path = tmp_path_factory.mktemp("opened") / "keys.json"
    key = made.new(path, "one")
    with trained.start_alone(bento, BOXWOOD_API_KEYS=str(path), BOXWOOD_OPEN_ROUTES="metrics,docs") as (client, _):
        yield Opened(client, key)
