"""Handshakes of TLS that do not end: they are ended, counted and bounded."""

import contextlib
import socket
import time
from pathlib import Path

import pytest

from serving.handshakes import DONE, Handshakes
from serving.settings import Settings
from tests.project import Project
from tests.serving.test_metrics import samples
from tests.serving.test_tls import secured
from validation.errors import Overloaded


@pytest.mark.slow
def test_a_handshake_that_does_not_end_is_ended_and_counted(trained: Project, bento: str, tmp_path: Path) -> None:
    with (
        secured(trained, bento, tmp_path, BOXWOOD_MAX_REQUEST_SECONDS="1") as service,
        contextlib.ExitStack() as opened,
    ):
        host, _, port = service.address.partition(":")
        before = time.monotonic()
        silent = [opened.enter_context(socket.create_connection((host, int(port)), timeout=50)) for _ in range(3)]
        silent[0].sendall(b"\x16\x03\x01\x02\x00\x01")  # the first bytes of a handshake, and no more
        for one in silent:
            with contextlib.suppress(ConnectionError):
                assert one.recv(1) == b""
        assert time.monotonic() - before >= 1  # each had its time
        with socket.create_connection((host, int(port)), timeout=50) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while plain.recv(65_536):
                pass
        counted = samples(service.client)
    assert counted["boxwood_tls_handshakes_total", "unfinished"] == 3
    assert counted["boxwood_tls_handshakes_total", "failed"] == 1
    assert counted["boxwood_tls_handshakes_total", "done"] >= 1


def test_no_more_handshakes_are_under_way_than_there_may_be_connections() -> None:
    handshakes = Handshakes(Settings(max_connections=2))
    handshakes.begin()
    handshakes.begin()
    with pytest.raises(Overloaded):
        handshakes.begin()
    handshakes.end(DONE)
    handshakes.begin()
