"""A server that wants keys, over HTTP: who is let in, to what, how much, and what is noted of it."""

import datetime
import gzip
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.http

from serving.rest import native, platforms
from tests.project import DEV, ROOT, Project, free_port
from tests.serving.access import made
from tests.serving.access.conftest import Guarded, Opened
from tests.serving.rest.test_http import EXPLAIN, PREDICT, problem
from tests.serving.rpc.test_open_inference import INFER
from tests.serving.test_bento import refused_start

PROBES = ("/livez", "/readyz", "/healthz", "/ping", "/v2/health/live", "/v2/health/ready")
GUARDED = (
    ("GET", "/"), ("GET", "/docs"), ("GET", "/docs.json"), ("GET", "/metrics"), ("GET", "/ui"), ("GET", "/v1/models"),
    ("GET", "/v2"), ("GET", "/v1/models/flights"), ("GET", "/v1/models/flights/card"),
    ("GET", "/v1/models/flights/proto"),
    ("GET", "/v2/models/flights/ready"), ("GET", "/nothing"), ("GET", "/v1/nothing"), ("GET", "/v1/models/nothing"),
    ("POST", PREDICT), ("POST", EXPLAIN), ("POST", INFER), ("POST", native.PATH), ("POST", platforms.INVOCATIONS),
    ("POST", f"{PREDICT}/"), ("PUT", PREDICT), ("DELETE", "/v1/models/flights"), ("GET", "/schema.json"),
)  # fmt: skip
"""What wants a key; some of it is not there."""

COUNTED = (
    'boxwood_caller_requests_total{caller="predicting",outcome="ok"}',
    'boxwood_caller_rows_total{caller="predicting"}',
    'boxwood_audit_lines_total{outcome="written"}',
)

_BENTOML_ASKS = """
import json, sys, bentoml
with bentoml.SyncHTTPClient(sys.argv[1], token=sys.argv[2]) as client:
    print(json.dumps(client.predict(rows=json.loads(sys.argv[3]))))
"""


