"""BentoML's own API as its callers get it: our limits and words, BentoML's answers and clients."""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from model.predictor import Predictor
from serving.rest import native
from serving.settings import Settings
from tests.serving.rest.test_http import JSON, problem

CALL = """
import bentoml, json, sys
with bentoml.SyncHTTPClient(sys.argv[1]) as client:
    print(json.dumps(client.predict(rows=json.loads(sys.argv[2]))))
"""


def test_it_answers_each_row_by_itself(client: httpx.Client, row: dict[str, Any], predictor: Predictor) -> None:
    rows = [row, {**row, "cabin": "roof"}, {**row, "agency": "Unheard Of"}]
    good, bad, odd = client.post(native.PATH, json={"rows": rows}).json()
    assert good["prediction"] == predictor.predict([row]).predictions[0].prediction
    assert good["model_version"] == predictor.version
    assert good["warnings"] == []
    assert len(odd["warnings"]) == 1
    assert list(bad) == ["errors"]
    assert [error["column"] for error in bad["errors"]] == ["cabin"]


def test_it_has_the_same_limits(client: httpx.Client) -> None:
    limits = Settings()
    body = b" " * (limits.max_body_bytes + 1)
    assert "limit of" in problem(client.post(native.PATH, content=body, headers=JSON), 413)["detail"]
    chunks = (body[start : start + 2**20] for start in range(0, len(body), 2**20))
    assert "limit of" in problem(client.post(native.PATH, content=chunks, headers=JSON), 413)["detail"]
    assert len(client.post(native.PATH, json={"rows": [{}] * limits.max_rows}).json()) == limits.max_rows
    document = problem(client.post(native.PATH, json={"rows": [{}] * (limits.max_rows + 1)}), 413)
    assert f"limit of {limits.max_rows} rows" in document["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"rows": 3}', b'{"rows": [[]]}', b'{"rows": [{"a": ' + b"[" * 500]
)
def test_it_has_our_words(client: httpx.Client, body: bytes) -> None:
    assert '{"rows": [row, …]}' in problem(client.post(native.PATH, content=body, headers=JSON), 400)["detail"]
    for media in ("multipart/form-data", "application/vnd.bentoml+pickle", "text/plain"):
        problem(client.post(native.PATH, content=body, headers={"content-type": media}), 415)
    problem(client.get(native.PATH), 405)


def test_it_takes_chunks_and_clients(client: httpx.Client, row: dict[str, Any]) -> None:
    rows = json.dumps([row])
    [answer] = client.post(native.PATH, json={"rows": [row]}).json()
    [chunked] = client.post(native.PATH, content=iter([b'{"rows": ', rows.encode(), b"}"])).json()
    command = [sys.executable, "-W", "ignore", "-c", CALL, str(client.base_url), rows]
    [called] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert answer["prediction"] == chunked["prediction"] == called["prediction"]
