"""The KServe V1 routes of a running server: every answer and every error, as callers get them."""

import concurrent.futures
import socket
from typing import Any

import httpx
import pytest
import yaml

from model.predictor import Predictor
from serving.settings import Settings
from tests.project import Project

PREDICT = "/v1/models/flights:predict"
EXPLAIN = "/v1/models/flights:explain"
JSON = {"content-type": "application/json"}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an error answer."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= set(document) <= {"type", "title", "status", "detail", "errors"}
    assert document["status"] == status
    return document


def test_one_row(client: httpx.Client, row: dict[str, Any], predictor: Predictor) -> None:
    response = client.post(PREDICT, json={"instances": [{**row, "travel_code": 17}]})
    document = response.json()
    assert response.status_code == 200
    assert list(document) == ["model_name", "model_version", "predictions"]
    assert (document["model_name"], document["model_version"]) == ("flights", predictor.version)
    [answer] = document["predictions"]
    assert list(answer) == ["prediction", "unit", "interval", "warnings", "prediction_id", "keys"]
    assert answer["prediction"] == predictor.predict([row]).predictions[0].prediction
    assert answer["unit"] == "USD"
    assert list(answer["interval"]) == ["low", "high", "coverage"]
    assert 0 <= answer["interval"]["low"] < answer["prediction"] < answer["interval"]["high"]
    assert answer["interval"]["coverage"] == 0.9
    assert answer["keys"] == {"travel_code": 17}


def test_many_rows_in_their_order(client: httpx.Client, row: dict[str, Any], predictor: Predictor) -> None:
    rows = [{**row, "distance_km": float(distance)} for distance in range(100, 3_000, 10)]
    answers = client.post(PREDICT, json={"instances": rows}).json()["predictions"]
    assert [a["prediction"] for a in answers] == [p.prediction for p in predictor.predict(rows).predictions]
    assert len({answer["prediction_id"] for answer in answers}) == len(rows)
    assert all("keys" not in answer for answer in answers)


def test_explanations_add_up(client: httpx.Client, row: dict[str, Any], predictor: Predictor) -> None:
    document = client.post(EXPLAIN, json={"instances": [row, row]}).json()
    assert list(document) == ["model_name", "model_version", "explanations"]
    for explanation in document["explanations"]:
        assert list(explanation) == ["prediction", "space", "base_value", "contributions"]
        assert list(explanation["contributions"]) == [column.name for column in predictor.contract.inputs]
        total = explanation["base_value"] + sum(explanation["contributions"].values())
        assert total == pytest.approx(explanation["prediction"], rel=1e-6)


def test_the_model_describes_itself(client: httpx.Client, predictor: Predictor, bento: str) -> None:
    assert client.get("/v1/models").json() == {"models": ["flights"]}
    document = client.get("/v1/models/flights").json()
    assert document["ready"] is True
    assert document["version"] == predictor.version
    columns = {column["name"]: column for column in document["contract"]}
    assert set(columns["cabin"]["choices"]) == {"economic", "premium", "firstClass"}
    assert columns["distance_km"]["unit"] == "km"
    assert document["metrics"]["scores"]["model"]["rmse"]["value"] > 0
    seen = document["reference"]["columns"]
    assert document["reference"]["rows"] == document["metrics"]["splits"]["train"]
    assert set(seen) == {column.name for column in (*predictor.contract.inputs, predictor.contract.target)}
    assert sum(seen["cabin"]["shares"].values()) == pytest.approx(1)
    assert seen["price"]["deciles"] == sorted(seen["price"]["deciles"])
    assert all(type(day) is str and "2019" <= day < "2025" for day in seen["date"]["deciles"])
    assert list(document["metrics"]["importance"]["columns"])[-1] != "cabin"
    lineage = document["lineage"]
    assert lineage["model"] == f"flights:{predictor.version}"
    assert lineage["bento"] == bento
    assert lineage["registry_version"] == "1"
    assert lineage["mlflow_run"] == lineage["mlflow_run_id"]
    assert len(lineage["data_sha256"]) == 64
    assert lineage["data_source"] == "simulated"


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"instances": 3}',
        b'{"instances": {"origin": "x"}}',
        b'{"instance": []}',
        b'{"instances": [{"duration_hours": NaN}]}',
        b'{"instances": [{"duration_hours": Infinity}]}',
        b'{"instances": [{"duration_hours": 1e999}]}',
        b'{"instances": [{"origin": "\xff"}]}',
        b'{"instances": [{"origin": "\\ud800"}]}',
        b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_cannot_be_read_is_a_400(client: httpx.Client, path: str, body: bytes) -> None:
    document = problem(client.post(path, content=body, headers=JSON), 400)
    assert '{"instances": [row, …]}' in document["detail"]


