"""A service that anybody may ask says so, where others reach it."""

import socket
import subprocess

import pytest

from serving.access import exposed
from serving.settings import Settings
from tests.project import DEV, Project, free_port


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (["127.0.0.1", "::1", "localhost", "127.0.0.2", "::ffff:127.0.0.1"], None),
        (["::ffff:10.0.0.7"], "at ::ffff:10.0.0.7 may ask it"),
        (["127.0.0.1", "0.0.0.0"], "at 0.0.0.0 may ask it"),  # noqa: S104
        (["::", "10.0.0.7", "::"], "at 10.0.0.7 and :: may ask it"),
        (["host.example"], "at host.example may ask it"),
    ],
)
def test_addresses_that_others_reach(caplog: pytest.LogCaptureFixture, hosts: list[str], says: str | None) -> None:
    exposed.say(Settings(), hosts)
    assert (says in caplog.text) if says else not caplog.text
    caplog.clear()
    exposed.say(Settings(api_keys="keys.json"), hosts)
    exposed.say(Settings(tls_cert="server.crt", tls_key="server.key", tls_client_ca="clients.crt"), hosts)
    assert not caplog.text


def test_what_this_process_listens_at_is_known() -> None:
    with socket.create_server(("127.0.0.3", 0)):
        assert "127.0.0.3" in exposed.listening()


def test_a_server_says_it_when_it_starts(trained: Project, bento: str) -> None:

    command = [str(DEV / "python"), "-m", "serving.alone", "--host", "0.0.0.0", "--port", str(free_port())]  # noqa: S104
    environment = {name: value for name, value in trained.environment.items() if not name.startswith("PYTHON")}
    with subprocess.Popen(
        command,
        cwd=trained.source(bento),
        env=environment | {"BOXWOOD_GRPC_PORT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "may ask it" in line)
        finally:
            process.terminate()
    assert "Anybody who reaches this service at 0.0.0.0 may ask it" in line
