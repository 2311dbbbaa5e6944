"""How gRPC's clients find out what there is and whether it answers: health, reflection v1 and v1alpha."""

import grpc
import httpx
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def test_health_and_reflection(client: httpx.Client, grpc_address: str) -> None:
    with grpc.insecure_channel(grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "inference.GRPCInferenceService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflected = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in reflected.get_services()
        described = reflected.FindFileContainingSymbol("inference.GRPCInferenceService")
        assert "ModelInferRequest" in {message.name for message in described.message_type}
        for version in ("v1", "v1alpha"):
            assert f"grpc.reflection.{version}.ServerReflection" in reflected.get_services()


def test_reflection_v1_says_what_v1alpha_says(client: httpx.Client, grpc_address: str) -> None:
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="grpc.reflection.v1.ServerReflection")
    answers = []
    with grpc.insecure_channel(grpc_address) as channel:
        for version in ("v1", "v1alpha"):
            method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            call = channel.stream_stream(
                method,
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            answers.append(next(call(iter([asked]), timeout=60)))
    assert answers[0] == answers[1]
    [file] = answers[0].file_descriptor_response.file_descriptor_proto
    described = descriptor_pb2.FileDescriptorProto.FromString(file)
    assert described.package == "grpc.reflection.v1"
    assert b"v1alpha" not in file
