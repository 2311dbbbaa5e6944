"""The OpenAPI document: every route is in it, and what it says about rows and answers is so."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from model.predictor import Predictor
from tests.serving.rest.test_http import EXPLAIN, PREDICT


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Any:
    answer = client.get("/docs.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def validator(document: Any, name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_every_route_is_there(document: Any, client: httpx.Client) -> None:
    for path, methods in document["paths"].items():
        for method in methods:
            assert client.request(method, path).status_code not in (404, 405), (method, path)
    assert {PREDICT, EXPLAIN, "/v2/models/flights/infer", "/metrics", "/predict", "/readyz"} <= set(document["paths"])


def test_what_people_need_first_comes_first(document: Any) -> None:
    sections = [tag["name"] for tag in document["tags"]]
    assert sections == ["Models", "Platforms", "Service"]
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert [operation["tags"] for operation in operations] == sorted(
        (operation["tags"] for operation in operations), key=lambda tags: sections.index(*tags)
    )
    assert list(document["paths"])[:3] == [PREDICT, EXPLAIN, "/v1/models"]
    assert document["paths"]["/predict"]["post"]["tags"] == ["Platforms"]
    assert document["paths"]["/readyz"]["get"]["tags"] == ["Service"]


def test_operations_are_whole_for_generators(document: Any, client: httpx.Client) -> None:
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    assert all(one.isidentifier() for one in ids)
    assert all(operation["summary"] for operation in operations.values())
    assert "contact" not in document["info"]
    assert len(document["info"]["description"]) < 800
    assert not [schema for schema in every(document) if schema.get("type") == "array" and "items" not in schema]
    components = document["components"]["schemas"]
    for schema in every(document):
        if "$ref" in schema:
            assert schema["$ref"].removeprefix("#/components/schemas/") in components
    for (method, path), operation in operations.items():
        described = operation["responses"]["200"].get("content", {}).get("application/json", {})
        if method == "get" and described:
            name = described["schema"]["$ref"].rsplit("/", 1)[1]
            validator(document, name).validate(client.get(path).json())


def every(schema: Any) -> Iterator[dict[str, Any]]:
    """All objects inside of a document."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from every(inner)


def test_rows_are_described_by_the_contract(document: Any, predictor: Predictor, row: dict[str, Any]) -> None:
    columns = document["components"]["schemas"]["Row-flights"]["properties"]
    assert columns["cabin"]["enum"] == ["economic", "firstClass", "premium"]
    assert "enum" not in columns["agency"]
    assert columns["duration_hours"] == {
        "type": "number", "minimum": 0, "maximum": 48, "description": "Time in the air, in h", "examples": [1.75],
    }  # fmt: skip
    assert columns["travel_code"]["type"] == ["integer", "null"]
    assert columns["date"]["format"] == "date"
    assert "price" not in columns


@pytest.mark.parametrize(
    "change", [{"cabin": "roof"}, {"duration_hours": -1}, {"price": 3.0}, {"origin": None}, {"distance_km": "far"}]
)
def test_the_schema_and_the_service_give_one_verdict(
    document: Any, client: httpx.Client, row: dict[str, Any], change: dict[str, Any]
) -> None:
    rows = validator(document, "Row-flights")
    assert rows.is_valid(row)
    assert not rows.is_valid({**row, **change})
    assert client.post(PREDICT, json={"instances": [{**row, **change}]}).status_code == 422


def test_where_a_part_is_enough_rows_may_be_anything(document: Any, client: httpx.Client, row: dict[str, Any]) -> None:
    """Else a client that was generated from the document could not send the very rows that `partial` is for."""
    forms = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    whole, some, raw = (validator(document, form["$ref"].rsplit("/", 1)[1]) for form in forms)
    bad: dict[str, Any] = {"instances": [row, {**row, "cabin": "roof"}, 1]}
    assert whole.is_valid({"instances": [row]})
    assert not whole.is_valid(bad)
    assert not some.is_valid(bad)
    asked = bad | {"partial": True}
    assert some.is_valid(asked)
    assert not whole.is_valid(asked)
    assert not raw.is_valid(asked)
    assert raw.is_valid({**asked, "parameters": {"raw": True}})
    answer = client.post(PREDICT, json=asked).json()
    validator(document, "PartialPredictions").validate(answer)
    assert answer["error_count"] == 2


def test_operations_tell_how_they_may_be_refused(document: Any, client: httpx.Client) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            expected = {"200", "500", "503"} | ({"400", "408", "413", "415", "422"} if method == "post" else set())
            assert set(operation["responses"]) == expected | ({"404"} if "/models/" in path else set()), path
            for answer in operation["responses"].values():
                assert all("schema" in media for media in answer["content"].values()), path
    gone = client.get("/v2/models/yesterdays")
    assert gone.status_code == 404
    validator(document, "ProblemDetails").validate(gone.json())
    rows = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert rows["properties"]["rows"]["description"] == "At most 20000 rows; more get 413."


def test_probes_answer_as_described(document: Any, client: httpx.Client) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        answer = client.get(path)
        [media] = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] == media


def test_answers_are_as_described(document: Any, client: httpx.Client, row: dict[str, Any]) -> None:
    rows = {"instances": [row, {**row, "cabin": "roof"}]}
    good = {"instances": [row]}
    validator(document, "Predictions").validate(client.post(PREDICT, json=good).json())
    validator(document, "Explanations").validate(client.post(EXPLAIN, json=good).json())
    validator(document, "PartialPredictions").validate(client.post(f"{PREDICT}?partial=true", json=rows).json())
    validator(document, "ProblemDetails").validate(client.post(PREDICT, json=rows).json())


def test_the_page_loads_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("<!doctype html>", "").lower()
    for name in page.text.split("./static_content/")[1:]:
        assert client.get(f"/static_content/{name.split(chr(34))[0]}").status_code == 200
