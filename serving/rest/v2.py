"""HTTP: the Open Inference Protocol (KServe V2) with Triton's binary tensors. It translates and decides nothing.

GET  /v2                                        the server
GET  /v2/health/live, /v2/health/ready          probes
GET  /v2/models/{model}[/versions/{version}]    inputs and outputs
GET  …/ready                                    200 if the model answers
POST …/infer                                    tensors in, tensors out; ?partial=true as in V1, or as parameter

The source is the protocol's specification (github.com/kserve/open-inference-protocol) and Triton's extension
"Binary Tensor Data" to it.
"""

import functools
from typing import Any, NamedTuple, TypedDict

import msgspec
from msgspec import UNSET, UnsetType
from starlette.types import ASGIApp, Scope

from serving import problem_details, tensors
from serving.challenger import Split
from serving.models import Models
from serving.quick import Answers
from serving.rest.asgi import Document, NotFound, places
from serving.rest.asking import Asking, Question
from serving.rest.exchange import Reply, encode
from serving.rest.request import demand_json, header, parsed, size_of
from serving.served_model import ServedModel
from serving.tensors import Tensor
from validation.errors import UnreadableRequest
from validation.table import Values
from validation.values import quoted
from validation.wire import ProblemDetails

MODELS = "/v2/models"
_LENGTH = b"inference-header-content-length"
BINARY = "application/octet-stream"


class InferInput(msgspec.Struct):
    """One column of a request; raw where `parameters` have a binary_data_size."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | UnsetType = UNSET


class InferRequestedOutput(msgspec.Struct):
    """An output that is asked for, raw if its parameter binary_data says so."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    """What `infer` takes, as JSON."""

    inputs: list[InferInput]
    id: str | UnsetType = UNSET
    parameters: dict[str, Any] = {}
    outputs: list[InferRequestedOutput] = []


class InferOutput(msgspec.Struct):
    """One tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | UnsetType = UNSET
    data: list[Any] | UnsetType = UNSET


class InferAnswer(msgspec.Struct):
    """What `infer` answers, as JSON."""

    model_name: str
    model_version: str
    outputs: list[InferOutput]
    id: str | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET


class Live(TypedDict):
    """Whether the server runs."""

    live: bool


class Ready(TypedDict):
    """Whether all models answer."""

    ready: bool


class ModelReady(TypedDict):
    """Whether one model answers."""

    name: str
    ready: bool


_HINT = 'Send {"inputs": [tensor, …]}, a tensor being a column.'
_decode = msgspec.json.Decoder(InferRequest).decode


def routes(models: Models) -> dict[str, ASGIApp]:
    """The applications by path."""
    applications: dict[str, ASGIApp] = {
        "/v2": Document(lambda: tensors.SERVER),
        "/v2/health/live": Document(lambda: Live(live=True)),
        "/v2/health/ready": Document(lambda: Ready(ready=True)),
    }
    for place, model in places(models):
        applications |= _of_model(f"{MODELS}/{place}", models, model)
    for name in models.names:
        split, path = Split.of(models, name), f"{MODELS}/{name}/infer"
        if split is not None:
            challenger = _Infer("v2", split.challenger, split.scoring)
            applications[path] = _Infer("v2", models.find(name), models.find(name).scoring).divided(split, challenger)
    return applications


def _of_model(path: str, models: Models, model: ServedModel) -> dict[str, ASGIApp]:
    """The applications of one version, below `path`."""
    name = model.predictor.name
    return {
        path: Document(functools.partial(tensors.metadata, model.predictor, models.versions(name))),
        f"{path}/ready": Document(functools.partial(ModelReady, name=name, ready=True)),
        f"{path}/infer": _Infer("v2", model, model.scoring),
    }


