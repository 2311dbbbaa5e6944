"""The typed gRPC service with a client that protoc generated: the answers and verdicts of V1."""

import math
import struct
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc
from hypothesis import example, given, settings

from problems import base
from problems.base import Problem
from serving import contract_proto
from serving.rpc import descriptors, typed
from tests.data import letting
from tests.generated import Generated, refusal
from tests.project import ROOT, SHIPPED
from tests.serving.rest.test_http import EXPLAIN, PREDICT, problem
from tests.strategies import contracts
from validation.contract import Contract

SERVICE = "boxwood.flights.Predictor"


def as_json(answer: Any) -> dict[str, Any]:
    """An answer as V1 would have it, without its id."""
    document: dict[str, Any] = {
        field.name: list(value) if field.is_repeated else value for field, value in answer.ListFields()
    }
    for name in ("interval", "keys"):
        if name in document:
            document[name] = {field.name: value for field, value in document[name].ListFields()}
    if "contributions" in document:
        document["contributions"] = dict(answer.contributions)
    document.pop("prediction_id", None)
    return document


def without(answer: dict[str, Any]) -> dict[str, Any]:
    """V1's answer without its id, and without an empty list of warnings, which messages do not tell from none."""
    return {name: value for name, value in answer.items() if name != "prediction_id" and value != []}


def refused(client: Generated, *rows: Any) -> dict[str, Any]:
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(rows)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return refusal(caught.value)


@pytest.fixture
def rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [{**row, "distance_km": 100.1 * place, "travel_code": place} for place in range(1, 40)]
    rows[3] |= {"agency": "Unheard Of", "user_code": 2**53}
    return rows


