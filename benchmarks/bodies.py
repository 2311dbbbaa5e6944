"""Request bodies: rows of the simulated table as JSON, as tensors and as the typed message."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from google.protobuf import descriptor_pool, message_factory

from model.features import FeatureMatrix
from model.model import BOOSTER as BOOSTER_FILE
from model.predictor import open_predictor
from problems import base
from serving.rpc import descriptors
from serving.tensors import Tensor, pack
from training.workspace import Workspace
from validation.decode import to_arrays

MODEL = "flights"
BOOSTER = Path(Workspace(MODEL).bundle).absolute() / BOOSTER_FILE


@functools.cache
def _table() -> list[dict[str, Any]]:
    frame = pd.read_parquet(Workspace(MODEL).silver)[list(base.load(MODEL).contract.example())]
    for name in frame.select_dtypes("datetime").columns:
        frame[name] = frame[name].dt.strftime("%Y-%m-%d")
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def rows(count: int) -> list[dict[str, Any]]:
    """The first `count` rows of the table, which is repeated if it is too short."""
    return list(itertools.islice(itertools.cycle(_table()), count))


def instances(count: int) -> str:
    """A V1 request of so many rows."""
    return json.dumps({"instances": rows(count)})


def columns(count: int) -> dict[str, Any]:
    """A V2 request of so many rows: one JSON tensor of shape [count] a column."""
    inputs = [
        {
            "name": name,
            "datatype": "FP64" if isinstance(values[0], float) else "BYTES",
            "shape": [count],
            "data": values,
        }
        for name, values in _columns(count).items()
    ]
    return {"inputs": inputs}


def table(count: int) -> tuple[bytes, bytes]:
    """A V2 request with raw tensors, and for raw answers: its JSON, and the bytes after it."""
    raw = []
    request = columns(count)
    for tensor in request["inputs"]:
        packed = pack(Tensor(tensor["name"], tensor["datatype"], tensor["shape"], tensor.pop("data")))
        tensor["parameters"] = {"binary_data_size": len(packed)}
        raw.append(packed)
    return json.dumps({**request, "parameters": {"binary_data_output": True}}).encode(), b"".join(raw)


def _columns(count: int) -> dict[str, list[Any]]:
    chosen = rows(count)
    return {name: [row[name] for row in chosen] for name in chosen[0]}


def vector() -> list[float]:
    """A row of the model matrix, shape (features,), as the peers take it."""
    return [1.0] * lgb.Booster(model_file=str(BOOSTER)).num_feature()


def matrix(count: int) -> np.ndarray:
    """The model matrix of `rows(count)`, shape (rows, features)."""
    predictor = open_predictor(BOOSTER.parent)
    inputs = predictor.decode(rows(count)).raise_if_rejected().inputs
    return FeatureMatrix(predictor.problem, predictor.model.fitted)(to_arrays(predictor.contract.inputs, inputs))


def tensors(model: str, columns: dict[str, Any]) -> bytes:
    """A ModelInferRequest of one row: a tensor a column, texts and numbers of shape [1], lists of shape [1, length]."""
    # imported here, since it registers names that other clients of the protocol register too
    from serving.rpc.protos import open_inference_pb2 as pb

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
    """A PredictRequest of the typed service."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptors.file(base.load(MODEL)))
    request = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"boxwood.{MODEL}.PredictRequest"))
    encoded: bytes = request(rows=[row]).SerializeToString()
    return encoded


def framed(message: bytes) -> bytes:
    """A gRPC message with its frame: the flag for no compression, its length, the message."""
    return b"\0" + len(message).to_bytes(4) + message
