"""SIGTERM: what is being answered is answered, over HTTP and gRPC, and then the server ends."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.generated import generated
from tests.project import DEV, Project, free_port
from tests.serving.rest.test_http import EXPLAIN, PREDICT

ROWS = 1_000
HEAD = f"POST {EXPLAIN} HTTP/1.1\r\nhost: boxwood\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
Status = health_pb2.HealthCheckResponse


@contextlib.contextmanager
def half_sent(server: httpx.Client, body: bytes) -> Iterator[socket.socket]:
    """A connection with a request whose head has arrived, and whose body was not sent."""
    with socket.create_connection((server.base_url.host, server.base_url.port or 80), timeout=60) as connection:
        connection.sendall(f"{HEAD}content-length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        yield connection


@pytest.mark.parametrize("alone", [pytest.param(True, marks=pytest.mark.slow), False], ids=["alone", "supervised"])
def test_what_is_in_flight_is_answered(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any], alone: bool
) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables = {"BOXWOOD_GRPC_PORT": address.split(":")[1]}
    start = (
        trained.start_alone(bento, **variables)
        if alone
        else trained.start(bento, tmp_path / "elsewhere", DEV, **variables)
    )
    body = json.dumps({"instances": [row]}).encode()
    with (
        start as (server, process),
        generated(server, address, "flights", tmp_path) as fares,
        grpc.insecure_channel(address) as channel,
        half_sent(server, body) as over_http,
    ):
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watching).status == Status.SERVING
        stops = threading.Event()

        def late() -> Iterator[Any]:
            stops.wait()
            yield fares.messages.ExplainRequest(rows=fares.rows([row]) * ROWS)

        over_grpc = channel.stream_unary(
            "/boxwood.flights.Predictor/Explain",
            fares.messages.ExplainRequest.SerializeToString,
            fares.messages.ExplainResponse.FromString,
        ).future(late())
        # on the same connection, so that the call before has arrived
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        process.terminate()
        assert next(watching).status == Status.NOT_SERVING
        watching.cancel()
        over_http.sendall(body)
        assert over_http.recv(65_536).startswith(b"HTTP/1.1 200 ")
        stops.set()  # HTTP has nothing more to do, and gRPC has for longer than a worker takes to end
        assert len(over_grpc.result(timeout=60).explanations) == ROWS
        assert process.wait(10) == 0
        with pytest.raises(grpc.RpcError):
            fares.predict(fares.rows([row]))


def answers_until_the_last(server: httpx.Client, body: bytes, begun: threading.Barrier) -> int:
    """How many answers come on one connection until one says that it is the last; a lost request is an error."""
    connection = http.client.HTTPConnection(server.base_url.host, server.base_url.port or 80, timeout=60)
    connection.auto_open = 0  # never another one
    connection.connect()
    answered = 0
    while True:
        connection.request("POST", PREDICT, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        answered += 1
        if answer.getheader("connection") == "close":
            return answered
        if answered == 1:
            begun.wait()


@pytest.mark.slow
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "supervised"])
def test_connections_that_are_kept_lose_no_request(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any], alone: bool
) -> None:
    connections = 16
    begun = threading.Barrier(connections + 1)
    start = trained.start_alone(bento) if alone else trained.start(bento, tmp_path / "elsewhere")
    body = json.dumps({"instances": [row]}).encode()
    with start as (server, process), ThreadPoolExecutor(connections) as callers:
        asking = [callers.submit(answers_until_the_last, server, body, begun) for _ in range(connections)]
        begun.wait()
        process.terminate()
        assert all(each.result(timeout=60) > 1 for each in asking)
        assert process.wait(10) == 0
