"""One process of a revision: started, probed until it is ready, and ended."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
from google.cloud import run_v2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.deploy.standin.images import Image
from tests.deploy.standin.rules import ingress
from tests.project import free_port

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")  # of the environment that the tests run in; a container sees nothing of it
_POLL_SECONDS = 0.03
_KILL_SECONDS = 10  # between SIGTERM and SIGKILL, as the platform has it


class NeverReady(Exception):
    """A process that ended before it was ready, or took too long; in the words of the platform."""


class Process:
    """A started process. `port` is where it has to listen."""

    def __init__(self, image: Image, template: run_v2.RevisionTemplate, platform: dict[str, str], log: Path) -> None:
        """Start it; `platform` is what Cloud Run itself puts into the environment."""
        self.port = free_port()
        self._container = ingress(template)
        self._log = log
        environment = {variable.name: variable.value for variable in self._container.env}
        environment |= {**platform, "PORT": str(self.port)}
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                image.command,
                cwd=image.folder,
                env=kept | image.network({**image.environment, **environment}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid

    def wait_until_ready(self, timeout: float, stopping: threading.Event) -> None:
        """Probe until it answers; raises NeverReady with the end of its log if it ends or takes longer."""
        probe = self._container.startup_probe
        if probe.period_seconds and probe.failure_threshold:
            timeout = min(timeout, probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold)
        deadline = time.monotonic() + timeout
        ask = _probe(self._container, self.port)
        while time.monotonic() < deadline and self._process.poll() is None:
            if ask():
                return
            if stopping.wait(_POLL_SECONDS):
                raise NeverReady("The stand-in is closed.")
        end = self._log.read_text(errors="replace")[-2000:]
        raise NeverReady(
            "The user-provided container failed to start and listen on the port defined provided by the "
            f"PORT={self.port} environment variable within the allocated timeout. Logs for this revision: {end}"
        )

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def wait(self) -> int:
        """Wait until it has ended, kill it if it takes too long, and return its exit code."""
        try:
            return self._process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            return self._process.wait()


def _probe(container: run_v2.Container, port: int) -> Callable[[], bool]:
    """The template's startup probe, or whether the port takes connections. Ports that it names are the container's."""
    kind = run_v2.Probe.pb(container.startup_probe).WhichOneof("probe_type")
    if kind == "http_get":
        return lambda: _answers(port, container.startup_probe.http_get.path or "/")
    if kind == "grpc":
        return lambda: _serves(port, container.startup_probe.grpc.service)
    return lambda: _listens(port)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 400
    return False


def _serves(port: int, service: str) -> bool:
    # a channel that knows of earlier attempts would wait before the next
    own = (("grpc.use_local_subchannel_pool", 1),)
    with grpc.insecure_channel(f"127.0.0.1:{port}", own) as channel, contextlib.suppress(grpc.RpcError):
        asked = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=5)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return False


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