class UnknownPath(NotFound):
    """Answers every other path below /v2."""

    below, ends, hint = MODELS, "/", "GET /v2 is the server."

    def refuse(self, details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
        """An error with the member that this protocol's clients read."""
        return _problem(details, *headers)


def _problem(details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
    """An error, with the member that this protocol's clients read."""
    body = encode({"error": details.detail, **msgspec.to_builtins(details)})
    return Reply(body, problem_details.MEDIA_TYPE, details.status, headers)


class _Read(NamedTuple):
    """A request, and the raw tensors that follow its JSON."""

    request: InferRequest
    raw: memoryview


class _Infer(Asking[_Read]):
    """POST: tensors in, tensors out."""

    def refuse(self, details: ProblemDetails, *headers: tuple[bytes, bytes]) -> Reply:
        return _problem(details, *headers)

    def demand_media(self, scope: Scope) -> None:
        if header(scope, _LENGTH) is None:
            demand_json(scope)

    def read(self, scope: Scope, body: bytes) -> _Read:
        return _read(body, header(scope, _LENGTH))

    def question(self, request: _Read) -> Question:
        columns = _tensors(request.request.inputs, request.raw)
        return Question(tensors.table(self.model.predictor.contract, columns), _partial(request.request.parameters))

    def reply(self, request: _Read, answer: Answers) -> Reply:
        predictor, decoded = self.model.predictor, answer.decoded
        outputs = tensors.answers(predictor, answer, [output.name for output in request.request.outputs])
        document = InferAnswer(predictor.name, predictor.version, [], request.request.id)
        if decoded.error_count:
            document.parameters = {"errors": tensors.errors(decoded), "error_count": decoded.error_count}
        return _reply(document, outputs, request.request)


def _partial(parameters: dict[str, Any]) -> bool:
    """The request parameter `partial`, as in gRPC."""
    partial = parameters.get("partial", False)
    if type(partial) is not bool:
        raise UnreadableRequest(f"The parameter partial is {quoted(partial)}; it takes true or false.")
    return partial


def _read(body: bytes, length: bytes | None) -> _Read:
    """Split a body into the JSON at its start and the raw tensors after it."""
    end = len(body) if length is None else size_of(length)
    if end is None or end > len(body):
        raise UnreadableRequest("The header Inference-Header-Content-Length is no length of a part of the body.")
    view = memoryview(body)
    return _Read(parsed(_decode, view[:end], _HINT), view[end:])


def _tensors(inputs: list[InferInput], raw: memoryview) -> list[Tensor]:
    columns = []
    for column in inputs:
        size = column.parameters.get("binary_data_size")
        if size is None:
            values: Values = [] if column.data is UNSET else _flat(column.data)
        elif type(size) is not int or not 0 <= size <= len(raw):
            raise UnreadableRequest(f"The binary_data_size of {quoted(column.name)} is no size of what is in the body.")
        else:
            values, raw = tensors.unpack(column.name, column.datatype, raw[:size]), raw[size:]
        columns.append(Tensor(column.name, column.datatype, column.shape, values))
    if raw:
        raise UnreadableRequest(f"The body has {len(raw)} bytes that belong to no input.")
    return columns


def _flat(data: list[Any]) -> list[Any]:
    """The values row by row; those of shape [rows, 1] may be nested."""
    return [value[0] if type(value) is list and len(value) == 1 else value for value in data]


def _reply(answer: InferAnswer, outputs: list[Tensor], request: InferRequest) -> Reply:
    """The answer as JSON, followed by the tensors that were requested as binary."""
    requested = {output.name: output.parameters.get("binary_data", False) for output in request.outputs}
    all_binary = request.parameters.get("binary_data_output", False) if not requested else False
    blobs = []
    for tensor in outputs:
        output = InferOutput(tensor.name, tensor.datatype, list(tensor.shape))
        if requested.get(tensor.name, all_binary):
            blobs.append(tensors.pack(tensor))
            output.parameters = {"binary_data_size": len(blobs[-1])}
        else:
            output.data = tensor.plain()
        answer.outputs.append(output)
    text = encode(answer)
    if not blobs:
        return Reply(text)
    return Reply(b"".join((text, *blobs)), BINARY, headers=[(_LENGTH, str(len(text)).encode())])
