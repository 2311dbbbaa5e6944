"""python -m deploy.image.proof IMAGE: runs an image as strictly as a platform may, and shows that it is what it says.

A service's golden rows are asked again over HTTP and gRPC, its labels compared with its own lineage, and every other
surface is looked at once, which is also the proof that nothing was trimmed that is imported. A page shows itself with
what it loads, its modules are imported, a table is written and read, and it ends while a visitor has it open.
"""

import argparse
import contextlib
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy import asking, golden, probes
from deploy.config import Transport
from deploy.errors import Unhealthy
from deploy.image.build import BASE, PAGE, PREFIX, SERVICE, STANDARD, working

BENTO = "/srv/boxwood/bento"
"""Its folder in the image."""
STARTS = 5
LONGEST_START = 60.0
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL on Cloud Run."""
_HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108 a container's
_SURFACES = ("/", "/docs.json", "/metrics", "/livez", "/v1/models", "/v2", "/v2/health/ready")
_OF_MODELS = ("/v1/models/{}/card", "/v1/models/{}/proto", "/v2/models/{}")
_LOADED = re.compile(r'(?:src|href)="\.?/?((?:assets|static|theme)[^"]+)"')
_IMPORTS = """
import importlib, io, pkgutil, pandas, ui
for module in pkgutil.walk_packages(ui.__path__, "ui."):
    importlib.import_module(module.name)
table = io.BytesIO()
pandas.DataFrame({"a": ["b"]}).to_parquet(table)
assert pandas.read_parquet(table).to_csv(index=False) == "a\\nb\\n"
"""


class Running(NamedTuple):
    """A container that is ready, and the seconds that it took."""

    engine: str
    container: str
    process: subprocess.Popen[bytes]
    http: httpx.Client
    grpc: str
    seconds: float

    def run(self, *command: str) -> str:
        """Run a command in the container; returns its output."""
        return _output(self.engine, "exec", self.container, *command)


def main() -> None:
    """Check an image; exits at the first check that fails."""
    parser = argparse.ArgumentParser(prog="python -m deploy.image.proof", description=__doc__.partition("\n")[0])
    parser.add_argument("image")
    parser.add_argument("--base", default=BASE, help="the image below, whose size is not counted")
    options = parser.parse_args()
    engine = working(("docker", "podman"))
    if engine is None:
        sys.exit("No image was tried: neither docker nor podman works here; buildah builds, but runs no services.")
    config = _inspect(engine, options.image)["Config"]
    user = config.get("User", "").partition(":")[0]
    _demand(user.isdecimal() and int(user) > 0, f"the user is {user!r} and not a number above 0")
    title = (config["Labels"] or {}).get(f"{STANDARD}title", "")
    _demand(title in _KINDS, f"its title is {title!r} and not one of {', '.join(_KINDS)}")
    kind = _KINDS[title]
    with running(engine, options.image, kind.ready, *kind.variables) as instance:
        _prove_health(instance)
        kind.prove(instance)
        stop(instance)
    seconds = []
    for _ in range(STARTS):
        with running(engine, options.image, kind.ready) as instance:
            seconds.append(instance.seconds)
            stop(instance)
    if subprocess.run([engine, "image", "inspect", options.base], capture_output=True, check=False).returncode:
        _output(engine, "pull", "--quiet", options.base)  # docker can build on an image that it does not list
    added = (_inspect(engine, options.image)["Size"] - _inspect(engine, options.base)["Size"]) / 1e6
    times = ", ".join(f"{value:.2f}" for value in sorted(seconds))
    print(f"image: {options.image} adds {added:.0f} MB to its base")
    print(f"image: ready in {statistics.median(seconds):.2f} s (median of {times}), read-only and without capabilities")
    _demand(added <= kind.largest, f"that is more than {kind.largest} MB")


@contextlib.contextmanager
def running(engine: str, image: str, ready: str, *variables: str) -> Iterator[Running]:
    """Run the image, hardened, and wait until it answers at `ready`; its container is always removed."""
    http, rpc = _free_ports(2)
    name = f"boxwood-{http}"
    published = [word for port in (http, rpc) for word in ("--publish", f"127.0.0.1:{port}:{port}")]
    environment = [f"--env={variable}" for variable in (f"PORT={http}", f"BOXWOOD_GRPC_PORT={rpc}", *variables)]
    command = [engine, "run", "--rm", "--name", name, *_HARDENED, *published, *environment, image]
    started = time.perf_counter()
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=30) as client,
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            while not _answers(client, ready):
                if process.poll() is not None or time.perf_counter() - started > LONGEST_START:
                    log.seek(0)
                    sys.exit(f"{image} did not become ready:\n{log.read().decode(errors='replace')}")
                time.sleep(0.02)
            yield Running(engine, name, process, client, f"127.0.0.1:{rpc}", time.perf_counter() - started)
        finally:
            subprocess.run([engine, "rm", "--force", name], capture_output=True, check=False)


def prove_service(service: Running) -> None:
    """Compare the answers of a service to its bundles and its labels."""
    names = service.http.get("/v1/models").json()["models"]
    _demand(bool(names), "it serves no model")
    for path in (*_SURFACES, *(path.format(name) for path in _OF_MODELS for name in names)):
        _fetch(service, path)
    answer = service.http.post("/predict", json={"rows": [{}]})
    _demand(answer.status_code == 200, f"POST /predict answers {answer.status_code}: {answer.text[:500]}")
    labels = _inspect(service.engine, service.container)["Config"]["Labels"]
    for name in names:
        _prove_chain(service.http.get(f"/v1/models/{name}").json()["lineage"], name, labels)
    with grpc.insecure_channel(service.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    _demand(health.status == health_pb2.HealthCheckResponse.SERVING, "gRPC's health service says that it is not")
    _prove_answers(service)


def prove_page(page: Running) -> None:
    """Open a page without a service behind it, and leave it open."""
    loaded = _LOADED.findall(_fetch(page, "/"))
    _demand(bool(loaded), "its page loads nothing")
    for path in loaded:
        _fetch(page, f"/{path}")
    page.run("python", "-c", _IMPORTS)
    visit = page.http.build_request("GET", "/gradio_api/heartbeat/proof")
    _demand(page.http.send(visit, stream=True).status_code == 200, "it does not hear that a visitor is there")


def _prove_health(instance: Running) -> None:
    """Run the image's health check as a container engine does."""
    config = _inspect(instance.engine, instance.container)["Config"]
    _demand(bool(config.get("Healthcheck")), "it has no health check")
    instance.run(*config["Healthcheck"]["Test"][1:])


