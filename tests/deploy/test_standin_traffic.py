"""The stand-in's traffic: shares, tags, what is in flight when a revision loses its traffic, faults on the way."""

import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from tests.deploy.administration import Administration, target, template
from tests.deploy.standin import Image, NetworkFault, StandIn
from tests.deploy.standin import bento as image_of_bento
from tests.deploy.standin.balance import Backend, Balance
from tests.deploy.standin.faults import Faults
from tests.generated import generated, refusal
from tests.project import Project

pytestmark = pytest.mark.rollout

HERE = Path(__file__).parent
IMAGES = {
    "echo": Image((sys.executable, "-S", str(HERE / "echo_http.py")), HERE),
    "echo-grpc": Image((sys.executable, str(HERE / "echo_grpc.py")), HERE),
}
OLD, NEW = "boxwood-a", "boxwood-b"


@pytest.fixture
def cloud() -> Iterator[StandIn]:
    with StandIn(IMAGES) as started:
        yield started
        started.faults.clear()


@pytest.fixture
def admin(cloud: StandIn) -> Iterator[Administration]:
    with Administration.of(cloud.address) as connected:
        yield connected


def two(admin: Administration, image: str, percent: int) -> tuple[str, str]:
    """A service with a new revision that has some percent and a tag; its URL and the tag's."""
    admin.create("boxwood", template(image, OLD), target(OLD, 100))
    found = admin.update(
        "boxwood",
        template=template(image, NEW),
        traffic=[target(OLD, 100 - percent), target(NEW, percent, "next")],
    )
    return found.uri, found.traffic_statuses[1].uri


@given(st.lists(st.integers(0, 100), min_size=1, max_size=4).filter(lambda cuts: len(set(cuts)) == len(cuts)))
def test_shares_are_exact_over_a_hundred_requests(cuts: list[int]) -> None:
    marks = [0, *sorted(cuts), 100]
    backends = {Backend(f"r{n}", "image", 0, Faults()): marks[n + 1] - marks[n] for n in range(len(marks) - 1)}
    balance = Balance(lambda *_: None)
    balance.split(backends)
    for _ in range(100):
        with balance.request() as request:
            request.outcome = "OK"
    assert {revision: counts["OK"] for revision, counts in balance.ended().items()} == {
        backend.revision: share for backend, share in backends.items() if share
    }


def test_http_is_passed_on_as_it_is(admin: Administration, cloud: StandIn) -> None:
    uri, tagged = two(admin, "echo", 25)
    with httpx.Client(base_url=uri) as client:
        answers = [client.post("/a%20b?c=%2F", content=b"x" * 1_000) for _ in range(20)]
    assert Counter(answer.json()["K_REVISION"] for answer in answers) == {OLD: 15, NEW: 5}
    assert all(answer.headers["x-revision"] == answer.json()["K_REVISION"] for answer in answers)
    assert {answer.json()["path"] for answer in answers} == {"/a%20b?c=%2F"}
    assert {len(answer.json()["sent"]) for answer in answers} == {1_000}
    answer = httpx.post(tagged, content=b"x" * 5_000_000)
    assert (answer.json()["K_REVISION"], len(answer.json()["sent"])) == (NEW, 5_000_000)
    assert cloud.requests("boxwood") == {OLD: {"200": 15}, NEW: {"200": 5}}
    assert cloud.requests("boxwood", "next") == {NEW: {"200": 1}}
    admin.update("boxwood", traffic=[target(OLD, 100)])
    assert httpx.get(tagged).status_code == 404


