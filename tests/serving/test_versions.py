"""Two versions of one model in one service: each answers under its own name, the first where nobody says which."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from jsonschema import Draft202012Validator

from serving import pins
from serving.application import Application
from tests import versions
from tests.generated import Generated, generated
from tests.project import Project, free_port
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call
from tests.serving.rpc.over_grpc import message as message_of
from tests.serving.test_application import behind
from validation.errors import SettingsError


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


def test_a_version_with_another_contract_is_read_by_its_own(trained: Project, keyed: Path, row: dict[str, Any]) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        first, second = (await client.get("/v1/models/flights")).json()["versions"]
        body = {"instances": [{**row, versions.KEY.name: "b-1"}]}
        for version, status in ((first, 422), (second, 200)):
            answer = await client.post(f"/v1/models/flights/versions/{version}:predict", json=body)
            assert answer.status_code == status, answer.text
        assert answer.json()["predictions"][0]["keys"] == {versions.KEY.name: "b-1"}
        columns = (await client.get(f"/v1/models/flights/versions/{second}")).json()["contract"]
        assert columns[-1]["name"] == versions.KEY.name

    ask([trained.folder / "data/flights/bundle", keyed], question)


IMPORT = """
import sys
from pathlib import Path
from training.registry import package, stores
stores.configure()
print(*(package._import(Path(folder), {}) for folder in sys.argv[1:]))
"""


class Bento(NamedTuple):
    """A served Bento of three versions: the trained one, one with narrower intervals, one with another contract."""

    client: httpx.Client
    fares: Generated
    address: str
    versions: list[str]


@pytest.fixture(scope="module")
def bento_of_three(
    trained: Project, narrower: Path, keyed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bento]:
    folder = tmp_path_factory.mktemp("three")
    project = trained.copy(folder / "project")
    tags = [project.receipt()["tag"], *project.run("python", "-c", IMPORT, str(narrower), str(keyed)).split()[-2:]]
    bento, address = project.build("--arg", f"models={','.join(tags)}"), f"127.0.0.1:{free_port()}"
    with (
        project.serve(bento, folder / "elsewhere", BOXWOOD_GRPC_PORT=address.split(":")[1]) as client,
        generated(client, address, "flights", folder) as fares,
    ):
        yield Bento(client, fares, address, [tag.split(":")[1] for tag in tags])


@pytest.mark.slow
def test_each_version_of_a_bento_answers_over_grpc(bento_of_three: Bento, row: dict[str, Any]) -> None:
    _, fares, address, (first, second, third) = bento_of_three
    asked = ["", first, second]
    answers = [fares.predict(fares.rows([row]), version=version) for version in asked]
    with pytest.raises(grpc.RpcError, match=f"no version '0' here. There are: {first}, {second}, {third}"):
        fares.predict(fares.rows([row]), version="0")
    with pytest.raises(grpc.RpcError, match=f"Version {third} has another contract than the messages of this service"):
        fares.predict(fares.rows([row]), version=third)
    inferred = []
    with grpc.insecure_channel(address) as channel:
        for version in (second, third):
            message = message_of([row])
            message.model_version = version
            inferred.append(infer_call(channel)(message).model_version)
    assert [answer.model_version for answer in answers] == [first, first, second]
    spans = [answer.predictions[0].interval for answer in answers]
    assert spans[1].high - spans[1].low == pytest.approx(2 * (spans[2].high - spans[2].low))
    assert inferred == [second, third]


@pytest.mark.slow
def test_every_version_is_described_with_its_own_rows(bento_of_three: Bento, row: dict[str, Any]) -> None:
    client, versions_there = bento_of_three.client, bento_of_three.versions
    document = client.get("/docs.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    ids = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    unnamed = {path for path in paths if path.startswith(("/v1/models/flights", "/v2/models/flights"))}
    for version in versions_there:
        place = f"models/flights/versions/{version}"
        named = {path for path in unnamed if place in path}
        assert named == {path.replace("models/flights", place) for path in unnamed if "/versions/" not in path}
        assert client.get(f"/v1/{place}").json()["version"] == version
        forms = paths[f"/v1/{place}:predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
        assert forms[0]["$ref"].endswith(f"/Instances-flights-{version}")
        body = {"instances": [{**row, versions.KEY.name: "b-1"}]}
        described = Draft202012Validator({**forms[0], "components": document["components"]})
        status = client.post(f"/v1/{place}:predict", json=body).status_code
        assert described.is_valid({"instances": [row]})
        assert described.is_valid(body) == (status == 200) == (version == versions_there[2])
    assert schemas["Row-flights"] == schemas[f"Row-flights-{versions_there[0]}"]
    assert versions.KEY.name in schemas[f"Row-flights-{versions_there[2]}"]["properties"]


def test_a_tag_twice_is_refused_and_two_versions_are_not(tmp_path: Path) -> None:
    first, second = "a:" + "0" * 16, "a:" + "1" * 16
    assert pins.tags(f"{first},{second}", tmp_path) == [first, second]
    with pytest.raises(SettingsError, match="names a version twice"):
        pins.tags(f"{first},{first}", tmp_path)
