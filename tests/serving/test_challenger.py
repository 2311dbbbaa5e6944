"""A second version of a model: who gets its answers, who does not notice it, and what is recorded of it."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from model.predictor import Predictor, open_predictor
from model.record import CHALLENGER, EXPLORING, SHADOW
from serving.challenger import Shadows, Split
from serving.models import Models
from serving.settings import Settings
from tests import versions
from tests.generated import Generated, generated
from tests.project import DEV, Project, free_port
from tests.serving.rest.test_http import EXPLAIN, PREDICT
from tests.serving.rpc.over_grpc import infer, infer_call
from tests.serving.rpc.over_grpc import message as message_of
from tests.serving.rpc.test_open_inference import INFER
from tests.serving.test_journal import left, records, served, tensors
from tests.serving.test_journal_failures import outcomes
from tests.serving.test_versions import IMPORT
from validation.errors import SettingsError
from validation.table import Table


@pytest.fixture
def bundle(trained: Project) -> Path:
    return trained.folder / "data/flights/bundle"


@pytest.fixture(scope="module")
def two(trained: Project, narrower: Path) -> Models:
    models = Models(Settings(challenger="ab"))
    for folder in (trained.folder / "data/flights/bundle", narrower):
        models.add(folder, {})
    return models


def split(models: Models, percent: int) -> Split:
    champion, challenger = (models.find("flights", version) for version in models.versions("flights"))
    return Split(champion, challenger, percent)


def nobody() -> str:
    raise AssertionError("the address is not asked for where there are keys")


@given(code=st.integers(0, 10**12), percents=st.tuples(st.integers(1, 100), st.integers(1, 100)))
def test_a_larger_share_keeps_whom_a_smaller_one_had(two: Models, code: int, percents: tuple[int, int]) -> None:
    smaller, larger = (split(two, percent).takes([{"travel_code": code}], nobody) for percent in sorted(percents))
    assert larger or not smaller


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_caller_is_the_same_however_the_keys_come(two: Models, travel: int, user: int) -> None:
    codes = {"travel_code": travel, "user_code": user}
    expected = split(two, 50).takes([{"cabin": "premium", **codes}], nobody)
    same: list[Any] = [
        [codes, {"travel_code": 1}],
        [{name: float(code) for name, code in codes.items()}],
        [{name: str(code) for name, code in codes.items()}],
        Table({name: np.array([code, 5]) for name, code in codes.items()}, 2),
        Table({name: [float(code)] for name, code in codes.items()}, 1),
    ]
    again = split(two, 50)
    assert {again.takes(rows, nobody) for rows in same} == {expected}


def test_the_share_is_as_stated(two: Models) -> None:
    for percent in (1, 10, 50, 100):
        divided = split(two, percent)
        taken = sum(divided.takes([{"travel_code": code}], nobody) for code in range(10_000))
        deviation = (10_000 * percent / 100 * (1 - percent / 100)) ** 0.5
        assert abs(taken - 100 * percent) <= 5 * deviation


@pytest.mark.parametrize("rows", [[], [{}], [17], [{"travel_code": None, "user_code": ""}], Table({"cabin": ["x"]}, 1)])
def test_without_keys_the_address_says_who_it_is(two: Models, rows: Any) -> None:
    divided = split(two, 50)
    takes = [divided.takes(rows, functools.partial(str, address)) for address in range(1_000)]
    assert 400 < sum(takes) < 600
    assert takes == [divided.takes(rows, functools.partial(str, address)) for address in range(1_000)]


def counted(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


class Two(NamedTuple):
    """A Bento of two versions, of which half of the callers get the second."""

    client: httpx.Client
    fares: Generated
    channel: grpc.Channel
    versions: list[str]
    journal: Path


@pytest.fixture(scope="module")
def half(trained: Project, narrower: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("half")
    project = trained.copy(folder / "project")
    tags = [project.receipt()["tag"], project.run("python", "-c", IMPORT, str(narrower)).split()[-1]]
    bento, port = project.build("--arg", f"models={','.join(tags)}"), free_port()
    settings = {"BOXWOOD_CHALLENGER": "ab", "BOXWOOD_CHALLENGER_PERCENT": "50", "BOXWOOD_WORKERS": "2"}
    settings |= {"BOXWOOD_GRPC_PORT": str(port), "BOXWOOD_JOURNAL": str(folder / "journal")}
    address = f"127.0.0.1:{port}"
    with (
        project.serve(bento, folder / "elsewhere", DEV, **settings) as client,
        generated(client, address, "flights", folder) as fares,
        grpc.insecure_channel(address) as channel,
    ):
        client.headers["connection"] = "close"  # so that every request may meet another worker
        yield Two(client, fares, channel, [tag.split(":")[1] for tag in tags], folder / "journal")


def asked(half: Two, row: dict[str, Any]) -> dict[str, str]:
    """Which version answers a caller, by the protocol; of predictions with their ids after a slash."""

    def posted(path: str, body: Any) -> Any:
        answer = half.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    v1 = posted(PREDICT, {"instances": [row]})
    platform = posted("/invocations", {"dataframe_records": [row]})
    [native] = posted("/predict", {"rows": [row]})
    v2 = posted(INFER, {"inputs": tensors([row])})
    tensor = infer(half.channel, [row])
    message = half.fares.predict(half.fares.rows([row]))
    [ids] = [output["data"] for output in v2["outputs"] if output["name"] == "prediction_id"]
    [raw] = [output.contents.bytes_contents for output in tensor.outputs if output.name == "prediction_id"]
    return {
        "v1": f"{v1['model_version']}/{v1['predictions'][0]['prediction_id']}",
        "invocations": f"{platform['model_version']}/{platform['predictions'][0]['prediction_id']}",
        "native": f"{native['model_version']}/{native['prediction_id']}",
        "v2": f"{v2['model_version']}/{ids[0]}",
        "grpc": f"{tensor.model_version}/{raw[0].decode()}",
        "grpc-typed": f"{message.model_version}/{message.predictions[0].prediction_id}",
        "explained": posted(EXPLAIN, {"instances": [row]})["model_version"],
        "explained by gRPC": half.fares.explain(half.fares.rows([row])).model_version,
    }


@pytest.mark.slow
def test_a_caller_gets_one_version_by_every_protocol(half: Two, row: dict[str, Any]) -> None:
    first, second = half.versions
    described = half.client.get("/v1/models/flights").json()
    assert described["challenger"] == {"version": second, "mode": "ab", "percent": 50}
    answers = {code: asked(half, {**row, "travel_code": code}) for code in range(12)}
    by_caller = {code: {answer.partition("/")[0] for answer in of.values()} for code, of in answers.items()}
    assert {len(of) for of in by_caller.values()} == {1}, answers
    assert set.union(*by_caller.values()) == {first, second}
    challenged = [code for code, of in by_caller.items() if of == {second}]
    counts = half.client.get("/metrics").text
    for transport in ("v1", "invocations", "native", "v2", "grpc", "grpc-typed"):
        labels = {"transport": transport, "verb": "predict", "outcome": "ok"}
        assert counted(counts, "boxwood_requests_total", version=second, **labels) == len(challenged)
        assert counted(counts, "boxwood_requests_total", version=first, **labels) == 12 - len(challenged)
    roles = {
        answer.partition("/")[2]: answer.partition("/")[0] == second
        for of in answers.values()
        for answer in of.values()
    }
    for version in (first, second):
        path = f"/v1/models/flights/versions/{version}:predict"
        pinned = half.client.post(path, json={"instances": [{**row, "travel_code": challenged[0]}]}).json()
        assert pinned["model_version"] == version
        roles[pinned["predictions"][0]["prediction_id"]] = False
    del roles[""]
    while len(found := records(half.journal)) < len(roles):
        assert half.client.get("/livez").status_code == 200
    assert {record.prediction_id: record.role == CHALLENGER for record in found} == roles


@pytest.mark.slow
def test_the_first_proxy_says_who_it_is(half: Two, row: dict[str, Any]) -> None:
    def over_http(forwarded: str) -> str:
        headers = {"x-forwarded-for": forwarded} if forwarded else {}
        return str(half.client.post(PREDICT, json={"instances": [row]}, headers=headers).json()["model_version"])

    def over_grpc(forwarded: str) -> str:
        metadata = [("x-forwarded-for", forwarded)] if forwarded else []
        return str(infer_call(half.channel)(message_of([row]), metadata=metadata).model_version)

    found = []
    for place in range(20):
        same = [f"10.0.0.{place}", f"10.0.0.{place}, 10.9.9.9", f"10.0.0.{place} ,10.8.8.8"]
        found.append({ask(forwarded) for ask in (over_http, over_grpc) for forwarded in same})
    assert {len(of) for of in found} == {1}
    assert set.union(*found) == set(half.versions)
    assert len({over_http(""), over_http(""), over_grpc("")}) == 1, "a machine is one caller over HTTP and gRPC"


def test_what_the_challenger_refuses_the_champion_answers(
    bundle: Path, keyed: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        champion, challenger = (await client.get("/v1/models/flights")).json()["versions"]
        known, unknown = row, {**row, versions.KEY.name: "b-1"}
        before = counted((await client.get("/metrics")).text, "boxwood_challenger_refusals_total")
        for rows, version in (([known], challenger), ([unknown], champion), ([known, unknown], champion)):
            for partial in ("false", "true"):
                answer = await client.post(PREDICT, params={"partial": partial}, json={"instances": rows})
                assert answer.json()["model_version"] == version
                assert None not in answer.json()["predictions"]
            explained = await client.post(EXPLAIN, json={"instances": rows})
            assert explained.json()["model_version"] == version
            natively = await client.post("/predict", json={"rows": rows})
            assert {one["model_version"] for one in natively.json()} == {version}
        after = counted((await client.get("/metrics")).text, "boxwood_challenger_refusals_total")
        assert after - before == 8
        bad = await client.post(PREDICT, json={"instances": [{}]})
        assert (bad.status_code, bad.json()["errors"][0]["row"]) == (422, 0)
        partly = await client.post(PREDICT, params={"partial": "true"}, json={"instances": [{}, known]})
        assert partly.json()["model_version"] == champion

    everybody = {"BOXWOOD_CHALLENGER": "ab", "BOXWOOD_CHALLENGER_PERCENT": "100"}
    served([keyed, bundle], question, BOXWOOD_JOURNAL=str(tmp_path), **everybody)
    found = records(tmp_path)
    assert len({record.prediction_id for record in found}) == len(found)
    assert sum(record.role == CHALLENGER for record in found) == 3
    assert sum(record.role == "" for record in found) == 3 + 6 + 1


def test_what_a_challenger_answers_to_no_case_is_no_challengers(
    bundle: Path, narrower: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        for headers in ({"x-boxwood-purpose": "exploring"}, {}):
            await client.post(PREDICT, json={"instances": [row]}, headers=headers)
            await client.post("/v2/models/flights/infer", json={"inputs": tensors([row])}, headers=headers)

    everybody = {"BOXWOOD_CHALLENGER": "ab", "BOXWOOD_CHALLENGER_PERCENT": "100"}
    served([bundle, narrower], question, BOXWOOD_JOURNAL=str(tmp_path), **everybody)
    assert sorted(record.role for record in records(tmp_path)) == 2 * [CHALLENGER] + 2 * [EXPLORING]


def test_a_shadow_is_recorded_under_the_ids_of_the_answers(
    bundle: Path, narrower: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    answered: list[str] = []
    names: list[str] = []

    async def question(client: httpx.AsyncClient) -> None:
        described = (await client.get("/v1/models/flights")).json()
        names.extend(described["versions"])
        assert described["challenger"] == {"version": names[1], "mode": "shadow", "percent": 100}
        for body in ([row], [{**row, "cabin": "premium", "user_code": 5}] * 40):
            answer = (await client.post(PREDICT, json={"instances": body})).json()
            assert answer["model_version"] == names[0]
            answered.extend(one["prediction_id"] for one in answer["predictions"])
        path = f"/v1/models/flights/versions/{names[1]}:predict"
        await client.post(path, json={"instances": [row]})  # the challenger has no shadow
        await client.post(PREDICT, json={"instances": [row]}, headers={"x-boxwood-purpose": "exploring"})  # no case

    settings = {"BOXWOOD_CHALLENGER": "shadow", "BOXWOOD_JOURNAL_SECRET": "s"}
    served([bundle, narrower], question, BOXWOOD_JOURNAL=str(tmp_path), **settings)
    found = records(tmp_path)
    [explored] = [record for record in found if record.role == EXPLORING]
    found.remove(explored)
    champions = {record.prediction_id: record for record in found if record.version == names[0]}
    shadows = {record.prediction_id: record for record in found if record.role == SHADOW}
    assert len(found) == 2 * len(answered) + 1
    assert shadows.keys() == champions.keys() == set(answered)
    other = open_predictor(narrower)
    for name, shadow in shadows.items():
        champion = champions[name]
        assert (shadow.version, champion.role) == (names[1], "")
        assert (shadow.row, shadow.keys, shadow.time) == (champion.row, champion.keys, champion.time)
        assert shadow.scores == pytest.approx(other.scores(other.decode([shadow.row]).inputs)[0].tolist())
        assert shadow.scores != champion.scores
        assert shadow.prediction == champion.prediction, "it is the same booster"


def kept(champion: Predictor, challenger: Predictor, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Version and role of what is recorded where these answer rows, with the other as its shadow."""
    answered = left(champion, rows, shadow=Shadows({champion: challenger}))
    return [(record.version, record.role) for record in answered]


