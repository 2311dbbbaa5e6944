"""gRPC below the protocol's clients: messages that are none, errors that are long, callers that hang up."""

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import msgspec
import pytest
from tritonclient.grpc import service_pb2 as pb

SERVICE = "/inference.GRPCInferenceService"
METHODS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")


@pytest.fixture
def channel(client: httpx.Client, grpc_address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(grpc_address) as connected:
        yield connected


def refused(channel: grpc.Channel, method: str, message: bytes) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """How a call with these bytes for a message ends, and the problem details beside that."""
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}/{method}")(message, timeout=60)
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