def test_what_is_in_flight_ends_before_its_process(admin: Administration, cloud: StandIn) -> None:
    uri, _ = two(admin, "echo", 0)
    [started] = [event for event in cloud.events if event.kind == "started" and event.revision == OLD]
    directly = f"http://127.0.0.1:{started.detail['port']}"
    with ThreadPoolExecutor() as pool, httpx.Client(base_url=uri, timeout=60) as client:
        held = pool.submit(client.get, "/hold")
        httpx.get(f"{directly}/held", timeout=60)
        admin.update("boxwood", traffic=[target(NEW, 100)])
        assert httpx.get(uri).json()["K_REVISION"] == NEW
        assert "drained" not in [event.kind for event in cloud.events]
        httpx.get(f"{directly}/release")
        assert held.result().json()["K_REVISION"] == OLD
    events = cloud.wait(lambda events: any(event.kind == "exit" for event in events))
    kinds = [event.kind for event in events if event.revision in (OLD, "")]
    assert kinds[-5:] == ["traffic", "unrouted", "drained", "sigterm", "exit"]
    assert events[-1].detail["code"] == 0


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_who_keeps_asking_loses_a_request(admin: Administration, cloud: StandIn, image: str) -> None:
    uri, _ = two(admin, image, 0)
    enough = threading.Event()

    def ask() -> int:
        asked = 0
        address = uri.removeprefix("http://")
        with httpx.Client(base_url=uri, timeout=60) as client, grpc.insecure_channel(address) as channel:
            say = channel.unary_unary("/echo.Echo/Say")
            while not enough.is_set():
                if image == "echo":
                    client.post("/", content=b"x").raise_for_status()
                else:
                    say(b"x")
                asked += 1
        return asked

    with ThreadPoolExecutor() as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for percent in (5, 25, 100, 0, 100):
            split = [target(revision, share) for revision, share in ((OLD, 100 - percent), (NEW, percent)) if share]
            known = sum(sum(counts.values()) for counts in cloud.requests("boxwood").values())
            admin.update("boxwood", traffic=split)
            while sum(sum(counts.values()) for counts in cloud.requests("boxwood").values()) < known + 50:
                assert not any(task.done() for task in asking)
        enough.set()
        asked = sum(task.result() for task in asking)
    ended = cloud.requests("boxwood")
    good = "200" if image == "echo" else "OK"
    assert {outcome for counts in ended.values() for outcome in counts} == {good}
    assert sum(counts[good] for counts in ended.values()) == asked


def test_grpc_is_passed_on_as_it_is(admin: Administration, cloud: StandIn) -> None:
    uri, tagged = two(admin, "echo-grpc", 50)
    with (
        grpc.insecure_channel(uri.removeprefix("http://")) as channel,
        grpc.insecure_channel(tagged.removeprefix("http://")) as tag,
    ):
        said = [channel.unary_unary("/echo.Echo/Say")(b"\x00" * 3_000_000, timeout=60) for _ in range(4)]
        assert Counter(answer.split()[0].decode() for answer in said) == {OLD: 2, NEW: 2}
        answer, call = tag.unary_unary("/echo.Echo/Say").with_call(b"one", metadata=(("x-ask", "me"),))
        assert answer == f"{NEW} one".encode()
        assert ("x-asked", "me") in call.initial_metadata()
        assert {("x-revision", NEW), ("x-problem-bin", b"\x00\xff")} <= set(call.trailing_metadata())
        streamed = list(tag.stream_stream("/echo.Echo/Chat")(iter([b"one", b"two"])))
        assert streamed == [f"{NEW} one".encode(), f"{NEW} two".encode()]
        with pytest.raises(grpc.RpcError) as failed:
            tag.unary_unary("/echo.Echo/Say")(b"fail")
        assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.DATA_LOSS, "as it was told")
        assert ("x-problem-bin", b"\x00\xff") in failed.value.trailing_metadata()
        with pytest.raises(grpc.RpcError) as unknown:
            tag.unary_unary("/other/Method")(b"")
        assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
        health = health_pb2_grpc.HealthStub(tag).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert cloud.requests("boxwood", "next") == {NEW: {"OK": 3, "DATA_LOSS": 1, "UNIMPLEMENTED": 1}}


