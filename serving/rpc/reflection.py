"""gRPC server reflection, v1 and v1alpha: clients without a .proto discover the services by it.

grpcio-reflection has v1alpha only. The messages of v1 have the same encoding, so its servicer answers both.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.rpc import messages
from serving.rpc.door import Door
from serving.rpc.messages import Messages
from validation.errors import RequestError

V1 = "grpc.reflection.v1.ServerReflection"
_ALPHA = ".v1alpha."


def handlers(
    names: Sequence[str], pool: DescriptorPool, arriving: Messages, door: Door
) -> list[grpc.GenericRpcHandler]:
    """The handlers of both versions.

    Args:
        names: the full names of the services to list; the two reflection services are added.
        pool: the descriptors of those services; the ones of the reflection services are added.
        arriving: reads the messages.
        door: lets callers in.
    """
    alpha = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    for file in (alpha, _renamed(alpha)):
        pool.AddSerializedFile(file.SerializeToString())
    services = (V1, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer([*names, *services], pool=pool)

    async def reflect(_: object, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        try:
            await door.demand_reader(context)
            requests = arriving.each(context, reflection_pb2.ServerReflectionRequest)
            async for answer in servicer.ServerReflectionInfo(requests, context):
                yield answer
        except RequestError as error:
            await messages.refuse(context, error)

    serialize = reflection_pb2.ServerReflectionResponse.SerializeToString
    handler = grpc.stream_stream_rpc_method_handler(reflect, response_serializer=serialize)
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in services]


def _renamed(alpha: FileDescriptorProto) -> FileDescriptorProto:
    """The descriptor of v1, derived from that of v1alpha."""
    renamed = FileDescriptorProto()
    renamed.CopyFrom(alpha)
    renamed.name, renamed.package = "grpc/reflection/v1/reflection.proto", V1.rpartition(".")[0]
    for field in _fields(renamed):
        field.type_name = field.type_name.replace(_ALPHA, ".v1.")
    for service in renamed.service:
        for method in service.method:
            method.input_type = method.input_type.replace(_ALPHA, ".v1.")
            method.output_type = method.output_type.replace(_ALPHA, ".v1.")
    return renamed


def _fields(described: FileDescriptorProto) -> Iterable[FieldDescriptorProto]:
    """The fields whose types are messages."""
    return (field for message in described.message_type for field in message.field if field.type_name)
