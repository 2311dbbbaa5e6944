"""What HTTP's callers take for granted: HEAD, slashes, byte order marks, parameters that are somebody else's."""

from typing import Any

import httpx
import msgspec
import pytest

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


@pytest.mark.parametrize("query", ["partial=yes", "partial=true&partial=true", "partial"])
def test_other_values_of_partial_are_refused(client: httpx.Client, row: dict[str, Any], query: str) -> None:
    document = problem(client.post(f"{PREDICT}?{query}", json={"instances": [row]}), 400)
    assert "partial is either true or false" in document["detail"]


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
