"""Two versions of one model in one service: each answers under its own name, the first where nobody says which."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest

from model import bundle, golden
from model.predictor import Predictor
from serving import pins
from serving.application import Application
from tests.generated import generated
from tests.project import Project, free_port
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call
from tests.serving.rpc.over_grpc import message as message_of
from tests.serving.test_application import behind
from validation.errors import SettingsError


@pytest.fixture(scope="module")
def narrower(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of another version: the same boosters with intervals of half the width."""
    opened = bundle.read(trained.folder / "data/flights/bundle")
    outcome: Any = opened.model.outcome
    model = replace(opened.model, outcome=msgspec.structs.replace(outcome, width=outcome.width / 2))
    recorded, base_values = golden.record(Predictor(model), opened.golden.rows)
    files = bundle.contents(trained.folder / "data/flights/bundle", opened.manifest)
    files[bundle.GOLDEN] = msgspec.json.encode(recorded)
    folder = tmp_path_factory.mktemp("narrower")
    bundle.write(folder, bundle.make_manifest(model, base_values, files), files)
    return folder


def width(answer: dict[str, Any]) -> float:
    interval = answer["predictions"][0]["interval"]
    return float(interval["high"] - interval["low"])


def ask(folders: list[Path], question: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Serve bundles over HTTP on an event loop of this process, and ask."""

    async def main() -> None:
        application = Application({"BOXWOOD_GRPC_PORT": "0"})
        for folder in folders:
            application.load(folder, {})
        served = httpx.ASGITransport(application.in_front_of(behind, lambda: {"paths": {}}))
        async with httpx.AsyncClient(transport=served, base_url="http://test") as client:
            await question(client)

    asyncio.run(main())


def test_each_version_answers_over_http(trained: Project, narrower: Path, row: dict[str, Any]) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        first, second = (await client.get("/v1/models/flights")).json()["versions"]
        assert (await client.get("/v1/models")).json() == {"models": ["flights"]}
        body = {"instances": [row]}
        plain = (await client.post(PREDICT, json=body)).json()
        wide, narrow = [
            (await client.post(f"/v1/models/flights/versions/{version}:predict", json=body)).json()
            for version in (first, second)
        ]
        assert [answer["model_version"] for answer in (plain, wide, narrow)] == [first, first, second]
        assert width(plain) == width(wide) == pytest.approx(2 * width(narrow))
        described = (await client.get(f"/v1/models/flights/versions/{second}")).json()
        assert (described["version"], described["versions"]) == (second, [first, second])
        kinds = {str: "BYTES", float: "FP64"}
        tensors = [
            {"name": name, "shape": [1], "datatype": kinds[type(value)], "data": [value]} for name, value in row.items()
        ]
        inferred = await client.post(f"/v2/models/flights/versions/{second}/infer", json={"inputs": tensors})
        assert inferred.json()["model_version"] == second
        assert (await client.get("/v2/models/flights")).json()["versions"] == [first, second]
        unknown = (await client.post("/v1/models/flights/versions/0:predict", json=body)).json()
        assert unknown["detail"] == f"There is no version '0' of 'flights' here. There are: {first}, {second}."

    ask([trained.folder / "data/flights/bundle", narrower], question)


_IMPORT = """
import sys
from pathlib import Path
from training.registry import package, stores
stores.configure()
print(package._import(Path(sys.argv[1]), {}))
"""


def test_each_version_of_a_bento_answers_over_grpc(
    trained: Project, narrower: Path, row: dict[str, Any], tmp_path: Path
) -> None:
    project = trained.copy(tmp_path / "project")
    first, second = project.receipt()["tag"], project.run("python", "-c", _IMPORT, str(narrower)).split()[-1]
    bento, port = project.build("--arg", f"models={first},{second}"), free_port()
    with (
        project.serve(bento, tmp_path / "elsewhere", BOXWOOD_GRPC_PORT=str(port)) as client,
        generated(client, f"127.0.0.1:{port}", "flights", tmp_path) as fares,
    ):
        versions = ["", *(tag.split(":")[1] for tag in (first, second))]
        answers = [fares.predict(fares.rows([row]), version=version) for version in versions]
        with pytest.raises(grpc.RpcError, match=f"no version '0' here. There are: {versions[1]}, {versions[2]}"):
            fares.predict(fares.rows([row]), version="0")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            message = message_of([row])
            message.model_version = versions[2]
            inferred = infer_call(channel)(message)
    assert [answer.model_version for answer in answers] == [versions[1], *versions[1:]]
    spans = [answer.predictions[0].interval for answer in answers]
    assert spans[1].high - spans[1].low == pytest.approx(2 * (spans[2].high - spans[2].low))
    assert inferred.model_version == versions[2]


def test_a_tag_twice_is_refused_and_two_versions_are_not(tmp_path: Path) -> None:
    first, second = "a:" + "0" * 16, "a:" + "1" * 16
    assert pins.tags(f"{first},{second}", tmp_path) == [first, second]
    with pytest.raises(SettingsError, match="names a version twice"):
        pins.tags(f"{first},{first}", tmp_path)
