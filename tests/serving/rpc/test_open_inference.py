"""The Open Inference Protocol with an off-the-shelf client, over HTTP and gRPC: the answers and verdicts of V1."""

import filecmp
import json
import math
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http

from model.predictor import Predictor
from serving import tensors
from serving.tensors import Tensor
from tests.project import ROOT, Project
from tests.serving.rest.test_http import PREDICT, problem
from tests.serving.rpc.over_grpc import infer
from tests.serving.test_bento import refused_start
from validation.errors import UnreadableRequest
from validation.wire import RowError

INFER = "/v2/models/flights/infer"
TRANSPORTS = pytest.mark.parametrize("over", [over_http, over_grpc], ids=["http", "grpc"])


class Triton:
    """tritonclient's two clients under one face."""

    def __init__(self, over: Any, address: str) -> None:
        self.over = over
        self.client = over.InferenceServerClient(address)

    def inputs(self, rows: list[dict[str, Any]], nested: bool = False) -> list[Any]:
        made = []
        for name, value in rows[0].items():
            values = [row[name] for row in rows]
            text = isinstance(value, str)
            datatype = "BYTES" if text else "INT64" if isinstance(value, int) else "FP64"
            array = np.array([one.encode() for one in values], dtype=object) if text else np.array(values)
            shape = [len(rows), 1] if nested else [len(rows)]
            tensor = self.over.InferInput(name, shape, datatype)
            made.append(tensor.set_data_from_numpy(array.reshape(shape)) or tensor)
        return made

    def predict(self, rows: list[dict[str, Any]], **options: Any) -> Any:
        return self.client.infer("flights", self.inputs(rows, options.pop("nested", False)), **options)


@pytest.fixture
def triton(over: Any, client: httpx.Client, grpc_address: str) -> Triton:
    http_address = f"{client.base_url.host}:{client.base_url.port}"
    return Triton(over, http_address if over is over_http else grpc_address)


@pytest.fixture
def rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**row, "distance_km": 100.1 * place, "travel_code": place} for place in range(1, 40)]


@TRANSPORTS
def test_the_server_describes_itself(triton: Triton, predictor: Predictor) -> None:
    client = triton.client
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("flights")
    assert client.is_model_ready("flights", predictor.version)
    assert client.is_model_ready("trains") is client.is_model_ready("flights", "1") is False
    options = {"as_json": True} if triton.over is over_grpc else {}
    assert client.get_server_metadata(**options)["name"] == "boxwood"
    described = client.get_model_metadata("flights", **options)
    assert described["versions"] == [predictor.version]
    inputs = {one["name"]: one["datatype"] for one in described["inputs"]}
    assert inputs["origin"] == inputs["date"] == "BYTES"
    assert (inputs["distance_km"], inputs["travel_code"]) == ("FP64", "INT64")
    assert [one["name"] for one in described["outputs"]] == ["prediction", "low", "high", "prediction_id", "warnings"]


@TRANSPORTS
@pytest.mark.parametrize("nested", [False, True])
def test_answers_are_those_of_v1(
    triton: Triton, client: httpx.Client, rows: list[dict[str, Any]], nested: bool
) -> None:
    rows[3] = {**rows[3], "agency": "Unheard Of"}
    expected = client.post(PREDICT, json={"instances": rows}).json()["predictions"]
    result = triton.predict(rows, nested=nested, request_id="mine")
    assert result.as_numpy("prediction").tolist() == [answer["prediction"] for answer in expected]
    for end in ("low", "high"):
        assert result.as_numpy(end).tolist() == [answer["interval"][end] for answer in expected]
    warnings = [text.decode() for text in result.as_numpy("warnings")]
    assert warnings == ["; ".join(answer["warnings"]) for answer in expected]
    assert warnings[3].startswith("agency: 'Unheard Of' was not seen")
    assert warnings[-1].startswith("distance_km: 3903.9 is far outside of what training saw, ")
    assert len(set(result.as_numpy("prediction_id"))) == len(rows)
    response = result.get_response()
    assert (response["id"] if isinstance(response, dict) else response.id) == "mine"


@TRANSPORTS
def test_outputs_can_be_chosen(triton: Triton, rows: list[dict[str, Any]]) -> None:
    result = triton.predict(rows, outputs=[triton.over.InferRequestedOutput("high")])
    assert result.as_numpy("high").shape == (len(rows),)
    assert result.as_numpy("prediction") is None
    with pytest.raises(Exception, match=r"There is no output 'median'\. There are: prediction, low"):
        triton.predict(rows, outputs=[triton.over.InferRequestedOutput("median")])