def until(found: Callable[[], Any]) -> Any:
    """What is found once it is there: threads write once in a while."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("it did not come")


@pytest.mark.parametrize("path", PROBES)
def test_probes_are_open(guarded: Guarded, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_all_else_wants_a_key(guarded: Guarded, method: str, path: str) -> None:
    refused = guarded.client.request(method, path)
    document = problem(refused, 401) if "error" not in refused.json() else refused.json()
    assert document["type"] == "urn:boxwood:unauthenticated"
    assert refused.headers["www-authenticate"] == 'Bearer realm="boxwood"'
    wrong = guarded.client.request(method, path, headers=made.bearer(guarded.keys["all"][:-1]))
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == 'Bearer realm="boxwood", error="invalid_token"'
    right = guarded.client.request(method, path, headers=made.bearer(guarded.keys["all"]))
    assert right.status_code != 401


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_is_answered(guarded: Guarded, row: dict[str, Any], header: str) -> None:
    key = guarded.keys["all"]
    headers = {header: key if header == "x-api-key" else f"Bearer {key}"}
    rows = {"instances": [row]}
    answered = guarded.client.post(PREDICT, json=rows, headers=headers)
    assert answered.status_code == 200
    assert "ratelimit" not in answered.headers


def test_bentomls_client_brings_a_key_as_its_token(guarded: Guarded, row: dict[str, Any]) -> None:
    sent = [str(guarded.client.base_url), guarded.keys["all"], json.dumps([row])]
    done = subprocess.run([DEV / "python", "-c", _BENTOML_ASKS, *sent], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["model_name"] == "flights"


def test_tritons_client_brings_a_key_as_a_header(guarded: Guarded) -> None:
    address = f"{guarded.client.base_url.host}:{guarded.client.base_url.port}"
    with tritonclient.http.InferenceServerClient(address) as client:
        metadata = client.get_model_metadata("flights", headers={"x-api-key": guarded.keys["all"]})
    assert metadata["name"] == "flights"


def test_a_key_may_do_what_it_says(guarded: Guarded, row: dict[str, Any]) -> None:
    rows = {"instances": [row]}
    predicting, elsewhere = made.bearer(guarded.keys["predicting"]), made.bearer(guarded.keys["elsewhere"])
    assert guarded.client.post(PREDICT, json=rows, headers=predicting).status_code == 200
    refused = problem(guarded.client.post(EXPLAIN, json=rows, headers=predicting), 403)
    assert (refused["type"], refused["detail"]) == (
        "urn:boxwood:forbidden", "The caller 'predicting' may not explain. It may: predict.",
    )  # fmt: skip
    for path in (PREDICT, EXPLAIN, native.PATH, platforms.INVOCATIONS):
        detail = problem(guarded.client.post(path, json=rows, headers=elsewhere), 403)["detail"]
        assert detail == "The caller 'elsewhere' may not ask the model 'flights'. It may ask: another."
    assert guarded.client.post(INFER, json={"inputs": []}, headers=elsewhere).status_code == 403
    assert guarded.client.get("/v1/models/flights/card", headers=elsewhere).status_code == 403
    assert guarded.client.get("/v1/models", headers=elsewhere).status_code == 200
    assert "has expired" in guarded.client.get("/v1/models", headers=made.bearer(guarded.keys["over"])).json()["detail"]


@pytest.mark.parametrize(
    ("key", "models"), [("all", ["flights"]), ("flights", ["flights"]), ("elsewhere", list[str]())]
)
def test_a_key_sees_the_names_of_its_own_models(guarded: Guarded, key: str, models: list[str]) -> None:
    headers = made.bearer(guarded.keys[key])
    assert guarded.client.get("/v1/models", headers=headers).json() == {"models": models}
    for path in ("/v1/models/another", "/v1/models/another/card", "/v2/models/another"):
        missing = guarded.client.get(path, headers=headers)
        assert missing.status_code == 404
        assert ("flights" in missing.text) == bool(models)


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/metrics", "/docs.json/"])
def test_a_key_of_some_models_does_not_read_what_all_are(guarded: Guarded, path: str) -> None:
    detail = problem(guarded.client.get(path, headers=made.bearer(guarded.keys["elsewhere"])), 403)["detail"]
    assert detail == "The caller 'elsewhere' may not ask the model 'flights'. It may ask: another."
    assert guarded.client.get(path, headers=made.bearer(guarded.keys["flights"])).status_code == 200


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
@pytest.mark.parametrize("path", [PREDICT, native.PATH, "/v1/models/nothing:predict"])
def test_two_keys_are_none(guarded: Guarded, row: dict[str, Any], name: str, path: str) -> None:
    sent = [f"Bearer {key}" if name == "authorization" else key for key in (guarded.keys["all"], "x")]
    for first, second in (sent, reversed(sent), (sent[0], sent[0])):
        headers = [(name, first), (name, second)]
        refused = guarded.client.post(path, json={"instances": [row], "rows": [row]}, headers=headers)
        assert "send one" in problem(refused, 401)["detail"]


def test_a_key_behind_the_body_is_none(guarded: Guarded, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    trailer = f"x-api-key: {guarded.keys['all']}\r\n\r\n"
    address = (guarded.client.base_url.host, guarded.client.base_url.port or 80)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"%b%x\r\n%b\r\n0\r\n%b" % (head.encode(), len(body), body, trailer.encode()))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")


def test_a_quota_is_told_and_kept(guarded: Guarded, row: dict[str, Any]) -> None:
    headers = made.bearer(guarded.keys["slow"])
    answered = guarded.client.post(PREDICT, json={"instances": [row] * 3}, headers=headers)
    assert answered.status_code == 200
    assert answered.headers["ratelimit-policy"] == '"second";q=3;w=3;qu="rows", "day";q=1000;w=86400;qu="rows"'
    assert answered.headers["ratelimit"].startswith('"second";r=0;t=')
    large = guarded.client.post(PREDICT, json={"instances": [row] * 4}, headers=headers)
    assert "send them in parts" in problem(large, 413)["detail"]
    refused = guarded.client.post(PREDICT, json={"instances": [row] * 3}, headers=headers)
    assert problem(refused, 429)["type"] == "urn:boxwood:quota-exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert refused.headers["ratelimit"].startswith('"second";r=')


def parts(body: bytes) -> Iterator[bytes]:
    """A body whose length is not said before."""
    yield body


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
@pytest.mark.parametrize("way", ["directly", "in parts", "compressed"])
def test_who_asks_again_too_soon_is_refused_unread(guarded: Guarded, row: dict[str, Any], path: str, way: str) -> None:
    """What is no JSON gets the answer to what was too much before it; what is shorter is read."""
    headers = {**made.bearer(guarded.keys["spent"]), "content-type": "application/json"}
    body, other = json.dumps({"instances": [row] * 5}).encode(), b"{" + 2_000 * b" "
    if way == "compressed":
        headers["content-encoding"] = "gzip"
        body, other = gzip.compress(body), b"no gzip" * 200

    def unread() -> list[httpx.Response]:
        sent = [parts(one) if way == "in parts" else one for one in (body, other)]
        told = [guarded.client.post(path, content=one, headers=headers) for one in sent]
        return told if told[1].status_code == 429 else []  # it is, if it comes within a second

    read, again = until(unread)
    assert problem(read, 429) == problem(again, 429)
    for name in ("retry-after", "ratelimit-policy", "content-type"):
        assert read.headers[name] == again.headers[name]
    assert again.headers["ratelimit"].startswith('"day";r=4;t=')
    assert guarded.client.post(path, content=b"{", headers=headers).status_code == 400
    anybody = {**headers, **made.bearer(guarded.keys["all"])}
    assert guarded.client.post(path, content=other, headers=anybody).status_code == 400


def audited(guarded: Guarded) -> list[dict[str, Any]]:
    """The lines of the audit so far."""
    files = sorted((guarded.folder / "audit").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def test_a_line_says_who_asked_what_and_how_it_ended(guarded: Guarded, row: dict[str, Any]) -> None:
    started = datetime.datetime.now(datetime.UTC)
    headers = made.bearer(guarded.keys["all"])
    paths: dict[str, dict[str, Any]] = {
        PREDICT: {"instances": [row, {}, row]}, EXPLAIN: {"instances": [row]}, native.PATH: {"rows": [row, {}]},
        platforms.INVOCATIONS: {"instances": [row]},
    }  # fmt: skip
    for place, (path, body) in enumerate(paths.items()):
        guarded.client.post(f"{path}?partial=true", json=body, headers={**headers, "x-request-id": f"told-{place}"})
    guarded.client.post(PREDICT, json={"instances": [{}]}, headers={**headers, "x-request-id": "told-4"})
    guarded.client.get("/v1/models", headers={**headers, "x-request-id": "told-5"})
    guarded.client.post(PREDICT, json={"instances": [row]}, headers={"x-request-id": "told-6"})

    def told() -> list[dict[str, Any]]:
        found = [line for line in audited(guarded) if line.get("request_id", "").startswith("told-")]
        return found if len(found) == 7 else []

    lines = until(told)
    said = [(line["caller"], line["transport"], line["verb"], line["rows"], line["outcome"]) for line in lines]
    assert said == [
        ("all", "v1", "predict", 3, "ok"), ("all", "v1", "explain", 1, "ok"), ("all", "native", "predict", 2, "ok"),
        ("all", "invocations", "predict", 1, "ok"), ("all", "v1", "predict", 1, "rows-rejected"),
        ("all", "GET /v1/models", "", 0, "ok"), ("", "v1", "predict", 0, "unauthenticated"),
    ]  # fmt: skip
    assert [len(line["prediction_ids"]) for line in lines] == [2, 0, 1, 1, 0, 0, 0]
    for line in lines:
        assert line["event"] == "request"
        assert datetime.datetime.fromisoformat(line["time"]) >= started.replace(microsecond=0)
        assert 0 <= line["seconds"] < 60
    everything = b"".join(file.read_bytes() for file in (guarded.folder / "audit").iterdir())
    for secret in (key.removeprefix(f"bxw_{named}_").encode() for named, key in guarded.keys.items()):
        assert secret not in everything
    assert row["origin"].encode() not in everything


@pytest.mark.slow
def test_schemathesis_without_a_key_gets_nothing_but_401(guarded: Guarded, tmp_path: Path) -> None:
    """And with one nothing that the document does not say."""
    document = guarded.client.get("/docs.json", headers=made.bearer(guarded.keys["all"])).json()
    assert set(document["components"]["securitySchemes"]) == {"key", "header"}
    assert document["paths"]["/readyz"]["get"]["security"] == []
    for path in PROBES:
        document["paths"].pop(path, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"] = {"401": operation["responses"]["401"]}
    (tmp_path / "docs.json").write_text(json.dumps(document))
    command = [str(DEV / "schemathesis"), "--no-color", "--config-file", str(ROOT / "schemathesis.toml"), "run"]
    command += ["--checks", "status_code_conformance", "--max-examples", "5", "--url", str(guarded.client.base_url)]
    done = subprocess.run(
        [*command, str(tmp_path / "docs.json")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_what_settings_open_is_open(opened: Opened, row: dict[str, Any]) -> None:
    for path in ("/", "/docs", "/docs.json", "/metrics"):
        assert opened.client.get(path).status_code == 200
    assert opened.client.get("/v1/models").status_code == 401
    assert opened.client.post(PREDICT, json={"instances": [row]}).status_code == 401


def test_keys_that_cannot_be_read_end_the_start(trained: Project, bento: str, tmp_path: Path) -> None:
    variables = {"BOXWOOD_API_KEYS": str(tmp_path / "none.json")}
    says = refused_start(bento, trained.folder, free_port(), variables)
    assert f"Not starting: The keys at {tmp_path / 'none.json'} cannot be read: No such file or directory." in says
