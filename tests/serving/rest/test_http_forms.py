"""What HTTP's callers take for granted: HEAD, slashes, byte order marks, parameters that are somebody else's."""

from typing import Any

import httpx
import msgspec
import pytest

from serving.settings import Settings
from tests.serving.rest.test_http import EXPLAIN, JSON, PREDICT, problem


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/models/flights", "/v1/models/flights/card", "/v1/models/flights/proto", "/v2",
     "/v2/health/ready", "/v2/models/flights", "/v2/models/flights/ready", "/docs.json", "/livez", "/readyz", "/"],
)  # fmt: skip
def test_head_and_a_trailing_slash_are_answered_like_the_path(client: httpx.Client, path: str) -> None:
    whole = client.get(path)
    assert whole.status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    if path != "/":
        assert client.get(f"{path}/").content == whole.content
        assert client.get(f"{path}/").history == []
    assert client.head("/v1/models/trains").status_code == 404


def test_posts_take_a_trailing_slash_too(client: httpx.Client, row: dict[str, Any]) -> None:
    for path in (PREDICT, EXPLAIN):
        assert client.post(f"{path}/", json={"instances": [row]}).status_code == 200
    assert client.post("/predict/", json={"rows": [row]}).status_code == 200


def test_a_byte_order_mark_is_read_over(client: httpx.Client, row: dict[str, Any]) -> None:
    for path, document in ((PREDICT, {"instances": [row]}), ("/predict", {"rows": [row]})):
        content = b"\xef\xbb\xbf" + msgspec.json.encode(document)
        assert client.post(path, content=content, headers=JSON).status_code == 200
    answer = client.post("/v2/models/flights/infer", content=b"\xef\xbb\xbf{}", headers=JSON)
    assert "missing required field `inputs`" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["partial", "raw"])
@pytest.mark.parametrize("query", ["{}=yes", "{}=true&{}=true", "{}"])
def test_other_values_of_switches_are_refused(client: httpx.Client, row: dict[str, Any], query: str, name: str) -> None:
    document = problem(client.post(f"{PREDICT}?{query.replace('{}', name)}", json={"instances": [row]}), 400)
    assert f"{name} is either true or false" in document["detail"]


RAW = {
    "from": "Recife (PE)",
    "to": " Salvador (BH)",
    "flightType": "economic",
    "agency": "CloudFy",
    "time": "1.75",
    "distance": "675.15",
    "date": "05/12/2023",
    "price": "904.12",
}
"""A row as the table of fares writes it."""


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
def test_a_row_of_the_raw_table_is_answered_as_the_row_of_a_request_that_it_is(client: httpx.Client, path: str) -> None:
    row = {
        "origin": "Recife (PE)",
        "destination": "Salvador (BH)",
        "cabin": "economic",
        "agency": "CloudFy",
        "duration_hours": 1.75,
        "distance_km": 675.15,
        "date": "2023-05-12",
    }

    def said(*rows: dict[str, Any], query: str = "", **more: Any) -> list[dict[str, Any]]:
        document = client.post(f"{path}{query}", json={"instances": [*rows], **more}).raise_for_status().json()
        answers: list[dict[str, Any]] = document.get("predictions") or document["explanations"]
        return [{**answer, "prediction_id": ""} for answer in answers]

    [wanted] = said(row)
    assert said(RAW, {**RAW, "time": 1.75}, row, query="?raw=true") == [wanted] * 3
    assert said(*[RAW] * 600, parameters={"raw": True}) == [wanted] * 600  # too many to be read and answered in a turn


def test_what_no_table_writes_is_refused_by_its_place(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = [RAW, "no row", {**RAW, "time": "long"}, {**RAW, "date": "31/31/2023"}, {"from": "Recife (PE)"}]
    document = problem(client.post(f"{PREDICT}?raw=true", json={"instances": rows}), 422)
    assert {error["row"] for error in document["errors"]} == {1, 2, 3, 4}
    assert {error["column"] for error in document["errors"] if error["row"] in (2, 3)} == {"duration_hours", "date"}
    doubled = problem(client.post(f"{PREDICT}?raw=true", json={"instances": [RAW, {**RAW, " time": 2}]}), 422)
    [error] = doubled["errors"]
    assert (error["row"], error["column"]) == (1, None)
    assert error["message"] == "'time' and ' time' are one header; send one of the two cells"
    tensors = {"inputs": [{"name": "origin", "shape": [1], "datatype": "BYTES", "data": ["x"]}]}
    answer = client.post("/v2/models/flights/infer?raw=true", json=tensors)
    assert answer.status_code == 400
    assert "Tensors are columns of the contract" in answer.json()["detail"]


def test_a_text_of_the_raw_table_is_told_from_one_that_is_none(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = [{**row, "date": text} for text in ("05/12/2023", "31/31/2023")]
    raw, none = problem(client.post(PREDICT, json={"instances": rows}), 422)["errors"]
    assert raw["message"].endswith('; send "2023-05-12", or rows as the raw table writes them with ?raw=true')
    assert none["message"].endswith("; dates are written YYYY-MM-DD")


def test_raw_rows_have_the_limits_of_others(client: httpx.Client) -> None:
    many = problem(client.post(f"{PREDICT}?raw=true", json={"instances": [RAW] * (Settings().max_rows + 1)}), 413)
    assert "above the limit" in many["detail"]


def test_a_description_says_how_raw_tables_call_its_columns(client: httpx.Client) -> None:
    columns = {column["name"]: column for column in client.get("/v1/models/flights").json()["contract"]}
    assert columns["origin"]["source"] == "from"
    assert "source" not in columns["agency"]
    assert [name for name, column in columns.items() if "parsed" in column] == ["date"]


def test_query_parameters_that_nobody_knows_are_ignored(client: httpx.Client, row: dict[str, Any]) -> None:
    assert client.post(f"{PREDICT}?utm_source=x&verbose", json={"instances": [row]}).status_code == 200
    assert client.get("/v1/models?utm_source=x").status_code == 200


@pytest.mark.parametrize("asks", [{"partial": True}, {"parameters": {"partial": True}}])
@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
def test_a_body_can_ask_for_a_part(client: httpx.Client, row: dict[str, Any], path: str, asks: dict[str, Any]) -> None:
    rows = [row, *[{**row, "cabin": "roof", "distance_km": -1}] * 80]
    document = client.post(path, json={"instances": rows, **asks}).json()
    assert len(document["errors"]) == 100
    assert document["error_count"] == 160
    problem(client.post(path, json={"instances": rows, "partial": False, "else": 1}), 422)
    problem(client.post(path, json={"instances": [], "partial": "true"}), 400)
