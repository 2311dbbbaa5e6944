"""The Open Inference Protocol's tensors: rows from them and answers to them, the same over HTTP and gRPC.

One tensor a column, of shape [rows] or [rows, 1]. Tensors have no null: NaN is a missing number, and an empty text is a
missing value of a nullable column. Everything else is validated by the decoder, as for JSON.
"""

import itertools
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import msgspec
import numpy as np

from model.outcomes.answer import Output
from serving.quick import Answers
from validation.contract import Contract, Kind
from validation.decode import Decoded, texts
from validation.errors import UnreadableRequest
from validation.table import Table, Values
from validation.values import quoted

if TYPE_CHECKING:
    from model.predictor import Predictor

TEXT = "BYTES"
NUMPY: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
"""The protocol's fixed-size datatypes as they lie in a raw tensor."""
_KINDS = {Kind.INTEGER: "INT64", Kind.REAL: "FP64", Kind.FLAG: "BOOL"}
_OUTPUTS: Mapping[type, str] = {float: "FP64", str: TEXT, bool: "BOOL"}
_MISSING: Mapping[type, object] = {float: math.nan, str: "", bool: False}
"""The values of rows without an answer, by the kind of an output."""
_LENGTH = struct.Struct("<I")
"""The length that precedes each text in raw bytes."""


class Tensor(NamedTuple):
    """One column of a request or of an answer; `values` are row-major."""

    name: str
    datatype: str
    shape: Sequence[int]
    values: Values

    def plain(self) -> list[Any]:
        """The values as Python has them."""
        return self.values.tolist() if isinstance(self.values, np.ndarray) else list(self.values)


class _Part(NamedTuple):
    """An output: its name, the type and shape of one row's value, and a function for the values of all valid rows."""

    name: str
    kind: type[float] | type[str] | type[bool]
    shape: tuple[int, ...]
    values: Callable[[Answers], np.ndarray]


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


def metadata(predictor: "Predictor", versions: Sequence[str]) -> ModelMetadata:
    """What the protocol's model metadata says: what a model takes and gives."""
    return {
        "name": predictor.name,
        "versions": [*versions],
        "platform": _PLATFORM,
        "inputs": inputs(predictor.contract),
        "outputs": outputs(predictor),
    }


def inputs(contract: Contract) -> list[TensorMetadata]:
    """The tensors that a model takes."""
    return [_spec(c.name, _KINDS.get(c.kind, TEXT)) for c in (*contract.inputs, *contract.keys)]


def outputs(predictor: "Predictor") -> list[TensorMetadata]:
    """The tensors that a model gives."""
    return [_spec(part.name, _OUTPUTS[part.kind], *part.shape) for part in _parts(predictor)]


def _parts(predictor: "Predictor") -> list[_Part]:
    ids = _Part("prediction_id", str, (), lambda answers: texts(answers.ids))
    return [*map(_part, predictor.outcome.outputs), ids, _Part("warnings", str, (), _warnings)]


def _part(output: Output) -> _Part:
    return _Part(output.name, output.kind, output.shape, lambda answers: output.values(answers.scores))


def _warnings(answers: Answers) -> np.ndarray:
    joined = np.full(len(answers.scores), "", dtype=object)
    for place, warnings in answers.decoded.warnings.items():
        joined[place] = "; ".join(warnings)
    return joined


def _spec(name: str, datatype: str, *inner: int) -> TensorMetadata:
    return {"name": name, "datatype": datatype, "shape": [-1, *inner]}


def table(contract: Contract, tensors: Iterable[Tensor]) -> Table:
    """A table of the tensors of a request.

    Raises:
        UnreadableRequest: the tensors are not one a column with a value a row.
    """
    optional = {column.name for column in contract.columns if column.nullable}
    columns: dict[str, Values] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise UnreadableRequest(f"There are two inputs of the name {quoted(tensor.name)}.")
        columns[tensor.name] = _column(tensor, tensor.name in optional)
    counts = {len(values) for values in columns.values()}
    if len(counts) != 1:
        sizes = ", ".join(f"{name[:32]}: {len(values)}" for name, values in list(columns.items())[:10])
        raise UnreadableRequest(f"Inputs are one tensor a column, each with a value for every row; found {sizes or 0}.")
    [count] = counts
    return Table(columns, count)


