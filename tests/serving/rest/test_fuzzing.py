"""Whatever callers send over HTTP: never a server error, and nothing but what the OpenAPI document says."""

import http.client
import json
import socket
import string
import subprocess
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import base
from serving.rest import native, platforms
from serving.tensors import NUMPY, TEXT
from tests.project import DEV, ROOT
from tests.serving.rest.test_http import EXPLAIN, PREDICT
from tests.serving.rpc.test_open_inference import INFER
from tests.strategies import ODD_VALUES, any_rows


@pytest.mark.parametrize("examples", [pytest.param(60, marks=pytest.mark.slow), 8], ids=["slow", "short"])
def test_every_operation_does_what_its_description_says(client: httpx.Client, tmp_path: Path, examples: int) -> None:
    """Schemathesis with all its checks finds nothing; what is left out stands in its file, with the reason."""
    command = [str(DEV / "schemathesis"), "--no-color", "--config-file", str(ROOT / "schemathesis.toml"), "run"]
    command += ["--checks", "all", "--continue-on-failure", "--max-examples", str(examples)]
    command += [f"{client.base_url}/docs.json"]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


CONTRACT = base.load("flights").contract
HOSTILE = [
    b"[" * 100_000,
    b'{"instances": ' + b'[{"a":' * 700,
    b'{"rows": [{"a": ' + b"[" * 300 + b"]" * 300 + b"}]}",
    b'{"instances": [{"duration_hours": 1e999, "travel_code": -' + b"9" * 5_000 + b"}]}",
    b'{"inputs": [{"name": "a", "datatype": "INT64", "shape": [' + b"9" * 4_000 + b'], "data": []}]}',
    b'{"rows": [{"cabin": NaN, "cabin": -Infinity}], "rows": [{"cabin": "\\udfff"}]}',
    '{"instances": []}'.encode("utf-16"),
    b'\xef\xbb\xbf{"instances": []}',
    b"\x1f\x8b\x08" + bytes(100),
]
json_values = st.recursive(
    ODD_VALUES | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
rows = st.lists(any_rows(CONTRACT, {}) | json_values, max_size=4)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from([column.name for column in CONTRACT.columns]) | st.text(),
        "shape": st.lists(st.integers(-2, 3), max_size=3) | st.lists(st.integers(), max_size=2) | json_values,
        "datatype": st.sampled_from([TEXT, *NUMPY]) | st.text(),
    },
    optional={
        "data": st.lists(json_values, max_size=3),
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-9, 24) | json_values}),
    },
)
documents = st.one_of(
    json_values,
    st.fixed_dictionaries({"instances": rows}),
    st.fixed_dictionaries({"rows": rows}),
    st.fixed_dictionaries(
        {"inputs": st.lists(tensors, max_size=3)},
        optional={"outputs": json_values, "parameters": json_values, "id": json_values},
    ),
).map(lambda value: json.dumps(value).encode())
bodies = documents | st.sampled_from(HOSTILE) | st.binary(max_size=99)
header_values = st.binary(max_size=40).map(lambda raw: raw.translate(None, b"\r\n\0"))
header_names = st.sampled_from(
    [
        b"content-type", b"content-encoding", b"inference-header-content-length", b"traceparent", b"accept", b"expect",
        b"origin", b"connection", b"upgrade", b"x-" + b"a" * 9_000,
    ]
)  # fmt: skip
media = st.sampled_from(
    [b"application/json", b"multipart/form-data", b"text/csv", b"application/octet-stream", b"application/vnd.x+json"]
)
headers = st.lists(
    st.tuples(st.just(b"content-type"), media)
    | st.tuples(st.just(b"inference-header-content-length"), st.integers(-5, 10**30).map(lambda size: b"%d" % size))
    | st.tuples(header_names, header_values),
    max_size=4,
)
queries = st.sampled_from(["", "?partial=true", "?partial=false", "?partial=true&partial=1"]) | st.text(
    string.ascii_letters + "%=&;?+0/\\", max_size=20
).map("?{}".format)
framings = st.sampled_from(["length", "chunked", "short", "long", "both", "none"])
POSTS = st.sampled_from([PREDICT, EXPLAIN, INFER, native.PATH, platforms.INVOCATIONS])
METHODS = st.sampled_from(["POST"] * 6 + ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])


def framed(framing: str, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers that say where a body ends, some of them wrongly, and what is sent."""
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    coded, size = (b"transfer-encoding", b"chunked"), len(body)
    return {
        "length": ([(b"content-length", b"%d" % size)], body),
        "chunked": ([coded], chunked),
        "short": ([(b"content-length", b"%d" % (size // 2))], body),
        "long": ([(b"content-length", b"%d" % (size + 9))], body),
        "both": ([coded, (b"content-length", b"%d" % size)], chunked),
        "none": ([], body),
    }[framing]


def exchange(server: httpx.Client, message: bytes, *, ends: bool) -> tuple[int, str, bytes]:
    """The status, media type and body that come back for these bytes.

    One that `ends` nowhere is followed by the end of the connection; the status is 0 if that is all that comes back.
    """
    with socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=60) as connection:
        try:
            connection.sendall(message)
            if not ends:
                connection.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(connection, method=message.split(b" ", 1)[0].decode())
            answer.begin()
            return answer.status, answer.getheader("content-type", ""), answer.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, "", b""


def check(
    server: httpx.Client, method: str, target: str, head: list[tuple[bytes, bytes]], body: bytes, *, ends: bool = True
) -> None:
    lines = [f"{method} {target} HTTP/1.1".encode(), b"host: x", *(b": ".join(pair) for pair in head)]
    status, media_type, answer = exchange(server, b"\r\n".join([*lines, b"", body]), ends=ends)
    assert status < 500, (status, answer)
    assert status or not ends
    if status >= 400 and method != "HEAD":
        assert media_type == "application/problem+json", (status, media_type, answer)
        problem = msgspec.json.decode(answer)
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        assert len(answer) < 100_000


@given(method=METHODS, path=POSTS, query=queries, head=headers, framing=framings, body=bodies)
@settings(max_examples=400)
def test_no_bytes_make_a_server_error(
    client: httpx.Client,
    method: str,
    path: str,
    query: str,
    head: list[tuple[bytes, bytes]],
    framing: str,
    body: bytes,
) -> None:
    ends, sent = framed(framing, body)
    check(client, method, path + query, [*head, *ends], sent, ends=framing != "long")


@given(inputs=st.lists(tensors, max_size=3), raw=st.binary(max_size=60), off=st.integers(-3, 3))
def test_no_raw_tensors_make_a_server_error(client: httpx.Client, inputs: Any, raw: bytes, off: int) -> None:
    document = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    size = max(0, len(document) + off)
    head = [(b"inference-header-content-length", b"%d" % size), (b"content-length", b"%d" % (len(document) + len(raw)))]
    check(client, "POST", INFER, head, document + raw)


@given(path=st.binary(max_size=30).map(lambda raw: raw.translate(None, b"\r\n\t\0 ").decode("latin-1")), head=headers)
def test_no_paths_make_a_server_error(client: httpx.Client, path: str, head: list[tuple[bytes, bytes]]) -> None:
    target = "".join(letter if letter.isascii() else f"%{ord(letter):x}" for letter in path).partition("?")[0]
    for below in ("/v1/models/", "/v2/models/flights/"):
        check(client, "GET", below + target, head, b"")


def test_everybody_is_still_answered(client: httpx.Client, row: dict[str, Any]) -> None:
    assert client.get("/readyz").status_code == 200
    assert client.post(PREDICT, json={"instances": [row]}).status_code == 200
