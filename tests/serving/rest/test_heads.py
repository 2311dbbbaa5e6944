"""Heads of requests: how large they may be, and what they offer and is not taken; over plain sockets."""

import json
import re
import select
import socket
from typing import Any

import httpx
import pytest

from tests.serving.rest.test_connection import HEAD, LIST, answers, connected, problem


@pytest.fixture(params=["direct", "through ASGI"])
def server(client: httpx.Client, through_asgi: httpx.Client, request: pytest.FixtureRequest) -> httpx.Client:
    return client if request.param == "direct" else through_asgi


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (f"x-long: {'a' * 60_000}\r\n", 200),
        (f"x-long: {'a' * 70_000}\r\n", 431),
        ("".join(f"x-{place}: {'a' * 1_000}\r\n" for place in range(70)), 431),
        ("a:\r\n" * 900, 200),
        ("a:\r\n" * 1_100, 431),
    ],
    ids=["a long header", "too long", "too long in parts", "many", "too many"],
)
def test_a_whole_head_has_the_same_limits_however_it_arrives(
    server: httpx.Client, row: dict[str, Any], lines: str, status: int
) -> None:
    body = json.dumps({"instances": [row]})
    request = f"{HEAD}{lines}connection: close\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
    for before in (0, 1, 3):
        with connected(server) as connection:
            connection.sendall(LIST * before + request)
            answer = answers(connection)
        told = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answer)]
        assert told[:before] == [200] * before
        assert told[before:] in ([status], [] if before and status == 431 else [status])
        if status == 431 and not before:
            assert problem(answer)["detail"].startswith("The headers have more than")


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
@pytest.mark.parametrize("apart", [False, True], ids=["in one piece", "the body later"])
def test_an_upgrade_that_is_offered_is_not_taken_and_a_body_is_no_request(
    server: httpx.Client, row: dict[str, Any], protocol: str, apart: bool
) -> None:
    """Java's client, and curl --http2, offer one with every request (RFC 9110, 7.8)."""
    offer = f"connection: upgrade, http2-settings\r\nupgrade: {protocol}\r\nhttp2-settings: AAMAAABkAAQ\r\n"
    offer += "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    last = LIST.replace(b"host", b"connection: close\r\nhost")
    for body, status in ((LIST, 400), (json.dumps({"instances": [row]}).encode(), 200)):
        head = f"{HEAD}{offer}content-length: {len(body)}\r\n\r\n".encode()
        with connected(server) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(LIST)
            assert b"flights" in connection.recv(65_536)
            connection.sendall(head if apart else head + body + last)
            if apart:
                assert not select.select([connection], [], [], 0.1)[0]
                connection.sendall(body + last)
            found = re.findall(rb"HTTP/1\.1 (\d+)", answers(connection))
        assert [int(one) for one in found] == [status, 200]
    with connected(server) as connection:
        connection.sendall(LIST.replace(b"host", offer.encode() + b"host") + last)
        assert re.findall(rb"HTTP/1\.1 (\d+)", answers(connection)) == [b"200", b"200"]


def test_a_tunnel_is_refused(server: httpx.Client) -> None:
    with connected(server) as connection:
        connection.sendall(b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: elsewhere\r\n\r\n" + LIST)
        assert problem(answers(connection))["status"] == 400
