"""One verdict on any row: the pandera gate, and every transport of a running server, over real connections."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors
from pandera.pandas import DataFrameSchema
from tritonclient.grpc import service_pb2

from model.predictor import Predictor
from tests.generated import Generated, refusal
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.test_open_inference import INFER
from tests.strategies import any_rows
from training.data import gates
from validation.contract import Contract, Kind

Row = dict[str, Any]
LEAST_ASKED = 3
"""Of thirty rows, most of which some transport cannot express: texts for numbers, columns that there are not."""


class Verdict(NamedTuple):
    """What a transport says to one row: prediction, low, high and warnings, or errors."""

    answer: tuple[float, float, float, str] | None
    errors: list[dict[str, Any]]


def gate_accepts(gate: DataFrameSchema, row: Row) -> bool:
    table = pd.DataFrame({name: pd.Series([value], dtype=object).infer_objects() for name, value in row.items()})
    try:
        gate.validate(table, lazy=True)
    except SchemaErrors:
        return False
    return True


def accepted(answer: dict[str, Any]) -> Verdict:
    """A verdict from an answer in JSON."""
    interval = answer["interval"]
    return Verdict((answer["prediction"], interval["low"], interval["high"], "; ".join(answer["warnings"])), [])


def over_v1(client: httpx.Client, row: Row) -> Verdict:
    response = client.post(PREDICT, json={"instances": [row]})
    assert response.status_code in (200, 422), response.text
    document = response.json()
    return accepted(document["predictions"][0]) if response.status_code == 200 else Verdict(None, document["errors"])


def of_native(answer: dict[str, Any]) -> Verdict:
    if "errors" in answer:
        return Verdict(None, [{"row": 0, **error} for error in answer["errors"]])
    return accepted(answer)


def datatype(value: object) -> str | None:
    """The tensor that holds a value as it is, if one does."""
    match value:
        case bool():
            return "BOOL"
        case int():
            return "INT64" if -(2**63) <= value < 2**63 else "UINT64" if 0 <= value < 2**64 else None
        case float():
            return "FP64"
        case str() if value:  # an empty text is a missing value in tensors
            return "BYTES"
    return None


def over_http_tensors(client: httpx.Client, row: Row) -> Verdict | None:
    if not row or not all(map(datatype, row.values())):
        return None
    inputs = [{"name": name, "datatype": datatype(row[name]), "shape": [1], "data": [row[name]]} for name in row]
    response = client.post(INFER, json={"inputs": inputs})
    assert response.status_code in (200, 422), response.text
    document = response.json()
    if response.status_code == 422:
        return Verdict(None, document["errors"])
    values = {output["name"]: output["data"][0] for output in document["outputs"]}
    return Verdict((values["prediction"], values["low"], values["high"], values["warnings"]), [])


CONTENTS = {"BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents", "FP64": "fp64_contents"}


def over_grpc_tensors(infer: Any, row: Row) -> Verdict | None:
    request = service_pb2.ModelInferRequest(model_name="flights")
    for name, value in row.items():
        found = datatype(value)
        if found is None:
            return None
        contents = request.inputs.add(name=name, datatype=found, shape=[1]).contents
        getattr(contents, CONTENTS.get(found, "bytes_contents")).append(
            value.encode() if isinstance(value, str) else value
        )
    if not row:
        return None
    try:
        response = infer(request)
    except grpc.RpcError as error:
        return Verdict(None, refusal(error)["errors"])
    values = {output.name: output.contents for output in response.outputs}
    numbers = [values[name].fp64_contents[0] for name in ("prediction", "low", "high")]
    return Verdict((*numbers, values["warnings"].bytes_contents[0].decode()), [])


PYTHON = {Kind.REAL: (float, int), Kind.INTEGER: (int,), Kind.FLAG: (bool,)}


def over_messages(fares: Generated, contract: Contract, row: Row) -> Verdict | None:
    columns = {column.name: column for column in (*contract.inputs, *contract.keys)}
    for name, value in row.items():
        if name not in columns:
            return None
        missing = value is None and columns[name].nullable
        fits = type(value) in PYTHON.get(columns[name].kind, (str,)) and datatype(value) not in (None, "UINT64")
        if not missing and not fits:
            return None
    try:
        [answer] = fares.predict(fares.rows([row])).predictions
    except grpc.RpcError as error:
        return Verdict(None, refusal(error)["errors"])
    return Verdict((answer.prediction, answer.interval.low, answer.interval.high, "; ".join(answer.warnings)), [])


@pytest.fixture
def infer(grpc_address: str) -> Iterator[Any]:
    """The call of the Open Inference Protocol."""
    with grpc.insecure_channel(grpc_address) as channel:
        yield channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )


@settings(max_examples=6)
@given(data=st.data())
def test_gate_and_transports_agree(
    data: st.DataObject, predictor: Predictor, client: httpx.Client, fares: Generated, infer: Any
) -> None:
    """To the verdict, the bits of the answer and the row errors; a transport is asked what it can express."""
    contract, vocabularies = predictor.contract, predictor.model.fitted.vocabularies
    gate = gates.requests(contract, vocabularies)
    rows = data.draw(st.lists(any_rows(contract, vocabularies), min_size=30, max_size=30))
    together = client.post("/predict", json={"rows": rows}).json()
    asked = np.zeros(3, dtype=int)
    for row, native in zip(rows, together, strict=True):
        verdict = over_v1(client, row)
        assert (verdict.answer is not None) == gate_accepts(gate, row)
        assert of_native(native) == verdict
        others = [
            over_http_tensors(client, row),
            over_grpc_tensors(infer, row),
            over_messages(fares, contract, row),
        ]
        assert all(other in (verdict, None) for other in others)
        asked += [other is not None for other in others]
    assert asked.min() >= LEAST_ASKED, f"of 30 rows the transports were asked {asked}"
