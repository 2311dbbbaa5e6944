"""Connections that dawdle, are too many, or leave: a worker alone with small limits, over plain sockets."""

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.project import Project
from tests.serving.test_http import EXPLAIN, PREDICT
from tests.serving.test_metrics import samples

MOST = 6
HEAD = f"POST {PREDICT} HTTP/1.1\r\nhost: boxwood\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def server(trained: Project, bento: str) -> Iterator[httpx.Client]:
    """A worker without a supervisor that has little patience."""
    limits = {"CONNECTIONS": MOST, "REQUEST_SECONDS": 1, "ANSWER_SECONDS": 1}
    variables = {f"BOXWOOD_MAX_{name}": str(limit) for name, limit in limits.items()}
    with trained.start_alone(bento, **variables) as (client, process):
        yield client
    assert process.wait() == 0


@contextlib.contextmanager
def connected(server: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=30) as connection:
        yield connection


def answers(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


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
        assert problem(answers(connection))["detail"].startswith("The request was not complete after 1 seconds")
        assert 10 < sent < 100_000


def test_a_connection_that_says_nothing_is_closed_without_a_word(server: httpx.Client) -> None:
    with connected(server) as connection:
        assert answers(connection) == b""


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


def test_what_takes_too_long_is_refused_and_given_up(server: httpx.Client, row: dict[str, Any]) -> None:
    answer = server.post(EXPLAIN, json={"instances": [row] * 20_000})
    assert answer.status_code == 503
    assert "The answer was not ready after 1 seconds" in answer.json()["detail"]
    assert samples(server)["boxwood_waiting_rows", "explain"] == 0


def test_work_for_a_caller_that_left_is_given_up(server: httpx.Client, row: dict[str, Any]) -> None:
    body = json.dumps({"instances": [row] * 20_000})
    unreadable = ("boxwood_requests_total", "v1", "explain", "unreadable")
    with connected(server) as connection:
        connection.sendall(f"{HEAD.replace('predict', 'explain')}content-length: {len(body)}\r\n\r\n{body}".encode())
        while not samples(server)["boxwood_waiting_rows", "explain"]:
            pass
    while samples(server)["boxwood_waiting_rows", "explain"]:
        pass
    assert samples(server)[unreadable] == 1
