"""A server that wants keys, over gRPC."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import service_pb2 as pb

from tests.generated import generated
from tests.serving.access.conftest import Guarded
from tests.serving.access.test_http import audited, until
from tests.serving.access.test_noted import having, journalled
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer_call, message

SERVICE = "/inference.GRPCInferenceService"
OPEN = ("ServerLive", "ServerReady")
WANTING = {
    "ModelReady": pb.ModelReadyRequest(name="flights"),
    "ModelMetadata": pb.ModelMetadataRequest(name="flights"),
    "ServerMetadata": pb.ServerMetadataRequest(),
    "ModelInfer": pb.ModelInferRequest(model_name="flights"),
}
MARK = ("x-boxwood-purpose", "exploring")
Metadata = list[tuple[str, str]]


@pytest.fixture
def channel(guarded: Guarded) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(guarded.grpc) as connected:
        yield connected


def bearer(key: str) -> Metadata:
    return [("authorization", f"Bearer {key}")]


def refused(call: Any, *arguments: Any, **named: Any) -> tuple[grpc.StatusCode, dict[str, Any], dict[str, Any]]:
    """The code, the problem details and the trailing metadata of a call that is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **named, timeout=60)
    trailing = dict(caught.value.trailing_metadata())
    return caught.value.code(), msgspec.json.decode(trailing["problem-details-bin"]), trailing


def test_probes_are_open(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    for method in OPEN:
        channel.unary_unary(f"{SERVICE}/{method}")(b"", timeout=60)


@pytest.mark.parametrize("method", list(WANTING))
def test_all_else_wants_a_key(channel: grpc.Channel, guarded: Guarded, method: str) -> None:
    call, sent = channel.unary_unary(f"{SERVICE}/{method}"), WANTING[method].SerializeToString()
    for metadata in ([], bearer(guarded.keys["all"][:-1]), [("x-api-key", "x")]):
        code, problem, _ = refused(call, sent, metadata=metadata)
        assert (code, problem["status"]) == (grpc.StatusCode.UNAUTHENTICATED, 401)
    elsewhere = bearer(guarded.keys["elsewhere"])
    if method == "ServerMetadata":
        call(sent, metadata=elsewhere, timeout=60)
    else:
        code, problem, _ = refused(call, sent, metadata=elsewhere)
        assert (code, problem["status"]) == (grpc.StatusCode.PERMISSION_DENIED, 403)


@pytest.mark.parametrize(("method", "kind"), [("ModelMetadata", pb.ModelMetadataRequest), ("ModelInfer", message)])
def test_a_key_sees_the_names_of_its_own_models(
    channel: grpc.Channel, guarded: Guarded, row: dict[str, Any], method: str, kind: Any
) -> None:
    call = channel.unary_unary(f"{SERVICE}/{method}")

    def asked(key: str, model: str) -> tuple[grpc.StatusCode, str]:
        sent = message([row]) if kind is message else kind()
        setattr(sent, "model_name" if kind is message else "name", model)
        code, problem, _ = refused(call, sent.SerializeToString(), metadata=bearer(guarded.keys[key]))
        return code, problem["detail"]

    for key, known in (("all", "flights"), ("flights", "flights"), ("elsewhere", "none that you may ask")):
        code, detail = asked(key, "another")
        assert code is grpc.StatusCode.NOT_FOUND
        assert detail.endswith(f"There are: {known}.")
    # what is there and what is not are refused alike to who may ask neither
    for model in ("flights", "nothing"):
        code, detail = asked("elsewhere", model)
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert detail.endswith("It may ask: another.")


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_two_keys_are_none(channel: grpc.Channel, guarded: Guarded, name: str) -> None:
    call, sent = channel.unary_unary(f"{SERVICE}/ServerMetadata"), WANTING["ServerMetadata"].SerializeToString()
    keys = [f"Bearer {key}" if name == "authorization" else key for key in (guarded.keys["all"], "x")]
    for first, second in (keys, reversed(keys)):
        _, problem, _ = refused(call, sent, metadata=[(name, first), (name, second)])
        assert "send one" in problem["detail"]


def test_the_services_are_listed_to_who_has_a_key(channel: grpc.Channel, guarded: Guarded) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    wanted = [reflection_pb2.ServerReflectionRequest(list_services="")]
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ServerReflectionInfo(iter(wanted)))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.ServerReflectionInfo(iter(wanted), metadata=bearer(guarded.keys["elsewhere"])))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    [answer] = stub.ServerReflectionInfo(iter(wanted), metadata=bearer(guarded.keys["flights"]))
    assert "boxwood.flights.Predictor" in {service.name for service in answer.list_services_response.service}