def _column(tensor: Tensor, optional: bool) -> Values:
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
    if isinstance(tensor.values, np.ndarray):
        return tensor.values
    if tensor.datatype.startswith("FP"):
        return [None if isinstance(value, float) and math.isnan(value) else value for value in tensor.values]
    if tensor.datatype == TEXT and optional:
        return [None if value == "" else value for value in tensor.values]
    return tensor.values


def answers(predictor: "Predictor", answered: Answers, wanted: Sequence[str]) -> list[Tensor]:
    """The output tensors of an answer; rows without an answer have NaN, an empty text, or false.

    Args:
        predictor: the model that answered.
        answered: its answers.
        wanted: the names of the requested outputs; empty for all.

    Raises:
        UnreadableRequest: there is no output of such a name.
    """
    parts = {part.name: part for part in _parts(predictor)}
    unknown = next((name for name in wanted if name not in parts), None)
    if unknown is not None:
        raise UnreadableRequest(f"There is no output {quoted(unknown)}. There are: {', '.join(parts)}.")
    return [_tensor(parts[name], answered) for name in wanted or parts]


def _tensor(part: _Part, answers: Answers) -> Tensor:
    decoded, values = answers.decoded, part.values(answers)
    if decoded.error_count:
        padded = np.full((decoded.total, *part.shape), _MISSING[part.kind], dtype=values.dtype)
        padded[decoded.positions] = values
        values = padded
    return Tensor(part.name, _OUTPUTS[part.kind], values.shape, values.ravel())


def errors(decoded: Decoded) -> str:
    """The errors of a partial answer as JSON, for a string parameter."""
    return msgspec.json.encode(decoded.errors).decode()


def pack(tensor: Tensor) -> bytes:
    """A tensor's values as raw bytes: little-endian, texts with their lengths before them."""
    if tensor.datatype != TEXT:
        return np.asarray(tensor.values, dtype=NUMPY[tensor.datatype]).tobytes()
    encoded = list(map(str.encode, tensor.plain()))
    lengths = list(map(len, encoded))
    if len(set(lengths)) == 1:  # such as the class names of answers: the fastest way
        length = _LENGTH.pack(lengths[0])
        return length + length.join(encoded)
    return b"".join(itertools.chain.from_iterable(zip(map(_LENGTH.pack, lengths), encoded, strict=True)))


def unpack(name: str, datatype: str, raw: bytes | memoryview) -> Values:
    """The values in raw bytes, shape (values,); raises UnreadableRequest if they are no whole number of values."""
    if datatype == TEXT:
        return _texts(name, bytes(raw))
    dtype = NUMPY.get(datatype)
    if dtype is None:
        return []  # `table` says that there is no such datatype
    if len(raw) % dtype.itemsize:
        raise UnreadableRequest(f"{quoted(name)} has {len(raw)} bytes, which is no whole number of {datatype} values.")
    values = np.frombuffer(raw, dtype=dtype)
    return values.view(np.uint8) != 0 if datatype == "BOOL" else values


def _texts(name: str, raw: bytes) -> list[str]:
    """Texts with their lengths before them; each distinct text is decoded once."""
    decoded: dict[bytes, str] = {}
    values: list[str] = []
    length, add = _LENGTH.unpack_from, values.append  # looked up once: this is the longest part of reading a table
    place, end = 0, len(raw)
    while place + _LENGTH.size <= end:
        start = place + _LENGTH.size
        place = start + length(raw, place)[0]
        encoded = raw[start:place]
        try:
            add(decoded[encoded])
        except KeyError:
            decoded[encoded] = text(name, encoded) if place <= end else ""
            add(decoded[encoded])
    if place != end:
        raise UnreadableRequest(f"The texts of {quoted(name)} are cut off.")
    return values


def text(name: str, raw: bytes) -> str:
    """One text of a BYTES tensor; raises UnreadableRequest if it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnreadableRequest(f"{quoted(name)} holds a text that is not UTF-8: {error}.") from error
