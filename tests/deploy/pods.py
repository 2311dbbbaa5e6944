"""A pod without a cluster: the process of the image with a manifest's environment, and its probes."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.deploy.kustomized import Resource
from tests.deploy.standin import images
from tests.project import free_port

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
OF_IMAGE = {"BENTOML_DO_NOT_TRACK": "true", "PORT": "3000"}
"""What the image sets itself, but for folders and addresses."""


class Pod(NamedTuple):
    """A process that was started as a container of a pod.

    Attributes:
        container: its specification.
        ports: where it listens on this machine, by the port in its container.
    """

    container: Resource
    process: subprocess.Popen[bytes]
    ports: Mapping[int, int]

    @property
    def url(self) -> str:
        """Where it answers over HTTP."""
        return f"http://127.0.0.1:{self.ports[3000]}"

    @property
    def grpc(self) -> str:
        """Where it answers over gRPC."""
        return f"127.0.0.1:{self.ports[50051]}"

    def passes(self, probe: Mapping[str, Any]) -> bool:
        """Whether it passes a probe, asked as kubelet asks: once, with its timeout."""
        seconds = float(probe.get("timeoutSeconds", 1))
        if "grpc" in probe:
            return self._serves(probe["grpc"], seconds)
        asked = probe["httpGet"]
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(
                f"http://127.0.0.1:{self.ports[self._number(asked['port'])]}{asked['path']}", timeout=seconds
            )
            return 200 <= answer.status_code < 400
        return False

    def start(self) -> None:
        """Wait as kubelet does: the startup probe, or the readiness probe if there is none, within its limits."""
        probe = self.container.get("startupProbe") or {**self.container["readinessProbe"], "failureThreshold": 60}
        deadline = time.monotonic() + probe["periodSeconds"] * probe["failureThreshold"]
        while not self.passes(probe):
            assert self.process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "kubelet would have killed it"

    def _number(self, port: int | str) -> int:
        named = {each["name"]: each["containerPort"] for each in self.container["ports"]}
        return port if isinstance(port, int) else named[port]

    def _serves(self, asked: Mapping[str, Any], seconds: float) -> bool:
        own = (("grpc.use_local_subchannel_pool", 1),)
        address = f"127.0.0.1:{self.ports[asked['port']]}"
        with grpc.insecure_channel(address, own) as channel, contextlib.suppress(grpc.RpcError):
            request = health_pb2.HealthCheckRequest(service=asked.get("service", ""))
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
        return False


@contextlib.contextmanager
def started(container: Resource, source: Path, log: Path, **more: str) -> Iterator[Pod]:
    """Start the image's entry point with a container's environment, in the `src` of a Bento; it ends with the block.

    Only ports differ from the manifest's, since pods have a network each and processes share one.
    """
    image = images.bento(source)
    stated = {each["name"]: each["value"] for each in container["env"]}
    ports = {3000: free_port(), 50051: free_port()}
    environment = OF_IMAGE | stated | more
    assert environment["PORT"] == "3000"
    environment |= {"PORT": str(ports[3000]), "BOXWOOD_GRPC_HOST": "127.0.0.1"}
    if environment.get("BOXWOOD_GRPC_PORT") != "0":
        environment |= {"BOXWOOD_GRPC_PORT": str(ports[50051])}
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            image.command, cwd=image.folder, env=kept | environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Pod(container, process, ports)
    finally:
        process.kill()
        process.wait()