def test_faults_in_front_of_http(admin: Administration, cloud: StandIn) -> None:
    _, tagged = two(admin, "echo", 5)
    with httpx.Client(base_url=tagged) as client:
        cloud.faults.network("echo", NetworkFault(error_share=0.3, from_percent=25))
        assert {client.get("/").status_code for _ in range(10)} == {200}
        admin.update("boxwood", traffic=[target(OLD, 75), target(NEW, 25, "next")])
        assert Counter(client.get("/").status_code for _ in range(10)) == {200: 7, 500: 3}
        altered = NetworkFault(alter=lambda path, body: body.replace(b"boxwood", path.encode()))
        cloud.faults.network("echo", altered)
        assert client.get("/x").json()["K_SERVICE"] == "/x"
        cloud.faults.network("echo", NetworkFault(latency=3600))
        with pytest.raises(httpx.ReadTimeout):
            client.get("/", timeout=0.3)


def test_faults_in_front_of_grpc(admin: Administration, cloud: StandIn) -> None:
    uri = admin.create("boxwood", template("echo-grpc", OLD)).uri
    with grpc.insecure_channel(uri.removeprefix("http://")) as channel:
        say = channel.unary_unary("/echo.Echo/Say")
        cloud.faults.network("echo-grpc", NetworkFault(error_share=0.5, alter=lambda _, message: message.upper()))
        assert say(b"x") == b"BOXWOOD-A X"
        with pytest.raises(grpc.RpcError) as failed:
            say(b"x")
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


def test_closing_ends_everything_whatever_is_in_flight() -> None:
    unsent = threading.Event()
    with ThreadPoolExecutor() as pool, contextlib.ExitStack() as channels:
        with StandIn(IMAGES) as cloud, Administration.of(cloud.address) as admin:
            uri = admin.create("boxwood", template("echo", OLD)).uri
            admin.begin("boxwood", template=template("echo", NEW, REFUSES="503"))
            other = admin.create("other", template("echo-grpc")).uri
            cloud.wait(lambda events: sum(event.kind == "started" for event in events) == 3)
            started = [event.detail for event in cloud.events if event.kind == "started"]
            held = pool.submit(httpx.get, f"{uri}/hold", timeout=60)
            httpx.get(f"http://127.0.0.1:{started[0]['port']}/held", timeout=60)
            channel = channels.enter_context(grpc.insecure_channel(other.removeprefix("http://")))
            call = channel.stream_stream("/echo.Echo/Chat")(unsent.wait() for _ in range(1))
            assert call.initial_metadata()
        with pytest.raises(httpx.TransportError):
            held.result()
        with pytest.raises(grpc.RpcError):
            next(call)
        unsent.set()
    assert not [detail["pid"] for detail in started if psutil.pid_exists(detail["pid"])]


def test_revisions_are_servers_of_bentos(trained: Project, bento: str, row: dict[str, Any], tmp_path: Path) -> None:
    image = image_of_bento(trained.source(bento))
    over_grpc = {"BOXWOOD_TRANSPORT": "grpc"}
    with StandIn({"boxwood": image, "boxwood-grpc": image}) as cloud, Administration.of(cloud.address) as admin:
        uri = admin.create("boxwood", template("boxwood", OLD)).uri
        other = admin.create("boxwood-grpc", template("boxwood-grpc", **over_grpc)).uri.removeprefix("http://")
        with httpx.Client(base_url=uri, timeout=60) as client, generated(client, other, "flights", tmp_path) as fares:
            answer = client.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
            [over] = fares.predict(fares.rows([row])).predictions
            assert over.prediction == answer[0]["prediction"]
            with pytest.raises(grpc.RpcError) as refused:
                fares.predict(fares.rows([row | {"cabin": "busines"}]))
            assert refusal(refused.value)["status"] == 422
        admin.update("boxwood", template=template("boxwood", NEW), traffic=[target(NEW, 100)])
        admin.update("boxwood-grpc", template=template("boxwood-grpc", X="1", **over_grpc))
        events = cloud.wait(lambda events: sum(event.kind == "exit" for event in events) == 2)
        assert [event.detail["code"] for event in events if event.kind == "exit"] == [0, 0]
