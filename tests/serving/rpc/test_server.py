"""gRPC below the protocol's clients: messages that are none, errors that are long, callers that hang up."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from serving.settings import Settings
from serving.tensors import NUMPY, TEXT
from tests.project import DEV, Project, free_port
from tests.serving.rpc.over_grpc import message
from tests.serving.test_bento import refused_start
from tests.serving.test_metrics import samples

SERVICE = "/inference.GRPCInferenceService"
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")


@pytest.fixture
def channel(client: httpx.Client, grpc_address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(grpc_address) as connected:
        yield connected


def refused(channel: grpc.Channel, method: str, sent: bytes) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """How a call with these bytes for a message ends, and the problem details beside that."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}/{method}")(sent, timeout=60)
    found = dict(caught.value.trailing_metadata())
    return caught.value.code(), msgspec.json.decode(found["problem-details-bin"]) if found else {}


@pytest.mark.parametrize("method", METHODS)
def test_bytes_that_are_no_message_are_the_callers_mistake(channel: grpc.Channel, method: str) -> None:
    code, problem = refused(channel, method, b"\xff\xff\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert problem["title"] == "The request cannot be read"


def columns(*names: str, rows: int) -> bytes:
    """A request with long texts in columns of these names."""
    request = pb.ModelInferRequest(model_name="flights")
    for name in names:
        tensor = request.inputs.add(name=name, datatype="BYTES", shape=[rows])
        tensor.contents.bytes_contents.extend([("𝓧" * 70).encode()] * rows)
    message: bytes = request.SerializeToString()
    return message


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("name", ["origin", "𝓧" * 64])
def test_long_errors_arrive(channel: grpc.Channel, name: str, rows: int) -> None:
    code, problem = refused(channel, "ModelInfer", columns(*(f"{name}{number}" for number in range(50)), rows=rows))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert problem["title"] == "Some rows do not satisfy the contract"
    assert problem["detail"].startswith(f"{57 * rows} errors in")
    assert [error["row"] for error in problem["errors"]] == [0] * len(problem["errors"]) != []
    uneven = columns(name, rows=1) + pb.ModelInferRequest.FromString(columns("x" * 300, rows=2)).SerializeToString()
    assert "one tensor a column" in refused(channel, "ModelInfer", uneven)[1]["detail"]


ANSWERED = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
names = st.sampled_from(["flights", "origin", "distance_km", "travel_code", "prediction", "partial"]) | st.text()
parameters = st.dictionaries(
    names, st.builds(pb.InferParameter, bool_param=st.booleans()) | st.builds(pb.InferParameter, string_param=st.text())
)
int64 = st.integers(-(2**63), 2**63 - 1)
contents = st.one_of(
    st.builds(pb.InferTensorContents, bytes_contents=st.lists(st.binary(max_size=9), max_size=3)),
    st.builds(pb.InferTensorContents, fp64_contents=st.lists(st.floats(), max_size=3)),
    st.builds(
        pb.InferTensorContents, int64_contents=st.lists(int64, max_size=3), bool_contents=st.lists(st.booleans())
    ),
)
inputs = st.builds(
    pb.ModelInferRequest.InferInputTensor,
    name=names,
    datatype=st.sampled_from([TEXT, *NUMPY]) | st.text(),
    shape=st.lists(st.integers(-1, 3) | int64, max_size=3),
    contents=st.none() | contents,
)
outputs = st.builds(pb.ModelInferRequest.InferRequestedOutputTensor, name=names, parameters=parameters)
requests = st.builds(
    pb.ModelInferRequest,
    model_name=st.just("flights") | names,
    model_version=st.just("") | st.text(),
    id=st.text(),
    parameters=parameters,
    inputs=st.lists(inputs, max_size=4),
    outputs=st.lists(outputs, max_size=2),
    raw_input_contents=st.lists(st.binary(max_size=24), max_size=4),
).map(pb.ModelInferRequest.SerializeToString)


@given(method=st.sampled_from(METHODS), message=requests | st.binary(max_size=200))
@settings(max_examples=200)
def test_no_message_is_a_failure_of_ours(channel: grpc.Channel, method: str, message: bytes) -> None:
    call = channel.unary_unary(f"{SERVICE}/{method}").future(message, timeout=60)
    assert call.code() in ANSWERED, (call.code(), call.details())
    assert call.code() is grpc.StatusCode.OK or dict(call.trailing_metadata())["problem-details-bin"]


def test_more_than_the_limit_is_refused(channel: grpc.Channel) -> None:
    code, _ = refused(channel, "ModelInfer", bytes(Settings().max_body_bytes + 1))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


@given(noise=st.binary(max_size=300) | st.binary(max_size=300).map(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".__add__))
def test_noise_on_the_port_ends_its_own_connection(channel: grpc.Channel, grpc_address: str, noise: bytes) -> None:
    host, port = grpc_address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(noise)
    channel.unary_unary(f"{SERVICE}/ServerLive")(b"", timeout=60)


def hang_up(channel: grpc.Channel, asked: bytes) -> None:
    """Hundreds of calls at once, given up at different times; some never send their message."""
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        over.wait()
        yield from ()

    infer = f"{SERVICE}/ModelInfer"
    opened = [channel.stream_stream(infer)(silent()) for _ in range(50)]
    sent = [channel.unary_unary(infer).future(asked) for _ in range(300)]
    for call in (*sent[::3], *opened[::2]):
        call.cancel()
    assert sent[1].code() in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
    for call in (*sent, *opened):
        call.cancel()
    over.set()


def test_callers_that_hang_up_leave_nothing_behind(
    client: httpx.Client, channel: grpc.Channel, row: dict[str, Any]
) -> None:
    failed = ("boxwood_requests_total", "grpc", "predict", "failed")
    before = samples(client).get(failed, 0)
    good = message([row] * 600).SerializeToString()
    for _ in range(3):
        hang_up(channel, good)
    waiting = (samples(client)["boxwood_waiting_rows", "predict"] for _ in range(1_000))
    assert 0 in waiting, "rows are counted as waiting that nobody waits for"
    answer = channel.unary_unary(f"{SERVICE}/ModelInfer")(good, timeout=60)
    assert len(pb.ModelInferResponse.FromString(answer).outputs[0].contents.fp64_contents) == 600
    assert client.get("/readyz").status_code == 200
    assert samples(client).get(failed, 0) == before, "who hangs up is no failure of the service"


HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


@pytest.mark.parametrize("method", [f"{HEALTH}/Check", f"{HEALTH}/Watch", REFLECTION])
def test_probes_and_reflection_say_what_they_cannot_read(channel: grpc.Channel, method: str) -> None:
    with pytest.raises(grpc.RpcError, match="The request is no grpc") as caught:
        list(channel.stream_stream(method)(iter([b"\xff\xff\xff"]), timeout=60))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    if method is not REFLECTION:
        with pytest.raises(grpc.RpcError, match=r"ended without a grpc\.health"):
            list(channel.stream_stream(method)(iter(()), timeout=60))


def test_messages_that_never_come_use_up_no_memory(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    good = message([row]).SerializeToString()
    port = free_port()
    methods = [f"{SERVICE}/ModelInfer", f"{HEALTH}/Check", f"{HEALTH}/Watch", REFLECTION]
    room = {"BOXWOOD_MAX_READING_BYTES": "1"}  # for the least, which are 8
    over = threading.Event()
    with (
        trained.serve(bento, tmp_path / "elsewhere", DEV, BOXWOOD_GRPC_PORT=str(port), **room) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        silent = [channel.stream_stream(method)(b"" for _ in iter(over.wait, True)) for method in methods * 5]
        while sum(call.is_active() for call in silent) > 8:
            assert server.get("/livez").status_code == 200
        ended = [call for call in silent if not call.is_active()]
        assert len(ended) == 12, "as many as there is room for may take their time"
        for call in ended:
            assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "arrives slowly, as 8 others do" in call.details()
            assert dict(call.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
        assert channel.unary_unary(f"{SERVICE}/ModelInfer")(good, timeout=60)
        for call in silent:
            call.cancel()
        over.set()
        channel.unary_unary(f"{SERVICE}/ModelInfer")(message([row] * 900).SerializeToString(), timeout=60)
        assert samples(server)["boxwood_requests_total", "grpc", "predict", "overloaded"] > 0


@pytest.mark.slow
def test_an_address_that_grpc_alone_does_not_take_ends_the_start(trained: Project, bento: str, tmp_path: Path) -> None:
    variables = {"BENTOML_HOME": str(trained.folder / "stores/bentoml"), "BOXWOOD_GRPC_HOST": "0x7f.1"}
    printed = refused_start(bento, tmp_path, free_port(), {**variables, "BOXWOOD_GRPC_PORT": str(free_port())})
    assert "Not starting: gRPC cannot be served" in printed
    assert "Failed to bind to address 0x7f.1:" in printed


@pytest.mark.slow
def test_an_old_connection_of_grpc_ends_so_that_its_client_looks_for_new_servers(trained: Project, bento: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    variables = {"BOXWOOD_GRPC_PORT": address.split(":")[1], "BOXWOOD_MAX_GRPC_CONNECTION_SECONDS": "1"}
    states: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
    with trained.start_alone(bento, **variables), grpc.insecure_channel(address) as channel:
        channel.subscribe(states.put)
        for awaited in (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE):
            assert channel.unary_unary(f"{SERVICE}/ServerReady")(b"", timeout=60)
            while states.get(timeout=60) is not awaited:
                pass