def test_a_shadow_may_refuse_or_fail(
    predictor: Predictor, keyed: Path, row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    champion = open_predictor(keyed)
    rows = [{**row, versions.KEY.name: "b-1"}, row]
    own, before = (champion.version, ""), outcomes()
    assert kept(champion, predictor, rows) == [own, own, (predictor.version, SHADOW)]
    assert outcomes() - before == {"written": 2}, "nobody was answered by a shadow"

    def broken(columns: Any, state: Any) -> Any:
        raise ZeroDivisionError

    problem = dataclasses.replace(predictor.problem, features=broken)
    assert kept(champion, Predictor(dataclasses.replace(predictor.model, problem=problem)), rows) == [own, own]
    assert "a shadow failed" in caplog.text


@pytest.mark.parametrize("mode", ["ab", "shadow"])
def test_there_has_to_be_a_challenger(bundle: Path, tmp_path: Path, mode: str) -> None:
    async def question(client: httpx.AsyncClient) -> None:
        raise AssertionError("it starts")

    with pytest.raises(SystemExit, match=f"BOXWOOD_CHALLENGER is {mode}, and no model here has a second version"):
        served([bundle], question, BOXWOOD_CHALLENGER=mode, BOXWOOD_JOURNAL=str(tmp_path))


def test_a_shadow_needs_a_journal() -> None:
    with pytest.raises(SettingsError, match="Set BOXWOOD_JOURNAL to a folder or to stdout as well"):
        Settings.from_environment({"BOXWOOD_CHALLENGER": "shadow"})
    with pytest.raises(SettingsError, match="it takes one of: nothing, shadow, ab"):
        Settings.from_environment({"BOXWOOD_CHALLENGER": "canary"})
