"""Connections that dawdle, are too many, or leave: a worker alone with small limits, over plain sockets."""

import collections
import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from tests.project import Project, free_port
from tests.serving.rest.test_http import PREDICT
from tests.serving.test_metrics import samples

MOST = 6
IMAGE = "registry.example/boxwood@sha256:0123"
LIST = b"GET /v1/models HTTP/1.1\r\nhost: boxwood\r\n\r\n"
INFER = "/inference.GRPCInferenceService/ModelInfer"
HEAD = f"POST {PREDICT} HTTP/1.1\r\nhost: boxwood\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def grpc_port() -> str:
    return str(free_port())


@pytest.fixture(scope="module", params=["1", "0"], ids=["direct", "through ASGI"])
def server(trained: Project, bento: str, grpc_port: str, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A worker without a supervisor that has little patience; the port of its platform is gRPC's."""
    limits = {"CONNECTIONS": MOST, "REQUEST_SECONDS": 1}
    variables = {f"BOXWOOD_MAX_{name}": str(limit) for name, limit in limits.items()}
    variables |= {"BOXWOOD_IMAGE": IMAGE, "BOXWOOD_DIRECT": request.param}
    with trained.start_alone(bento, grpc_port=grpc_port, **variables) as (client, process):
        assert client.get("/v1/models/flights").json()["lineage"]["image"] == IMAGE
        yield client
    assert process.wait() == 0


@contextlib.contextmanager
def connected(server: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=30) as connection:
        yield connection


def answers(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    found: dict[str, Any] = json.loads(body)
    assert f" {found['status']} ".encode() in head.splitlines()[0]
    return found


@pytest.mark.parametrize(
    "start", [HEAD, f"{HEAD}content-length: 100\r\n\r\n{{", "POST /predict HTTP/1.1\r\ncontent-le"]
)
def test_a_request_that_does_not_end_is_dropped(server: httpx.Client, start: str) -> None:
    with connected(server) as connection:
        connection.sendall(start.encode())
        assert problem(answers(connection))["status"] == 408


def test_a_body_that_trickles_in_is_dropped_although_it_keeps_coming(server: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(f"{HEAD}content-length: 100000\r\n\r\n".encode())
        sent = 0
        while not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b" ")
            sent += 1
        answer = connection.recv(65_536)  # and no more: what was sent as the server closed may reset the connection
        assert problem(answer)["detail"].startswith("The request was not complete after 1 seconds")
        assert 10 < sent < 100_000


def test_a_refused_request_whose_body_does_not_end_has_one_answer(server: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(f"{HEAD.replace('json', 'csv')}content-length: 100\r\n\r\n{{".encode())
        assert problem(answers(connection))["status"] == 415


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (f"{HEAD}x-api-key: ", b"a" * 10_000),
        ("GET /", b"a" * 10_000),
        (HEAD, b"a:\r\n" * 2_000),
        (f"{HEAD}transfer-encoding: chunked\r\n\r\n1\r\n[\r\n0\r\na: ", b"a" * 10_000),
        (f"{HEAD}transfer-encoding: chunked\r\n\r\n1\r\n[\r\n0\r\n", b"a:\r\n" * 2_000),
    ],
    ids=["a header", "a path", "many headers", "a trailer", "many trailers"],
)
def test_headers_without_end_are_refused_before_they_fill_the_memory(
    server: httpx.Client, start: str, part: bytes
) -> None:
    with connected(server) as connection:
        connection.sendall(start.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):  # closed, with what was under way
            while not select.select([connection], [], [], 0.01)[0]:
                connection.sendall(part)
                sent += len(part)
        assert sent < 1_000_000
        with contextlib.suppress(ConnectionError):
            assert problem(connection.recv(65_536))["status"] in (415, 400, 431)


def test_what_follows_a_body_is_no_header(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row]}).encode()
    parts = b"%x\r\n%b\r\n0\r\nx-request-id: trailed\r\n\r\n" % (len(body), body)
    with connected(server) as connection:
        connection.sendall(f"{HEAD}transfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode() + parts)
        answer = answers(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"trailed" not in answer


def test_a_request_that_does_not_end_waits_for_the_answer_to_the_one_before(
    server: httpx.Client, row: dict[str, Any]
) -> None:
    body = json.dumps({"instances": [row] * 6_000})
    slow = f"{HEAD.replace('predict', 'explain')}content-length: {len(body)}\r\n\r\n{body}"
    with connected(server) as connection:
        connection.sendall(f"{slow}GET /".encode())
        head, _, answer = answers(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    [length] = [int(line.split()[1]) for line in head.splitlines() if line.startswith(b"content-length")]
    assert len(json.loads(answer[:length])["explanations"]) == 6_000
    # a machine that answers within the second has time to say of the other that it is too slow
    assert not answer[length:] or problem(answer[length:])["status"] == 408


def test_quick_requests_may_go_on_although_each_read_ends_in_a_part_of_one(server: httpx.Client) -> None:
    end = time.monotonic() + 1.5
    with connected(server) as connection:
        connection.sendall(LIST[:9])
        while time.monotonic() < end:
            connection.sendall(LIST[9:] + LIST[:9])
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_is_not_http_is_refused_behind_the_answers_to_what_came_before(server: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(b"\0" + LIST)
        assert problem(answers(connection))["status"] == 400
    with connected(server) as connection:
        connection.sendall(LIST + b"\0" + LIST)
        answer = answers(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1") == 1


def test_a_client_that_says_it_sends_no_more_has_its_answer(server: httpx.Client) -> None:
    for _ in range(20):
        with connected(server) as connection:
            connection.sendall(LIST)
            connection.shutdown(socket.SHUT_WR)
            assert answers(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_is_not_kept_for_bytes_that_begin_no_request(server: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(LIST)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")
        connection.sendall(b"\r\n")
        assert answers(connection) == b""


def test_a_client_that_takes_no_answers_is_dropped(server: httpx.Client) -> None:
    asked = b"GET /v1/models/flights HTTP/1.1\r\nhost: boxwood\r\n\r\n"
    size = len(server.get("/v1/models/flights").content)
    end = time.monotonic() + 60
    with connected(server) as connection:
        connection.sendall(asked * (16_000_000 // size))  # whose answers are more than sockets hold
        broken = select.poll()
        broken.register(connection, 0)
        while not broken.poll(50):
            assert time.monotonic() < end
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"\r\n")  # which breaks the connection once the server has left it


def test_a_connection_is_kept_for_requests_in_a_row_and_at_once(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row]})
    request = f"{HEAD}content-length: {len(body)}\r\n\r\n{body}".encode()
    with connected(server) as connection:
        connection.sendall(request)
        first = connection.recv(65_536)
        assert first.startswith(b"HTTP/1.1 200 OK\r\n")
        assert first.endswith(b"]}")  # whole, in one piece
        connection.sendall(request * 2 + request.replace(b"host:", b"connection: close\r\nhost:"))
        assert answers(connection).count(b"HTTP/1.1 200 OK\r\n") == 3


def test_a_client_may_wait_to_be_asked_for_its_body(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row]}).encode()
    with connected(server) as connection:
        connection.sendall(f"{HEAD}expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def test_more_connections_than_may_be_are_told_so(server: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MOST - 1):  # the fixture's client may hold one too
            held = stack.enter_context(connected(server))
            held.sendall(b"GET /livez HTTP/1.1\r\nhost: boxwood\r\n\r\n")
            assert held.recv(65_536).startswith(b"HTTP/1.1 200")
        told = []
        for _ in range(2):
            one_more = stack.enter_context(connected(server))
            one_more.sendall(b"GET /livez HTTP/1.1\r\nhost: boxwood\r\n\r\n")
            told.append(one_more.recv(65_536))
    refused = [answer for answer in told if not answer.startswith(b"HTTP/1.1 200")]
    assert refused
    assert problem(refused[0])["status"] == 503
    assert b"retry-after: 1\r\n" in refused[0]
    assert server.get("/readyz").status_code == 200


def test_a_client_that_asks_without_end_is_cut_off(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row]})
    requests = f"{HEAD}content-length: {len(body)}\r\n\r\n{body}".encode() * 100_000
    with connected(server) as connection, pytest.raises(ConnectionError):
        connection.sendall(requests)
    assert server.get("/readyz").status_code == 200


def test_answers_that_are_taken_slowly_fill_no_memory(server: httpx.Client) -> None:
    requests = f"{HEAD}content-length: 1\r\n\r\n{{".encode() * 1_000  # each is refused with more bytes than it has

    def ask_on(connection: socket.socket) -> None:
        for _ in range(80):
            connection.sendall(requests)
            connection.recv(1_000)

    with connected(server) as connection, pytest.raises((ConnectionError, TimeoutError)):
        ask_on(connection)
    assert server.get("/readyz").status_code == 200


def test_work_for_a_caller_that_left_is_given_up(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row] * 5_000})
    request = f"{HEAD.replace('predict', 'explain')}content-length: {len(body)}\r\n\r\n{body}".encode()
    left, waiting = ("boxwood_requests_total", "v1", "explain", "cancelled"), ("boxwood_waiting_rows", "explain")
    end = time.monotonic() + 60
    with connected(server) as connection:
        connection.sendall(request)
        while not samples(server)[waiting]:
            assert time.monotonic() < end
    while samples(server)[waiting]:
        assert time.monotonic() < end
    assert samples(server)[left] == 1


def test_more_calls_than_may_be_are_told_so_over_all_connections(server: httpx.Client, grpc_port: str) -> None:
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        over.wait()
        yield from ()

    with contextlib.ExitStack() as opened:
        calls = []
        for _ in range(3 * MOST):
            channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}", [("grpc.use_local_subchannel_pool", 1)])
            calls.append(opened.enter_context(channel).stream_stream(INFER)(silent(), timeout=60))
        codes = collections.Counter(call.code() for call in calls)
        over.set()
    assert codes == {
        grpc.StatusCode.INVALID_ARGUMENT: MOST,  # their messages never came
        grpc.StatusCode.RESOURCE_EXHAUSTED: 2 * MOST,
    }
