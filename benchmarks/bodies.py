"""What is sent: rows of the simulated table as JSON, as tensors and as the typed message."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from model import bundle
from model.features import FeatureMatrix
from model.predictor import open_predictor
from problems import base
from serving.protos import open_inference_pb2 as pb
from training.workspace import Workspace
from validation.contract import Kind
from validation.decode import to_arrays

MODEL = "flights"
BOOSTER = Path(Workspace(MODEL).bundle).absolute() / bundle.MODEL
_FIELDS = descriptor_pb2.FieldDescriptorProto
_TYPES = {Kind.REAL: _FIELDS.TYPE_DOUBLE, Kind.INTEGER: _FIELDS.TYPE_INT64}


@functools.cache
def _table() -> list[dict[str, Any]]:
    frame = pd.read_parquet(Workspace(MODEL).silver)[list(base.load(MODEL).contract.example())]
    for name in frame.select_dtypes("datetime").columns:
        frame[name] = frame[name].dt.strftime("%Y-%m-%d")
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def rows(count: int) -> list[dict[str, Any]]:
    """So many rows of the table, from its first again where it is too short."""
    return list(itertools.islice(itertools.cycle(_table()), count))


def instances(count: int) -> str:
    """A request of so many rows, as our HTTP takes it."""
    return json.dumps({"instances": rows(count)})


def vector() -> list[float]:
    """A row of the model matrix, as the peers take it."""
    return [1.0] * lgb.Booster(model_file=str(BOOSTER)).num_feature()


def matrix(count: int) -> np.ndarray:
    """The model matrix of `rows(count)`, shape (rows, features)."""
    predictor = open_predictor(BOOSTER.parent)
    records = predictor.decode(rows(count)).whole().records
    return FeatureMatrix(predictor.problem, predictor.manifest.fitted)(to_arrays(predictor.contract.inputs, records))


def tensors(model: str, columns: dict[str, Any]) -> bytes:
    """A ModelInferRequest of one row: a tensor a column, texts and numbers of shape [1], lists of shape [1, length]."""
    request = pb.ModelInferRequest(model_name=model)
    for name, value in columns.items():
        tensor = request.inputs.add(name=name, datatype="BYTES" if isinstance(value, str) else "FP64", shape=[1])
        if isinstance(value, str):
            tensor.contents.bytes_contents.append(value.encode())
        else:
            tensor.shape.extend([len(value)] if isinstance(value, list) else [])
            tensor.contents.fp64_contents.extend(value if isinstance(value, list) else [value])
    encoded: bytes = request.SerializeToString()
    return encoded


def typed(row: dict[str, Any]) -> bytes:
    """A PredictRequest of the typed service, its fields numbered by the places of the columns in the contract.

    It is made here, as a client makes it from the `.proto` that callers get, and not by the service's own code.
    """
    file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package=f"boxwood.{MODEL}", syntax="proto3")
    message = file.message_type.add(name="Row")
    for number, column in enumerate(base.load(MODEL).contract.columns, 1):
        kind = _TYPES.get(column.kind, _FIELDS.TYPE_STRING)
        message.field.add(name=column.name, number=number, type=kind, label=_FIELDS.LABEL_OPTIONAL)
    several = {"label": _FIELDS.LABEL_REPEATED, "type": _FIELDS.TYPE_MESSAGE, "type_name": f".boxwood.{MODEL}.Row"}
    file.message_type.add(name="PredictRequest").field.add(name="rows", number=1, **several)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    request = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"boxwood.{MODEL}.PredictRequest"))
    encoded: bytes = request(rows=[row]).SerializeToString()
    return encoded


def framed(message: bytes) -> bytes:
    """A gRPC message as it stands in a body: not compressed, its length, itself."""
    return b"\0" + len(message).to_bytes(4) + message
