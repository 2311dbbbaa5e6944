"""gRPC below the protocol's clients: messages that are none, errors that are long, callers that hang up."""

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import msgspec
import pytest

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
