"""The messages of a problem's gRPC service as protobuf descriptors, as protoc makes them of the `.proto`."""

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from problems.base import Problem
from serving import contract_proto
from serving.contract_proto import METHODS, OPTIONAL, REPEATED, SERVICE, SHARES, Field, Message

_SCALARS = {
    "int64": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
}


def file(problem: Problem) -> FileDescriptorProto:
    """The descriptor of a problem's `.proto`."""
    package = contract_proto.package(problem)
    descriptor = FileDescriptorProto(name=contract_proto.file_name(problem), package=package, syntax="proto3")
    for message in contract_proto.messages(problem):
        _message(descriptor.message_type.add(name=message.name), message, f".{package}.")
    service = descriptor.service.add(name=SERVICE)
    for method in METHODS:
        service.method.add(
            name=method, input_type=f".{package}.{method}Request", output_type=f".{package}.{method}Response"
        )
    return descriptor


def _message(descriptor: DescriptorProto, message: Message, scope: str) -> None:
    for number, name in message.reserved.items():
        descriptor.reserved_range.add(start=number, end=number + 1)
        descriptor.reserved_name.append(name)
    if message.ambiguous:
        descriptor.options.deprecated_legacy_json_field_conflicts = True
    for field in message.fields:
        _field(descriptor, field, scope)


def _field(descriptor: DescriptorProto, field: Field, scope: str) -> None:
    repeated = field.label == REPEATED or field.type == SHARES
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    added = descriptor.field.add(name=field.name, number=field.number, label=label)
    if field.type in _SCALARS:
        added.type = _SCALARS[field.type]
    else:
        added.type = FieldDescriptorProto.TYPE_MESSAGE
        added.type_name = f"{scope}{field.type}"
    if field.type == SHARES:
        added.type_name = f"{scope}{descriptor.name}.{_entry(descriptor, field)}"
    if field.label == OPTIONAL:  # in descriptors, explicit presence is a oneof with one field
        added.proto3_optional = True
        added.oneof_index = len(descriptor.oneof_decl)
        descriptor.oneof_decl.add(name=f"_{field.name}")


def _entry(descriptor: DescriptorProto, field: Field) -> str:
    """Add the entry type of a map, which descriptors express as repeated messages of a key and a value."""
    entry = descriptor.nested_type.add(name=f"{field.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    for number, (name, scalar) in enumerate((("key", "string"), ("value", "double")), 1):
        entry.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL, type=_SCALARS[scalar])
    return str(entry.name)
