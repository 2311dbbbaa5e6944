"""SageMaker, Vertex AI, MLflow's clients and KServe's: what each asks of an image, beside V1's answers."""

from typing import Any

import httpx
import pytest

from serving import alone, port
from serving.settings import Settings
from tests.serving.rest.test_http import PREDICT, problem
from tests.serving.rest.test_http_forms import RAW
from validation.errors import SettingsError

INVOCATIONS = "/invocations"


@pytest.fixture
def rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**row, "distance_km": 100.0 * place} for place in range(1, 4)]


def in_all_forms(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = list(rows[0])
    return [
        {"instances": rows},
        {"dataframe_records": rows},
        {"dataframe_split": {"columns": names, "index": [7, 8, 9], "data": [list(row.values()) for row in rows]}},
        {"inputs": rows},
        {"inputs": {name: [row[name] for row in rows] for name in names}},
    ]


def test_each_form_gets_the_answers_and_errors_of_v1(client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    expected = client.post(PREDICT, json={"instances": rows}).json()["predictions"]
    bad = [*rows[:2], {**rows[2], "cabin": "roof"}]
    errors = problem(client.post(PREDICT, json={"instances": bad}), 422)["errors"]
    for good, wrong in zip(in_all_forms(rows), in_all_forms(bad), strict=True):
        document = client.post(INVOCATIONS, json={**good, "params": {}}).json()
        assert [one["prediction"] for one in document["predictions"]] == [one["prediction"] for one in expected]
        assert problem(client.post(INVOCATIONS, json=wrong), 422)["errors"] == errors
        for options in ({"params": {"partial": True}}, {"parameters": {"partial": True}}):
            assert client.post(INVOCATIONS, json={**wrong, **options}).json()["error_count"] == 1


def test_raw_rows_are_asked_for_as_in_v1(client: httpx.Client) -> None:
    [wanted] = client.post(f"{PREDICT}?raw=true", json={"instances": [RAW]}).json()["predictions"]
    for options in ({"params": {"raw": True}}, {"parameters": {"raw": True}}):
        [said] = client.post(INVOCATIONS, json={"dataframe_records": [RAW], **options}).json()["predictions"]
        assert said["prediction"] == wanted["prediction"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "has 0 of the forms"),
        ({"inputs": [], "instances": []}, "has 2 of the forms"),
        ({"inputs": {"a": [1], "b": []}}, "found a: 1, b: 0"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "have one name"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, "Row 1 of dataframe_split has 2 values"),
        ({"inputs": 3}, "dataframe_split"),
    ],
)
def test_bodies_of_no_form(client: httpx.Client, document: dict[str, Any], says: str) -> None:
    assert says in problem(client.post(INVOCATIONS, json=document), 400)["detail"]


def test_limits_are_those_of_v1(client: httpx.Client) -> None:
    many = Settings().max_rows + 1
    documents: list[dict[str, Any]] = [
        {"inputs": {"a": [0] * many}},
        {"dataframe_split": {"columns": [], "data": [[]] * many}},
    ]
    for document in documents:
        problem(client.post(INVOCATIONS, json=document), 413)
    problem(client.post(INVOCATIONS, content=b"a,b", headers={"content-type": "text/csv"}), 415)


def test_probes(client: httpx.Client) -> None:
    assert client.get("/ping").status_code == 200
    assert client.get("/").json()["status"] == "alive"  # as KServe's client asks V1, which accepts anything
    for accepts in ("application/json", "application/json, text/html;q=0.5"):
        assert client.get("/", headers={"accept": accepts}).json()["status"] == "alive"


@pytest.mark.parametrize(
    ("environment", "sagemaker", "expected"),
    [
        ({}, False, 3000),
        ({"PORT": "3000"}, True, 8080),
        ({"PORT": "3000", "SAGEMAKER_BIND_TO_PORT": "1234"}, True, 1234),
        ({"PORT": "3000", "AIP_HTTP_PORT": "8081"}, False, 8081),
        ({"PORT": "4000"}, False, 4000),
    ],
)
def test_the_port_is_the_platforms(environment: dict[str, str], sagemaker: bool, expected: int) -> None:
    assert alone.given_port(environment, sagemaker=sagemaker) == expected


def test_a_port_that_is_none() -> None:
    with pytest.raises(SettingsError, match="PORT=x is no port"):
        alone.given_port({"PORT": "x"}, sagemaker=False)


@pytest.mark.parametrize("text", ["0", "-1", "65536", "70000", "x", ""])
def test_a_number_that_no_port_has(text: str) -> None:
    with pytest.raises(SettingsError, match=f"--port={text} is no port: it takes a number from 1 to 65535"):
        port.number(text, "--port")


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "nosuch.invalid"])
def test_a_host_that_is_none_is_a_sentence(host: str) -> None:
    assert (port.refusal(host, 3000, "--host") or "").startswith(f"Nothing can listen on {host}:3000: ")
