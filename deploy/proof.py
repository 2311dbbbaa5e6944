"""python -m deploy.proof IMAGE: runs an image as strictly as a platform may, and shows that it is what it says.

Its golden rows are asked again over HTTP and gRPC, its labels compared with its own lineage, and every other surface is
looked at once, which is also the proof that nothing was trimmed that is imported.
"""

import argparse
import contextlib
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from deploy.image import BASE, PREFIX, working

STARTS = 5
LARGEST = 300
"""MB that an image may add to its base."""
LONGEST_START = 60.0
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL on Cloud Run."""
_HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108 a container's
_SURFACES = ("/", "/docs.json", "/metrics", "/livez", "/v1/models", "/v2", "/v2/health/ready")
_OF_MODELS = ("/v1/models/{}/card", "/v1/models/{}/proto", "/v2/models/{}")


class Running(NamedTuple):
    """A container that is ready, and how many seconds that took."""

    engine: str
    container: str
    process: subprocess.Popen[bytes]
    http: httpx.Client
    grpc: str
    seconds: float

    def run(self, *command: str) -> str:
        """What a command inside of it prints."""
        return _output(self.engine, "exec", self.container, *command)


def main() -> None:
    """Prove an image; exits with the first thing that is not so."""
    parser = argparse.ArgumentParser(prog="python -m deploy.proof", description=__doc__.partition("\n")[0])
    parser.add_argument("image")
    parser.add_argument("--base", default=BASE, help="the image below, whose size is not counted")
    options = parser.parse_args()
    engine = working(("docker", "podman"))
    if engine is None:
        sys.exit("No image was tried: neither docker nor podman works here; buildah builds, but runs no services.")
    config = _inspected(engine, options.image)["Config"]
    user = config.get("User", "").partition(":")[0]
    _demand(user.isdecimal() and int(user) > 0, f"the user is {user!r} and not a number above 0")
    with running(engine, options.image, "OTEL_TRACES_EXPORTER=otlp") as service:  # traces import the most
        prove(service)
        stop(service)
    seconds = []
    for _ in range(STARTS):
        with running(engine, options.image) as service:
            seconds.append(service.seconds)
            stop(service)
    if subprocess.run([engine, "image", "inspect", options.base], capture_output=True, check=False).returncode:
        _output(engine, "pull", "--quiet", options.base)  # docker builds on what it does not list
    added = (_inspected(engine, options.image)["Size"] - _inspected(engine, options.base)["Size"]) / 1e6
    told = ", ".join(f"{one:.2f}" for one in sorted(seconds))
    print(f"image: {options.image} adds {added:.0f} MB to its base")
    print(f"image: ready in {statistics.median(seconds):.2f} s (median of {told}), read-only and without capabilities")
    _demand(added <= LARGEST, f"that is more than {LARGEST} MB")


@contextlib.contextmanager
def running(engine: str, image: str, *variables: str) -> Iterator[Running]:
    """The image, hardened, from when it is ready; whatever happens, its container is removed."""
    http, rpc = _free_ports(2)
    name = f"boxwood-{http}"
    published = [word for port in (http, rpc) for word in ("--publish", f"127.0.0.1:{port}:{port}")]
    told = [f"--env={one}" for one in (f"PORT={http}", f"BOXWOOD_GRPC_PORT={rpc}", *variables)]
    command = [engine, "run", "--rm", "--name", name, *_HARDENED, *published, *told, image]
    started = time.perf_counter()
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=30) as client,
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            while not _ready(client):
                if process.poll() is not None or time.perf_counter() - started > LONGEST_START:
                    log.seek(0)
                    sys.exit(f"{image} did not become ready:\n{log.read().decode(errors='replace')}")
                time.sleep(0.02)
            yield Running(engine, name, process, client, f"127.0.0.1:{rpc}", time.perf_counter() - started)
        finally:
            subprocess.run([engine, "rm", "--force", name], capture_output=True, check=False)


def prove(service: Running) -> None:
    """Hold what a service answers against its bundles and its labels."""
    config = _inspected(service.engine, service.container)["Config"]
    _demand(bool(config.get("Healthcheck")), "it has no health check")
    service.run(*config["Healthcheck"]["Test"][1:])
    names = service.http.get("/v1/models").json()["models"]
    _demand(bool(names), "it serves no model")
    for path in (*_SURFACES, *(path.format(name) for path in _OF_MODELS for name in names)):
        answer = service.http.get(path)
        _demand(answer.status_code == 200, f"GET {path} answers {answer.status_code}: {answer.text[:500]}")
    answer = service.http.post("/predict", json={"rows": [{}]})
    _demand(answer.status_code == 200, f"POST /predict answers {answer.status_code}: {answer.text[:500]}")
    for name in names:
        described = service.http.get(f"/v1/models/{name}").json()
        _prove_chain(described["lineage"], name, config["Labels"] or {})
        bundle = f"/srv/boxwood/bento/models/{described['lineage']['model'].replace(':', '/')}"
        golden = json.loads(service.run("cat", f"{bundle}/golden.json"))
        outcome = json.loads(service.run("cat", f"{bundle}/manifest.json"))["outcome"]
        _prove_answers(f"{name} over HTTP", _over_http(service.http, name, golden["rows"]), golden, outcome)
        _prove_answers(f"{name} over gRPC", _over_grpc(service.grpc, name, golden["rows"]), golden, outcome)


def stop(service: Running) -> None:
    """Ask it to end, as a platform does."""
    began = time.perf_counter()
    _output(service.engine, "kill", "--signal", "TERM", service.container)
    code = service.process.wait(60)
    _demand(code in (0, 143), f"after SIGTERM it ended with {code}")
    _demand(time.perf_counter() - began < GRACE, f"after SIGTERM it took more than {GRACE} s to end")


def _prove_chain(lineage: dict[str, Any], name: str, labels: dict[str, str]) -> None:
    said = {key: value for key, value in labels.items() if key.startswith(f"{PREFIX}{name}.")}
    wanted = {f"{PREFIX}{name}.{link}": str(lineage[link]) for link in (key.rpartition(".")[2] for key in said)}
    _demand(said == wanted and f"{PREFIX}{name}.model" in said, f"its labels say {said}, and the service {wanted}")
    bento = labels.get(f"{PREFIX}bento")
    _demand(bento == lineage["bento"], f"its label says {bento}, and the service {lineage['bento']}")


def _over_http(client: httpx.Client, name: str, rows: Sequence[dict[str, Any]]) -> tuple[Any, Any]:
    """The predictions and the explanations of rows."""
    body = {"instances": rows}
    predicted, explained = (
        client.post(f"/v1/models/{name}:{verb}", json=body).raise_for_status() for verb in ("predict", "explain")
    )
    return predicted.json()["predictions"], explained.json()["explanations"]


def _over_grpc(address: str, name: str, rows: Sequence[dict[str, Any]]) -> tuple[Any, Any]:
    """The same by the model's own service, which the server describes by reflection."""
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        _demand(health.status == health_pb2.HealthCheckResponse.SERVING, "gRPC's health service says that it is not")
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service = pool.FindServiceByName(f"boxwood.{name}.Predictor")
        answers = {}
        for method in service.methods:
            call = channel.unary_unary(
                f"/{service.full_name}/{method.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            message = json_format.ParseDict({"rows": rows}, GetMessageClass(method.input_type)())
            answers[method.name] = json_format.MessageToDict(
                call(message, timeout=30), preserving_proto_field_name=True
            )
    return answers["Predict"]["predictions"], answers["Explain"]["explanations"]


def _prove_answers(what: str, answers: tuple[Any, Any], golden: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Scores as they were recorded: a value and its interval, or the probability of the last class."""
    predictions, explanations = answers
    for row, recorded in enumerate(
        zip(golden["scores"], golden["contributions"], predictions, explanations, strict=True)
    ):
        scores, contributions, predicted, explained = recorded
        interval = predicted.get("interval", {})
        found = (
            [predicted["probabilities"][outcome["classes"][-1]]]
            if "classes" in outcome
            else [predicted["prediction"], interval.get("low", 0.0), interval.get("high", 0.0)]
        )
        close = all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(found, scores, strict=True))
        _demand(close, f"{what}: golden row {row} is answered with {found} instead of {scores}")
        total = 1.0 + sum(map(abs, contributions.values()))
        for column, share in contributions.items():
            got = explained["contributions"].get(column, 0.0)
            _demand(abs(got - share) <= 1e-6 * total, f"{what}: golden row {row}: {column} is {got} instead of {share}")


def _demand(so: bool, otherwise: str) -> None:
    if not so:
        sys.exit(f"The image is not what it should be: {otherwise}.")


def _ready(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/readyz").status_code == 200
    return False


def _inspected(engine: str, name: str) -> dict[str, Any]:
    """What an engine knows of an image or a container."""
    done = subprocess.run([engine, "inspect", name], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{engine} has no {name} here; `make image` builds an image.")
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` failed: {done.stderr}")
    return done.stdout.strip()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [probe.getsockname()[1] for probe in probes]


if __name__ == "__main__":
    main()