def test_a_call_with_a_key_is_answered_and_audited(
    channel: grpc.Channel, guarded: Guarded, row: dict[str, Any]
) -> None:
    call = infer_call(channel)
    for name, value in (*bearer(guarded.keys["all"]), ("x-api-key", guarded.keys["all"])):
        call(message([row] * 2), metadata=[(name, value), ("x-request-id", f"by-{name}")])

    def lines() -> list[dict[str, Any]]:
        found = [line for line in audited(guarded) if line.get("request_id", "").startswith("by-")]
        return found if len(found) == 2 else []

    for line in until(lines):
        assert (line["caller"], line["transport"], line["verb"], line["rows"]) == ("all", "grpc", "predict", 2)
        assert len(line["prediction_ids"]) == 2


def test_the_mark_and_the_request_id_are_those_of_http(
    channel: grpc.Channel, guarded: Guarded, row: dict[str, Any]
) -> None:
    ids, key = [], bearer(guarded.keys["all"])
    for more in ([("x-request-id", "call-1"), MARK], [("x-request-id", "call 2")], [MARK]):
        answer, call = infer_call(channel).with_call(message([row]), metadata=[*key, *more])
        [[name]] = [output.contents.bytes_contents for output in answer.outputs if output.name == "prediction_id"]
        ids.append(name.decode())
        assert dict(call.trailing_metadata()).get("x-request-id") == ("call-1" if more[0][1] == "call-1" else None)
    assert [line.get("request_id") for line in until(lambda: having(guarded, ids))] == ["call-1", None, None]
    by_id = {line["prediction_id"]: line.get("role", "") for line in until(lambda: journalled(guarded, ids))}
    assert [by_id[name] for name in ids] == ["exploring", "", "exploring"]
    code, problem, _ = refused(infer_call(channel), message([row]), metadata=[*key, (MARK[0], "explore")])
    assert (code, problem["status"]) == (grpc.StatusCode.INVALID_ARGUMENT, 400)


def test_a_quota_is_one_over_http_and_grpc(channel: grpc.Channel, guarded: Guarded, row: dict[str, Any]) -> None:
    key = bearer(guarded.keys["three"])
    call = infer_call(channel)
    assert guarded.client.post(PREDICT, json={"instances": [row] * 2}, headers=key).status_code == 200
    with pytest.raises(grpc.RpcError) as caught:
        call(message([row] * 2), metadata=key)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    call(message([row]), metadata=key)
    assert guarded.client.post(PREDICT, json={"instances": [row]}, headers=key).status_code == 429


def test_who_asks_again_too_soon_is_refused_unread(
    channel: grpc.Channel, guarded: Guarded, row: dict[str, Any]
) -> None:
    """What is no message gets the answer to what was too much before it; what is shorter is read."""
    key = bearer(guarded.keys["spent"])
    call, raw = infer_call(channel), channel.unary_unary(f"{SERVICE}/ModelInfer")
    sent = message([row] * 5)

    def unread() -> tuple[dict[str, Any], dict[str, Any]] | None:
        _, read, _ = refused(call, sent, metadata=key)
        code, again, trailing = refused(raw, b"\xff" * sent.ByteSize(), metadata=key)
        assert "grpc-retry-pushback-ms" in trailing or code is grpc.StatusCode.INVALID_ARGUMENT
        return (read, again) if code is grpc.StatusCode.RESOURCE_EXHAUSTED else None

    read, again = until(unread)
    assert read == again
    assert refused(raw, b"\xff", metadata=key)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_the_typed_service_asks_the_same(
    channel: grpc.Channel, guarded: Guarded, row: dict[str, Any], tmp_path: Path
) -> None:
    guarded.client.headers["x-api-key"] = guarded.keys["all"]
    with generated(guarded.client, guarded.grpc, "flights", tmp_path) as fares:
        del guarded.client.headers["x-api-key"]
        request = fares.messages.PredictRequest(rows=fares.rows([row]))
        predict, explain = fares.stub.Predict, fares.stub.Explain
        assert refused(predict, request)[0] is grpc.StatusCode.UNAUTHENTICATED
        assert len(predict(request, metadata=bearer(guarded.keys["predicting"])).predictions) == 1
        marked = [*bearer(guarded.keys["predicting"]), MARK]
        ids = [one.prediction_id for one in predict(request, metadata=marked).predictions]
        assert until(lambda: journalled(guarded, ids))[0]["role"] == "exploring"
        explained = fares.messages.ExplainRequest(rows=fares.rows([row]))
        assert refused(explain, explained, metadata=bearer(guarded.keys["predicting"]))[1]["status"] == 403
        many = fares.messages.PredictRequest(rows=fares.rows([row] * 3))
        code, trailing = grpc.StatusCode.OK, dict[str, Any]()
        while code is grpc.StatusCode.OK:  # once at the most, where the bucket is full
            try:
                predict(many, metadata=bearer(guarded.keys["slow-too"]))
            except grpc.RpcError as error:
                code, trailing = error.code(), dict(error.trailing_metadata())
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(trailing["grpc-retry-pushback-ms"]) >= 1_000
        assert trailing["ratelimit"].startswith('"second";r=')
