"""Several versions of a model on the page: each is to choose, and answers as itself."""

import asyncio
import contextlib
import html
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from serving.application import Application
from tests.project import Project
from tests.serving.test_application import behind
from tests.ui.over_http import Script
from tests.ui.pages import page_process


@contextlib.contextmanager
def listening(*bundles: Path) -> Iterator[str]:
    """The URL of a service of these bundles, the first of them with the number 7 in the registry."""
    application = Application({"BOXWOOD_GRPC_PORT": "0"})
    app = application.in_front_of(behind, lambda: {"paths": {}})
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    door = socket.create_server(("127.0.0.1", 0))  # who comes before the server waits there

    async def serve() -> None:
        for folder, labels in zip(bundles, ({"registry_version": "7"}, {}), strict=True):
            application.load(folder, labels)
        await server.serve([door])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="module")
def service(trained: Project, narrower: Path) -> Iterator[httpx.Client]:
    with listening(trained.folder / "data/flights/bundle", narrower) as url, httpx.Client(base_url=url) as client:
        yield client


def test_a_visitor_chooses_among_versions(service: httpx.Client, row: dict[str, Any], tmp_path: Path) -> None:
    first, second = service.get("/v1/models/flights").json()["versions"]
    with (
        page_process(str(service.base_url), tmp_path) as url,
        httpx.Client(base_url=url, timeout=60) as visitor,
    ):
        script = Script(visitor)
        model, version = script.choosers
        assert not model["visible"]
        assert version["visible"]
        assert version["value"] == first
        assert version["choices"] == [[f"{first}, number 7 in the registry, the default", first], [second, second]]
        for chosen in (second, first, second):
            script.choose("flights", chosen)
            place = f"/v1/models/flights/versions/{chosen}:predict"
            [said] = service.post(place, json={"instances": [row]}).json()["predictions"]
            answer, *_ = script.tell("predict", "click")
            assert f'data-value="{said["interval"]["low"]}"' in answer
            assert chosen in answer
            assert f"flights:{chosen}" in script.tell("Model", "select")[0]
        assert Script(visitor, version=second).choosers[1]["value"] == second
        for named, said in (("gone", {"version": "gone"}), ("nosuch", {"model": "nosuch"})):
            nothing = Script(visitor, **said)
            assert nothing.choosers[1]["value"] is None
            assert f"'{named}' here. Choose another." in html.unescape(nothing.failure)