@TRANSPORTS
def test_mistakes_are_sentences(triton: Triton, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(Exception, match="There is no model 'trains' here"):
        triton.client.infer("trains", triton.inputs(rows))
    with pytest.raises(Exception, match="1 error in 39 rows"):
        triton.predict([*rows[:-1], {**rows[-1], "cabin": "roof"}])
    with pytest.raises(Exception, match="one tensor a column"):
        triton.client.infer("flights", [*triton.inputs(rows)[:-1], triton.inputs(rows[:3])[-1]])


def test_every_transport_gives_the_same_row_errors(
    client: httpx.Client, grpc_address: str, rows: list[dict[str, Any]]
) -> None:
    rows = [{**row, "cabin": "roof", "date": "yesterday"} for row in rows]
    expected = problem(client.post(PREDICT, json={"instances": rows}), 422)["errors"]
    tensors_of = [
        {"name": name, "datatype": "BYTES" if isinstance(rows[0][name], str) else "FP64", "shape": [len(rows)],
         "data": [row[name] for row in rows]}
        for name in rows[0]
    ]  # fmt: skip
    answer = problem_of_v2(client.post(INFER, json={"inputs": tensors_of}))
    assert answer["errors"] == expected
    with grpc.insecure_channel(grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            infer(channel, rows)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        errors = msgspec.json.decode(dict(caught.value.trailing_metadata())["problem-details-bin"])["errors"]
        assert errors == expected[: len(errors)] != []


def problem_of_v2(response: httpx.Response, status: int = 422) -> dict[str, Any]:
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    assert document["error"] == document["detail"]
    return document


def test_a_part_of_a_request_can_be_answered(
    client: httpx.Client, grpc_address: str, rows: list[dict[str, Any]]
) -> None:
    rows[1] = {**rows[1], "cabin": "roof"}
    with grpc.insecure_channel(grpc_address) as channel:
        response = infer(channel, rows, partial=True)
    values = {output.name: output.contents for output in response.outputs}
    predictions = list(values["prediction"].fp64_contents)
    assert [place for place, value in enumerate(predictions) if math.isnan(value)] == [1]
    assert values["prediction_id"].bytes_contents[1] == b""
    assert response.parameters["error_count"].int64_param == 1
    errors = msgspec.json.decode(response.parameters["errors"].string_param, type=list[RowError])
    assert [error.row for error in errors] == [1]
    named = client.post(f"{PREDICT}?partial=true", json={"instances": rows}).json()["predictions"]
    assert [None if math.isnan(value) else value for value in predictions] == [
        one and one["prediction"] for one in named
    ]
    inputs = [
        {
            "name": name,
            "datatype": "BYTES" if isinstance(value, str) else "FP64",
            "shape": [2],
            "data": [value, rows[1][name]],
        }
        for name, value in rows[0].items()
    ]
    for query, parameters in (("?partial=true", {}), ("", {"partial": True})):
        answer = client.post(f"{INFER}{query}", json={"inputs": inputs, "parameters": parameters}).json()
        assert json.loads(answer["parameters"]["errors"])[0]["row"] == 1
        assert answer["parameters"]["error_count"] == 1
    wrong = client.post(INFER, json={"inputs": inputs, "parameters": {"partial": "true"}})
    assert "takes true or false" in problem_of_v2(wrong, 400)["detail"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v2/models/trains/infer", 404, "There is no model 'trains' here"),
        ("/v2/models/flights/versions/1/infer", 404, "There is no version '1' of 'flights' here"),
        ("/v2/nothing", 404, "There is nothing at /v2/nothing"),
        (INFER, 400, "Object missing required field `inputs`"),
    ],
)
def test_other_paths_and_bodies(client: httpx.Client, path: str, status: int, says: str) -> None:
    assert says in problem_of_v2(client.post(path, json={}), status)["detail"]


@pytest.mark.parametrize("length", ["x", "-1", "99999", "9" * 5_000])
def test_a_header_length_that_is_none(client: httpx.Client, length: str) -> None:
    answer = client.post(INFER, content=b"{}", headers={"inference-header-content-length": length})
    assert "is no length of a part of the body" in problem_of_v2(answer, 400)["detail"]


TOO_FEW = {"name": "distance_km", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 99}}