def test_answers_are_those_of_v1(fares: Generated, client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    expected = client.post(PREDICT, json={"instances": rows}).json()
    response = fares.predict(fares.rows(rows))
    assert (response.model_name, response.model_version) == (expected["model_name"], expected["model_version"])
    assert [as_json(answer) for answer in response.predictions] == [without(one) for one in expected["predictions"]]
    assert len({answer.prediction_id for answer in response.predictions}) == len(rows)
    assert not response.errors
    assert response.predictions[3].warnings
    assert response.predictions[-1].warnings[0].startswith("distance_km: 3903.9 is far outside of what training saw, ")


def test_explanations_are_those_of_v1(fares: Generated, client: httpx.Client, rows: list[dict[str, Any]]) -> None:
    expected = client.post(EXPLAIN, json={"instances": rows}).json()["explanations"]
    response = fares.explain(fares.rows(rows))
    assert [as_json(answer) for answer in response.explanations] == [without(one) for one in expected]


def test_rows_are_refused_as_v1_refuses_them(
    fares: Generated, client: httpx.Client, rows: list[dict[str, Any]]
) -> None:
    rows[0] |= {"cabin": "busines", "date": "yesterday"}
    rows[1] |= {"duration_hours": -1.0, "user_code": 2**62}
    rows[2] = {}
    document = problem(client.post(PREDICT, json={"instances": rows}), 422)
    assert refused(fares, *fares.rows(rows)) == document
    many = problem(client.post(PREDICT, json={"instances": [{}] * 20_001}), 413)
    assert refused(fares, *[fares.messages.Row()] * 20_001) == many


@pytest.mark.parametrize("bad", [(), (7,), (7, 8, 20)])
def test_callers_of_a_crowd_get_what_they_get_alone(
    fares: Generated, rows: list[dict[str, Any]], bad: tuple[int, ...]
) -> None:
    """Calls that come together are answered as one where their rows are good, and one by one where any is not."""
    for place in bad:
        rows[place] |= {"cabin": "roof"}
    requests = [
        fares.messages.PredictRequest(rows=fares.rows(rows[place : place + 1 + place % 3]), partial=place % 4 == 0)
        for place in range(len(rows) - 2)
    ]
    alone = [outcome(fares.stub.Predict.future(request)) for request in requests]
    for _ in range(5):
        crowd = [fares.stub.Predict.future(request) for request in requests]
        assert [outcome(call) for call in crowd] == alone


def outcome(call: Any) -> Any:
    """What a call came to: its problem, or its answers, the errors beside them and how many these are."""
    if (error := call.exception()) is not None:
        return refusal(error)
    answer = call.result()
    return [as_json(one) for one in answer.predictions], list(answer.errors), answer.error_count


def test_a_part_of_a_request_can_be_answered(
    fares: Generated, client: httpx.Client, rows: list[dict[str, Any]]
) -> None:
    rows[1] |= {"cabin": "roof"}
    for asked, path, name in ((fares.predict, PREDICT, "predictions"), (fares.explain, EXPLAIN, "explanations")):
        expected = client.post(f"{path}?partial=true", json={"instances": rows}).json()
        response = asked(fares.rows(rows), partial=True)
        answers = getattr(response, name)
        assert [place for place, answer in enumerate(answers) if not answer.HasField("prediction")] == [1]
        assert [as_json(answer) for answer in answers] == [without(one or {}) for one in expected[name]]
        errors = [MessageToDict(error, always_print_fields_with_no_presence=True) for error in response.errors]
        assert [{**error, "row": int(error["row"])} for error in errors] == expected["errors"]
        assert response.error_count == expected["error_count"] == len(errors)


def test_nan_is_a_missing_number_and_infinity_is_none(
    fares: Generated, client: httpx.Client, row: dict[str, Any]
) -> None:
    [missing, infinite] = fares.rows([{**row, "duration_hours": value} for value in (math.nan, math.inf)])
    assert refused(fares, missing) == problem(
        client.post(PREDICT, json={"instances": [{**row, "duration_hours": None}]}), 422
    )
    assert refused(fares, infinite)["errors"][0]["message"] == "inf is not a finite number"


def strange(fares: Generated, row: dict[str, Any], sent: bytes) -> Any:
    return fares.messages.Row.FromString(fares.messages.Row(**row).SerializeToString() + sent)


def test_what_the_contract_has_no_field_for_is_refused(
    fares: Generated, client: httpx.Client, row: dict[str, Any]
) -> None:
    target = strange(fares, row, b"\x41" + struct.pack("<d", 3.0))  # field 8 as a double
    asked = {"instances": [{**row, "price": 3.0}]}
    assert refused(fares, target) == problem(client.post(PREDICT, json=asked), 422)
    [error] = refused(fares, strange(fares, row, b"\xf8\x07\x01"))["errors"]
    assert (error["column"], error["row"]) == ("field 127", 0)
    assert error["message"] == "'field 127' is not a column of this model"
    del row["cabin"]
    errors = refused(fares, strange(fares, row, b"\x18\x01"))["errors"]  # field 3 as an integer
    assert {error["column"]: error["message"] for error in errors} == {
        "cabin": "this column is missing",
        "cabin of another type": "'cabin of another type' is not a column of this model",
    }


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x0a", "The request is no boxwood.flights.PredictRequest: Error parsing message"),
        (b"\x0a\x03\x0a\x01\xff", "The request is no boxwood.flights.PredictRequest"),  # a text that is not UTF-8
        (b"\x18\x01", "Field 3 of the request is none that is known here."),
    ],
)
def test_requests_that_cannot_be_read(client: httpx.Client, grpc_address: str, sent: bytes, says: str) -> None:
    with grpc.insecure_channel(grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/Predict")(sent)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    document = refusal(caught.value)
    assert document["type"] == "urn:boxwood:unreadable"
    assert document["detail"].startswith(says)


def test_health_and_reflection(fares: Generated, grpc_address: str) -> None:
    with grpc.insecure_channel(grpc_address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflected = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICE in reflected.get_services()
        for symbol in ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"):
            assert reflected.FindFileContainingSymbol(symbol).service
        described = reflected.FindFileContainingSymbol(SERVICE)
    meant = FileDescriptorProto()
    fares.messages.DESCRIPTOR.CopyToProto(meant)
    assert plain(described) == plain(meant)


def plain(file: FileDescriptorProto) -> FileDescriptorProto:
    """A file without the JSON names, which protoc writes and descriptors need not."""

    def strip(messages: Any) -> None:
        for message in messages:
            strip(message.nested_type)
            for field in message.field:
                field.ClearField("json_name")

    strip(file.message_type)
    return file


def compiled(text: str, name: str, folder: Path) -> FileDescriptorProto:
    """What protoc makes of a `.proto`."""
    (folder / name).write_text(text)
    made = folder / "made"
    assert protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={made}", name]) == 0, text
    [file] = FileDescriptorSet.FromString(made.read_bytes()).file
    return plain(file)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_committed_proto_is_what_the_contract_says(name: str) -> None:
    problem = base.load(name)
    committed = ROOT / "serving/rpc/protos" / f"{name}.proto"
    assert committed.read_text() == contract_proto.text(problem), "run `make proto`"


def test_the_proto_is_there_to_download(client: httpx.Client) -> None:
    answer = client.get("/v1/models/flights/proto")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (ROOT / "serving/rpc/protos/flights.proto").read_text()


@settings(max_examples=50)
@given(contract=contracts())
@example(contract=letting.CONTRACT)
@example(contract=base.load("flights").contract)
@example(contract=base.load("churn").contract)
def test_protoc_makes_the_same_descriptors_of_the_proto(contract: Contract, tmp_path: Path) -> None:
    problem = Problem(name="message", title="Any", contract=contract)
    made = descriptors.file(problem)
    assert compiled(contract_proto.text(problem), made.name, tmp_path) == made
    typed.service(problem, DescriptorPool())
    row = next(message for message in made.message_type if message.name == "Row")
    numbers = {field.name: field.number for field in row.field}
    sent = {column.name for column in (*contract.inputs, *contract.keys)}
    assert numbers == {column.name: place for place, column in enumerate(contract.columns, 1) if column.name in sent}
    assert set(row.reserved_name) == {column.name for column in contract.columns} - sent
