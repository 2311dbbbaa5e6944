"""Pods without a cluster: the image's process is started, probed and stopped as the manifests say, under load."""

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml

from tests.deploy import watched
from tests.deploy.kustomized import FOLDER, containers, one, pod
from tests.deploy.pods import Pod, started
from tests.deploy.test_kubernetes import ADAPTER, RUNNING
from tests.project import Project, free_port
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import message

INFER = "/inference.GRPCInferenceService/ModelInfer"
RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
POLICY = {"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "retryPolicy": RETRY}]}
BALANCED = (("grpc.service_config", json.dumps(POLICY)),)
JSON = {"content-type": "application/json"}
Ended = Callable[[], bool]


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    """The container of the Deployment."""
    [found] = containers(one(FOLDER / "plain", "Deployment"))
    return found


@pytest.fixture
def pods(trained: Project, bento: str, container: dict[str, Any], tmp_path: Path) -> Iterator[Callable[..., Pod]]:
    """Starts pods of the Deployment, ready in the time that their startup probe gives; they end with the test."""
    with ExitStack() as running:

        def start(**more: str) -> Pod:
            log = tmp_path / f"{free_port()}.log"
            found = running.enter_context(started(container, trained.source(bento), log, **more))
            found.start()
            return found

        yield start


def on_a_kept_connection(address: str, body: bytes, ended: Ended) -> int:
    """The answers on one connection until one says that it is the last; a lost request is an error."""
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.connect()
        connection.auto_open = 0  # never another one
        answered = 0
        while True:
            assert asked(connection, body) == 200
            answered += 1
            if connection.sock is None:  # the answer said so, and the client closed it
                assert ended(), "a pod that has not been told to end keeps its connections"
                return answered


def on_new_connections(address: str, body: bytes, ended: Ended) -> int:
    """The answers on a connection each, for as long as the pod gets new connections."""
    answered = 0
    while not ended():
        with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            assert asked(connection, body) == 200
            answered += 1
    return answered


def asked(connection: http.client.HTTPConnection, body: bytes) -> int:
    """The status of an answer, which was read to its end."""
    connection.request("POST", PREDICT, body, JSON)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def balanced(targets: str, request: bytes, stopped: threading.Event) -> int:
    """The calls of a client that has the addresses of all pods, as a headless Service gives them to it."""
    answered = 0
    with grpc.insecure_channel(targets, BALANCED) as channel:
        call = channel.unary_unary(INFER)
        while not stopped.is_set():
            assert call(request, timeout=60, wait_for_ready=True)
            answered += 1
    return answered


@pytest.mark.slow
def test_a_pod_ends_under_load_without_a_lost_request(pods: Callable[..., Pod], row: dict[str, Any]) -> None:
    specification = pod(one(FOLDER / "plain", "Deployment"))
    [container] = specification["containers"]
    leaving, staying = pods(), pods()
    assert all(leaving.passes(container[probe]) for probe in ("readinessProbe", "livenessProbe"))
    body, request = json.dumps({"instances": [row]}).encode(), message([row]).SerializeToString()
    address, targets = leaving.url.removeprefix("http://"), f"ipv4:{leaving.grpc},{staying.grpc}"
    told, stopped = threading.Event(), threading.Event()
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    with ThreadPoolExecutor(12) as callers:
        since = time.monotonic()  # preStop begins: the cluster takes the pod out of its Services, some nodes late
        new = [
            callers.submit(on_new_connections, address, body, lambda: time.monotonic() > since + before)
            for _ in range(2)
        ]
        kept = [callers.submit(on_a_kept_connection, address, body, told.is_set) for _ in range(8)]
        called = [callers.submit(balanced, targets, request, stopped) for _ in range(2)]
        try:
            assert all(each.result() > 1 for each in new)
            assert leaving.passes(container["readinessProbe"])
            told.set()
            leaving.process.terminate()
            assert leaving.process.wait(specification["terminationGracePeriodSeconds"] - before) == 0
        finally:
            stopped.set()
        assert all(each.result() > 1 for each in (*kept, *called))
    assert staying.passes(container["readinessProbe"])


@pytest.mark.parametrize(("name", "kind"), RUNNING)
def test_a_process_of_the_image_passes_the_probes_of_its_manifest(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any], name: str, kind: str
) -> None:
    [container] = containers(one(FOLDER / name, kind))
    probes = [probe for probe in ("startupProbe", "readinessProbe", "livenessProbe") if probe in container]
    with started(container, trained.source(bento), tmp_path / "log") as running:
        assert not running.passes(container["readinessProbe"])
        running.start()
        assert all(running.passes(container[probe]) for probe in probes)
        assert httpx.get(f"{running.url}/v2/models/flights/ready").status_code == 200
        assert httpx.post(f"{running.url}{PREDICT}", json={"instances": [row]}).status_code == 200
        running.process.terminate()
        assert running.process.wait(30) == 0
        assert not running.passes(container["livenessProbe"])


def test_the_liveness_probe_below_knative_spares_what_is_busy(trained: Project, bento: str, tmp_path: Path) -> None:
    """Its proxy opens a connection for each request that it lets through, and keeps as many."""
    service = one(FOLDER / "kserve", "InferenceService")
    [container] = containers(service)
    most = 2 * service["spec"]["predictor"]["containerConcurrency"]
    with started(container, trained.source(bento), tmp_path / "log") as busy, ExitStack() as opened:
        busy.start()
        for _ in range(most):
            opened.enter_context(socket.create_connection(("127.0.0.1", busy.ports[3000])))
        assert busy.passes(container["livenessProbe"])


def test_the_liveness_probe_spares_what_is_busy_and_finds_what_hangs(
    pods: Callable[..., Pod], container: dict[str, Any]
) -> None:
    busy = pods(BOXWOOD_MAX_CONNECTIONS="2")
    open_ones = [socket.create_connection(("127.0.0.1", busy.ports[3000])) for _ in range(2)]
    assert not busy.passes(container["readinessProbe"])
    assert busy.passes(container["livenessProbe"])
    for each in open_ones:
        each.close()
    deadline = time.monotonic() + 60
    while not busy.passes(container["readinessProbe"]):
        assert time.monotonic() < deadline
    busy.process.send_signal(signal.SIGSTOP)
    assert not busy.passes({**container["livenessProbe"], "timeoutSeconds": 1})


@pytest.mark.slow
def test_prometheus_knows_how_many_requests_are_in_flight(
    watched_service: httpx.Client, row: dict[str, Any], tmp_path: Path
) -> None:
    [rule] = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    [series] = rule["seriesQuery"].split("{")[:1]
    query = rule["metricsQuery"]
    for place, value in (("Series", series), ("LabelMatchers", 'job="boxwood"'), ("GroupBy", "instance")):
        query = query.replace(f"<<.{place}>>", value)
    deadline = time.monotonic() + 60
    with watched.prometheus(watched_service, free_port(), tmp_path) as prometheus:
        while True:
            watched_service.post(PREDICT, json={"instances": [row]})
            answer = prometheus.get("/api/v1/query", params={"query": query}).json()
            assert answer["status"] == "success", answer
            values = [float(each["value"][1]) for each in answer["data"]["result"]]
            if any(values):
                break
            assert time.monotonic() < deadline
    assert len(values) == 1
    assert 0 < values[0] < 1, "one caller has at most one request in flight"
