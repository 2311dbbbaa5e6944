"""Calls of the Open Inference Protocol over gRPC, with the messages of an off-the-shelf client."""

from typing import Any

from tritonclient.grpc import service_pb2


def message(rows: list[dict[str, Any]], partial: bool = False) -> Any:
    """A request with typed contents rather than raw ones."""
    request = service_pb2.ModelInferRequest(model_name="flights")
    for name, value in rows[0].items():
        text = isinstance(value, str)
        tensor = request.inputs.add(name=name, datatype="BYTES" if text else "FP64", shape=[len(rows)])
        contents = tensor.contents.bytes_contents if text else tensor.contents.fp64_contents
        contents.extend(row[name].encode() if text else row[name] for row in rows)
    request.parameters["partial"].bool_param = partial
    return request


def infer_call(channel: Any) -> Any:
    """The call that takes rows."""
    return channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=service_pb2.ModelInferResponse.FromString,
    )


def infer(channel: Any, rows: list[dict[str, Any]], partial: bool = False) -> Any:
    """The answer to rows; raises grpc.RpcError."""
    return infer_call(channel)(message(rows, partial))
