"""The Open Inference Protocol's tensors: rows from them and answers to them, the same over HTTP and gRPC.

One tensor a column, of shape [rows] or [rows, 1]. Tensors have no null: NaN is a missing number, and an empty text is a
missing value of a column that may be missing. Everything else is for the decoder to judge, as it judges JSON.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import msgspec
import numpy as np

from model.outcomes.answer import Output
from model.predictor import Predictor
from serving.admission import demand_fits
from validation.contract import Contract, Kind
from validation.errors import UnreadableRequest
from validation.values import quoted
from validation.wire import PartialPredictions, Prediction, Predictions

TEXT = "BYTES"
NUMPY: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
"""The protocol's fixed-size datatypes as they lie in a raw tensor."""
_KINDS = {Kind.INTEGER: "INT64", Kind.REAL: "FP64", Kind.FLAG: "BOOL"}
_OUTPUTS: Mapping[type, str] = {float: "FP64", str: TEXT}
_COMMON = (
    Output("prediction_id", str, (), lambda answer: [answer.prediction_id]),
    Output("warnings", str, (), lambda answer: ["; ".join(answer.warnings)]),
)


class Tensor(NamedTuple):
    """One column of a request or of an answer; `values` are row-major."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: Sequence[Any]


class ServerMetadata(TypedDict):
    """What the protocol's server metadata says."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(TypedDict):
    """A tensor that a model takes or gives; -1 stands for the number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(TypedDict):
    """What the protocol's model metadata says."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


SERVER: ServerMetadata = {"name": "boxwood", "version": "2", "extensions": ["binary_tensor_data"]}
_PLATFORM = "boxwood_lightgbm"


def metadata(predictor: Predictor) -> ModelMetadata:
    """What the protocol's model metadata says: what a model takes and gives."""
    return {
        "name": predictor.name,
        "versions": [predictor.version],
        "platform": _PLATFORM,
        "inputs": inputs(predictor.contract),
        "outputs": outputs(predictor),
    }


def inputs(contract: Contract) -> list[TensorMetadata]:
    """The tensors that a model takes."""
    return [_spec(c.name, _KINDS.get(c.kind, TEXT)) for c in (*contract.inputs, *contract.keys)]


def outputs(predictor: Predictor) -> list[TensorMetadata]:
    """The tensors that a model gives."""
    return [_spec(output.name, _OUTPUTS[output.kind], *output.shape) for output in _parts(predictor)]


def _parts(predictor: Predictor) -> Sequence[Output]:
    return (*predictor.outcome.outputs, *_COMMON)


def _spec(name: str, datatype: str, *inner: int) -> TensorMetadata:
    return {"name": name, "datatype": datatype, "shape": [-1, *inner]}


def rows(contract: Contract, tensors: Iterable[Tensor], most_rows: int) -> list[dict[str, Any]]:
    """Rows as JSON would have brought them.

    Raises:
        UnreadableRequest: the tensors are not one a column with a value a row.
        RequestTooLarge: there are more than `most_rows`.
    """
    optional = {column.name for column in contract.columns if column.nullable}
    columns: dict[str, Sequence[Any]] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise UnreadableRequest(f"There are two inputs of the name {quoted(tensor.name)}.")
        columns[tensor.name] = _column(tensor, tensor.name in optional)
    counts = {len(values) for values in columns.values()}
    if len(counts) != 1:
        found = ", ".join(f"{name[:32]}: {len(values)}" for name, values in list(columns.items())[:10])
        raise UnreadableRequest(f"Inputs are one tensor a column, each with a value for every row; found {found or 0}.")
    [count] = counts
    demand_fits(count, most_rows)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _column(tensor: Tensor, optional: bool) -> Sequence[Any]:
    if tensor.datatype != TEXT and tensor.datatype not in NUMPY:
        raise UnreadableRequest(
            f"The datatype of {quoted(tensor.name)} is {quoted(tensor.datatype)}. "
            f"There are: {TEXT}, {', '.join(NUMPY)}."
        )
    shape = list(tensor.shape)
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] != len(tensor.values):
        raise UnreadableRequest(
            f"The shape of {quoted(tensor.name)} is {quoted(shape)} with {len(tensor.values)} values; a column's is "
            "[rows] or [rows, 1]."
        )
    if tensor.datatype.startswith("FP"):
        return [None if isinstance(value, float) and math.isnan(value) else value for value in tensor.values]
    if tensor.datatype == TEXT and optional:
        return [None if value == "" else value for value in tensor.values]
    return tensor.values


def answers(predictor: Predictor, answer: Predictions | PartialPredictions, wanted: Sequence[str]) -> list[Tensor]:
    """The tensors of an answer; NaN and empty texts stand for rows without one.

    Args:
        predictor: who answered.
        answer: what it said.
        wanted: the names of outputs that were asked for, or none for all.

    Raises:
        UnreadableRequest: there is no output of such a name.
    """
    there = {output.name: output for output in _parts(predictor)}
    unknown = next((name for name in wanted if name not in there), None)
    if unknown is not None:
        raise UnreadableRequest(f"There is no output {quoted(unknown)}. There are: {', '.join(there)}.")
    return [_answered(there[name], answer.predictions) for name in wanted or there]


def _answered(output: Output, answers: Sequence[Prediction | None]) -> Tensor:
    blank: list[Any] = ["" if output.kind is str else math.nan] * math.prod(output.shape)
    values = [value for answer in answers for value in (blank if answer is None else output.values(answer))]
    return Tensor(output.name, _OUTPUTS[output.kind], [len(answers), *output.shape], values)


def errors(answer: PartialPredictions) -> str:
    """The errors beside a partial answer, as the JSON that a text parameter can hold."""
    return msgspec.json.encode(answer.errors).decode()


def pack(tensor: Tensor) -> bytes:
    """A tensor's values as raw bytes: little-endian, texts with their lengths before them."""
    if tensor.datatype != TEXT:
        return np.array(tensor.values, dtype=NUMPY[tensor.datatype]).tobytes()
    encoded = [text.encode() for text in tensor.values]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def unpack(name: str, datatype: str, raw: bytes | memoryview) -> list[Any]:
    """The values in raw bytes; raises UnreadableRequest if they are no whole number of them."""
    if datatype == TEXT:
        return _texts(name, bytes(raw))
    dtype = NUMPY.get(datatype)
    if dtype is None:
        return []  # `rows` says that there is no such datatype
    if len(raw) % dtype.itemsize:
        raise UnreadableRequest(f"{quoted(name)} has {len(raw)} bytes, which is no whole number of {datatype} values.")
    values: list[Any] = np.frombuffer(raw, dtype=dtype).tolist()
    return values


def _texts(name: str, raw: bytes) -> list[str]:
    texts = []
    place = 0
    while place < len(raw):
        start = place + 4
        place = start + int.from_bytes(raw[start - 4 : start], "little")
        if start > len(raw) or place > len(raw):
            raise UnreadableRequest(f"The texts of {quoted(name)} are cut off.")
        texts.append(text(name, raw[start:place]))
    return texts


def text(name: str, raw: bytes) -> str:
    """One text of a BYTES tensor; raises UnreadableRequest if it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnreadableRequest(f"{quoted(name)} holds a text that is not UTF-8: {error}.") from error