def test_rows_that_break_the_contract_are_a_422(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = [row, row, row, {**row, "cabin": "busines", "distance_km": -3}, "text"]
    document = problem(client.post(PREDICT, json={"instances": rows}), 422)
    assert document["title"] == "Some rows do not satisfy the contract"
    assert document["errors"] == [
        {
            "row": 3,
            "column": "cabin",
            "message": "'busines' is not a cabin that the model knows",
            "expected": ["economic", "firstClass", "premium"],
        },
        {"row": 3, "column": "distance_km", "message": "-3 is below the minimum of 0 km"},
        {"row": 4, "column": None, "message": "'text' is not a row: a row is an object of columns"},
    ]


def test_ten_thousand_rows_of_which_one_is_bad(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = [row] * 10_000
    assert len(client.post(PREDICT, json={"instances": rows}).json()["predictions"]) == 10_000
    rows[5_000] = {**row, "duration_hours": "2"}
    document = problem(client.post(PREDICT, json={"instances": rows}), 422)
    assert [(error["row"], error["column"]) for error in document["errors"]] == [(5_000, "duration_hours")]


def test_too_much_is_a_413(client: httpx.Client, row: dict[str, Any]) -> None:
    limits = Settings()
    rows: dict[str, Any] = {"instances": [{}] * (limits.max_rows + 1)}
    document = problem(client.post(PREDICT, json=rows), 413)
    assert f"limit of {limits.max_rows} rows" in document["detail"]
    body = b" " * (limits.max_body_bytes + 1)
    assert "limit of" in problem(client.post(PREDICT, content=body, headers=JSON), 413)["detail"]
    chunks = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
    assert "limit of" in problem(client.post(PREDICT, content=chunks, headers=JSON), 413)["detail"]


def test_another_media_type_is_a_415(client: httpx.Client) -> None:
    document = problem(client.post(PREDICT, content=b"a,b\n", headers={"content-type": "text/csv"}), 415)
    assert "text/csv" in document["detail"]
    assert "application/json" in document["detail"]


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"])
def test_json_by_any_of_its_names_is_read(client: httpx.Client, row: dict[str, Any], media: str) -> None:
    body = httpx.Request("POST", "http://x", json={"instances": [row]}).content
    assert client.post(PREDICT, content=body, headers={"content-type": media}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models/trains:predict", "/v1/models/trains:explain", "/v1/models/trains"])
def test_an_unknown_model_is_a_404_with_those_there_are(client: httpx.Client, path: str) -> None:
    method = "POST" if ":" in path else "GET"
    document = problem(client.request(method, path, json={"instances": []} if ":" in path else None), 404)
    assert document["detail"] == "There is no model 'trains' here. There are: flights."


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/model", "/v1/models/flights:fly", "/v1/models/flights/x"])
def test_other_paths_are_a_404(client: httpx.Client, path: str) -> None:
    problem(client.post(path, json={}), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", PREDICT, "POST"), ("DELETE", "/v1/models", "GET, HEAD")]
)
def test_another_method_is_a_405(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    problem(response, 405)
    assert response.headers["allow"] == allowed


def test_bentoml_keeps_its_own_routes(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/docs.json", "/"):
        assert client.get(path).status_code == 200, path


def test_hostile_rows_do_not_stop_the_others(client: httpx.Client, row: dict[str, Any]) -> None:
    hostile = {"instances": [{f"column{number}": 0 for number in range(300_000)}]}
    document = problem(client.post(PREDICT, json=hostile), 422)
    assert document["detail"].startswith("300007 errors in 1 row, the first 100 errors")
    assert client.post(PREDICT, json={"instances": [row]}).status_code == 200


def test_bentomls_costs_are_off(client: httpx.Client, trained: Project, bento: str) -> None:
    folder = trained.folder / "stores/bentoml/bentos" / bento.replace(":", "/")
    config = yaml.safe_load((folder / "bento.yaml").read_text())["services"][0]["config"]
    assert config["metrics"] == {"enabled": False}


def test_a_caller_that_hangs_up_harms_nobody(client: httpx.Client, row: dict[str, Any]) -> None:
    address = (client.base_url.host, client.base_url.port or 80)
    for _ in range(5):
        with socket.create_connection(address) as half:
            half.sendall(b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert client.post(PREDICT, json={"instances": [row]}).status_code == 200


@pytest.mark.parametrize(("verb", "list_name"), [("predict", "predictions"), ("explain", "explanations")])
def test_a_part_of_a_request_can_be_answered(
    client: httpx.Client, row: dict[str, Any], verb: str, list_name: str
) -> None:
    rows = [row, {**row, "cabin": "roof"}, "no row", {**row, "distance_km": 800.0}]
    path = f"/v1/models/flights:{verb}"
    document = client.post(f"{path}?partial=true", json={"instances": rows}).json()
    assert list(document) == ["model_name", "model_version", list_name, "errors", "error_count"]
    assert [answer is None for answer in document[list_name]] == [False, True, True, False]
    assert [error["row"] for error in document["errors"]] == [1, 2]
    whole = client.post(f"{path}?partial=true", json={"instances": [rows[0], rows[3]]}).json()
    assert list(whole) == ["model_name", "model_version", list_name]
    good = [answer for answer in document[list_name] if answer is not None]
    assert [answer["prediction"] for answer in good] == [answer["prediction"] for answer in whole[list_name]]
    nothing = client.post(f"{path}?partial=true", json={"instances": rows[1:3]}).json()
    assert nothing[list_name] == [None, None]
    problem(client.post(f"{path}?partial=false", json={"instances": rows}), 422)


def test_single_rows_do_not_wait_for_a_large_request(client: httpx.Client, row: dict[str, Any]) -> None:
    url, large = client.base_url.join(PREDICT), {"instances": [row] * 20_000}
    meanwhile = 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, url, json=large, timeout=60)
        while not asked.done():
            assert client.post(PREDICT, json={"instances": [row]}).status_code == 200
            meanwhile += 1
    assert len(asked.result().json()["predictions"]) == 20_000
    assert meanwhile > 5


def test_errors_of_large_requests_name_their_rows(client: httpx.Client, row: dict[str, Any]) -> None:
    rows: list[Any] = [row] * 1_500
    for place in (0, 255, 256, 700, 1_499):
        rows[place] = {**row, "cabin": "roof"}
    document = problem(client.post(PREDICT, json={"instances": rows}), 422)
    assert [error["row"] for error in document["errors"]] == [0, 255, 256, 700, 1_499]
    answer = client.post(f"{PREDICT}?partial=true", json={"instances": rows}).json()
    assert [place for place, one in enumerate(answer["predictions"]) if one is None] == [0, 255, 256, 700, 1_499]


def test_pages_of_other_origins_may_not_ask(client: httpx.Client, row: dict[str, Any]) -> None:
    answer = client.post(PREDICT, json={"instances": [row]}, headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_explanations_carry_keys_and_warnings_too(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = [row, {**row, "agency": "Unheard Of", "distance_km": 20_000, "travel_code": 7}]
    plain, noted = client.post(EXPLAIN, json={"instances": rows}).json()["explanations"]
    assert not {"warnings", "keys"} & set(plain)
    unseen, far = noted["warnings"]
    assert unseen.startswith("agency: 'Unheard Of' was not seen in training")
    assert far.startswith("distance_km: 20000 is far outside of what training saw, ")
    assert noted["keys"] == {"travel_code": 7}
