"""gRPC's server reflection, v1 and v1alpha: how clients without a .proto learn what there is.

grpcio-reflection has v1alpha only. The messages of v1 are the same to the byte, so its servicer answers both.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.rpc import messages
from serving.rpc.messages import Messages
from validation.errors import RequestError

V1 = "grpc.reflection.v1.ServerReflection"
_ALPHA = ".v1alpha."


def handlers(names: Sequence[str], pool: DescriptorPool, arriving: Messages) -> list[grpc.GenericRpcHandler]:
    """What answers both versions.

    Args:
        names: the full names of the services to show, beside these two.
        pool: where their descriptors are, to which those of these two are added.
        arriving: what reads their messages.
    """
    alpha = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    for described in (alpha, _renamed(alpha)):
        pool.AddSerializedFile(described.SerializeToString())
    both = (V1, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer([*names, *both], pool=pool)

    async def told(_: object, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        try:
            asked = arriving.each(context, reflection_pb2.ServerReflectionRequest)
            async for answer in servicer.ServerReflectionInfo(asked, context):
                yield answer
        except RequestError as error:
            await messages.refuse(context, error)

    serialize = reflection_pb2.ServerReflectionResponse.SerializeToString
    handler = grpc.stream_stream_rpc_method_handler(told, response_serializer=serialize)
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in both]


def _renamed(alpha: FileDescriptorProto) -> FileDescriptorProto:
    """The file of v1, from that of v1alpha."""
    named = FileDescriptorProto()
    named.CopyFrom(alpha)
    named.name, named.package = "grpc/reflection/v1/reflection.proto", V1.rpartition(".")[0]
    for field in _fields(named):
        field.type_name = field.type_name.replace(_ALPHA, ".v1.")
    for service in named.service:
        for method in service.method:
            method.input_type = method.input_type.replace(_ALPHA, ".v1.")
            method.output_type = method.output_type.replace(_ALPHA, ".v1.")
    return named


def _fields(described: FileDescriptorProto) -> Iterable[FieldDescriptorProto]:
    """Those whose types are messages of the file."""
    return (field for message in described.message_type for field in message.field if field.type_name)