def _fetch(instance: Running, path: str) -> str:
    answer = instance.http.get(path)
    _demand(answer.status_code == 200, f"GET {path} answers {answer.status_code}: {answer.text[:500]}")
    return answer.text


def _prove_answers(service: Running) -> None:
    """Send the golden rows of the bundles in the image, as a rollout will."""
    with tempfile.TemporaryDirectory() as folder:
        _output(service.engine, "cp", f"{service.container}:{BENTO}", folder)
        models = golden.read(f"{folder}/{Path(BENTO).name}").models
    transports: dict[Transport, str] = {"http": str(service.http.base_url), "grpc": f"http://{service.grpc}"}
    for transport, url in transports.items():
        with asking.api(transport, url, None) as api:
            try:
                probes.prove(api, models, f"the service over {transport}")
            except Unhealthy as error:
                _demand(False, str(error).removesuffix("."))


def stop(service: Running) -> None:
    """Ask it to end, as a platform does."""
    started = time.perf_counter()
    _output(service.engine, "kill", "--signal", "TERM", service.container)
    code = service.process.wait(60)
    _demand(code in (0, 143), f"after SIGTERM it ended with {code}")
    _demand(time.perf_counter() - started < GRACE, f"after SIGTERM it took more than {GRACE} s to end")


def _prove_chain(lineage: dict[str, Any], name: str, labels: dict[str, str]) -> None:
    labelled = {key: value for key, value in labels.items() if key.startswith(f"{PREFIX}{name}.")}
    expected = {f"{PREFIX}{name}.{link}": str(lineage[link]) for link in (key.rpartition(".")[2] for key in labelled)}
    _demand(
        labelled == expected and f"{PREFIX}{name}.model" in labelled,
        f"its labels say {labelled}, and the service {expected}",
    )
    bento = labels.get(f"{PREFIX}bento")
    _demand(bento == lineage["bento"], f"its label says {bento}, and the service {lineage['bento']}")


def _demand(holds: bool, problem: str) -> None:
    if not holds:
        sys.exit(f"The image is not what it should be: {problem}.")


def _answers(client: httpx.Client, path: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get(path).status_code == 200
    return False


def _inspect(engine: str, name: str) -> dict[str, Any]:
    """The engine's description of an image or a container."""
    done = subprocess.run([engine, "inspect", name], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{engine} has no {name} here; `make image` builds the service's, `make ui-image` the page's.")
    details: dict[str, Any] = json.loads(done.stdout)[0]
    return details


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [probe.getsockname()[1] for probe in probes]


class _Kind(NamedTuple):
    """How images of one title are run and checked, and how many MB they may add to their base."""

    ready: str
    variables: Sequence[str]
    prove: Callable[[Running], None]
    largest: int


_KINDS = {
    SERVICE: _Kind("/readyz", ("OTEL_TRACES_EXPORTER=otlp",), prove_service, 300),  # traces import the most
    PAGE: _Kind("/livez", (), prove_page, 350),
}

if __name__ == "__main__":
    main()