@pytest.mark.parametrize(
    ("inputs", "raw", "says"),
    [
        ([TOO_FEW], b"12345678", "The binary_data_size of 'distance_km' is no size of what is in the body"),
        ([{**TOO_FEW, "parameters": {"binary_data_size": 7}}], b"1234567", "no whole number of FP64 values"),
        ([{**TOO_FEW, "parameters": {"binary_data_size": 8}}], b"123456789", "The body has 1 bytes that belong to no"),
    ],
)
def test_binary_bodies_that_do_not_fit(
    client: httpx.Client, inputs: list[dict[str, Any]], raw: bytes, says: str
) -> None:
    head = msgspec.json.encode({"inputs": inputs})
    headers = {"inference-header-content-length": str(len(head))}
    assert says in problem_of_v2(client.post(INFER, content=head + raw, headers=headers), 400)["detail"]


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (Tensor("a", "FP64", [2], [1.0]), r"The shape of 'a' is \[2\] with 1 values"),
        (Tensor("a", "FP64", [1, 2], [1.0, 2.0]), r"is \[1, 2\] with 2 values"),
        (Tensor("a", "FP64", [], [1.0]), r"is \[\] with 1 values"),
        (Tensor("a", "FP64", [9] * 100_000, []), r"is \[9, 9[9, ]{50,60}…\] with 0 values"),
        (Tensor("a", "FP4", [1], [1.0]), "The datatype of 'a' is 'FP4'. There are: BYTES, BOOL, INT8"),
    ],
)
def test_tensors_that_are_no_column(predictor: Predictor, tensor: Tensor, says: str) -> None:
    with pytest.raises(UnreadableRequest, match=says):
        tensors.table(predictor.contract, [tensor])


def test_tensors_are_columns_of_one_length(predictor: Predictor) -> None:
    one, other = Tensor("a", "INT64", [1], [1]), Tensor("b", "INT64", [2], [1, 2])
    for found in ([one, other], []):
        with pytest.raises(UnreadableRequest, match="one tensor a column"):
            tensors.table(predictor.contract, found)
    with pytest.raises(UnreadableRequest, match="two inputs of the name 'a'"):
        tensors.table(predictor.contract, [one, one])


def test_nan_and_empty_texts_are_missing_where_something_may_be(predictor: Predictor) -> None:
    found = [
        Tensor("travel_code", "FP64", [2], [math.nan, 3.0]),
        Tensor("agency", "BYTES", [2], ["", "x"]),
    ]
    assert tensors.table(predictor.contract, found).rows() == [
        {"travel_code": None, "agency": ""},
        {"travel_code": 3.0, "agency": "x"},
    ]


@pytest.mark.parametrize("raw", [b"\x05\x00\x00\x00abc", b"\x01\x00", b"\x01\x00\x00\x00\xff"])
def test_texts_that_are_cut_off_or_no_utf_8(raw: bytes) -> None:
    with pytest.raises(UnreadableRequest, match=r"cut off|not UTF-8"):
        tensors.unpack("a", "BYTES", raw)


@pytest.mark.parametrize("datatype", [*tensors.NUMPY, "BYTES"])
def test_what_is_packed_is_unpacked(datatype: str) -> None:
    values: list[Any] = ["", "ä", "b" * 300] if datatype == "BYTES" else [0, 1, 1]
    assert list(tensors.unpack("a", datatype, tensors.pack(Tensor("a", datatype, [3], values)))) == values


def test_a_taken_port_ends_the_start(trained: Project, bento: str, tmp_path: Path) -> None:
    home = str(trained.folder / "stores/bentoml")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {"BENTOML_HOME": home, "BOXWOOD_GRPC_PORT": port}
        printed = refused_start(bento, tmp_path, int(port) + 1 if int(port) < 65_000 else 20_000, variables)
    assert f"Not starting: Nothing can listen on 127.0.0.1:{port}" in printed
    assert "Choose another with BOXWOOD_GRPC_PORT=" in printed


def test_the_generated_code_is_that_of_the_proto(tmp_path: Path) -> None:
    proto = "serving/rpc/protos/open_inference.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", proto]
    subprocess.run(command, cwd=ROOT, check=True)
    generated = proto.replace(".proto", "_pb2.py")
    assert filecmp.cmp(tmp_path / generated, ROOT / generated, shallow=False), "run `make proto`"
