"""gRPC: the Open Inference Protocol, `inference.GRPCInferenceService`. It translates and decides nothing."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from serving import tensors
from serving.access.caller import Asked
from serving.challenger import Address, Split
from serving.models import Models
from serving.quick import Answers
from serving.rpc.protos import open_inference_pb2 as pb
from serving.telemetry import RequestMetrics
from serving.tensors import TEXT, Tensor
from serving.verbs import Verb
from validation.errors import UnknownModel, UnreadableRequest
from validation.table import Table

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    TEXT: "bytes_contents",
}
"""The field of InferTensorContents that holds a datatype."""


class OpenInference:
    """Its methods are the calls of the service; they raise RequestError."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._metrics = {model: model.request_metrics("grpc", "predict") for model in models}

    @functools.cached_property
    def _nameless(self) -> RequestMetrics:
        return RequestMetrics("grpc", "predict", "", "")

    @functools.cached_property
    def _splits(self) -> Mapping[str, Split | None]:
        return {name: Split.of(self._models, name) for name in self._models.names}

    async def server_live(self, request: pb.ServerLiveRequest) -> pb.ServerLiveResponse:
        """Whether the server runs."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, request: pb.ServerReadyRequest) -> pb.ServerReadyResponse:
        """Whether all models answer."""
        return pb.ServerReadyResponse(ready=True)

    async def model_ready(self, request: pb.ModelReadyRequest, asked: Asked) -> pb.ModelReadyResponse:
        """Whether one model answers; an unknown model is not ready, as HTTP's clients take a 404."""
        asked.caller.demand(request.name)
        try:
            self._models.find(request.name, request.version)
        except UnknownModel:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def server_metadata(self, request: pb.ServerMetadataRequest) -> pb.ServerMetadataResponse:
        """What the server is."""
        return pb.ServerMetadataResponse(**tensors.SERVER)

    async def model_metadata(self, request: pb.ModelMetadataRequest, asked: Asked) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        asked.caller.demand(request.name)
        model = self._models.find(request.name, request.version, asked.caller)
        return pb.ModelMetadataResponse(**tensors.metadata(model.predictor, self._models.versions(request.name)))

    def metrics(self, message: pb.ModelInferRequest | pb.ModelInferResponse | None) -> RequestMetrics:
        """The metrics of a prediction; without a model's name if it is unreadable or the model is unknown."""
        try:
            return self._nameless if message is None else self._metrics[self._models.find(*_named(message))]
        except UnknownModel:
            return self._nameless

    async def model_infer(self, request: pb.ModelInferRequest, address: Address, asked: Asked) -> pb.ModelInferResponse:
        """Tensors in, tensors out; the parameter `partial` is what ?partial=true is in HTTP."""
        asked.caller.demand(request.model_name)  # before it says which models there are
        model = self._models.find(*_named(request), asked.caller)
        asked.caller.demand(request.model_name, model.scoring.name)
        model.scoring.gate.demand_room(caller=asked.caller)
        table = tensors.table(model.predictor.contract, _inputs(request))
        partial = _partial(request)
        asked.take(len(table))
        split = None if request.model_version else self._splits[request.model_name]
        if split is None:
            return await _inferred(request, model.scoring, table, asked, partial=partial)
        return await split.answered(
            table,
            address,
            challenger=functools.partial(_inferred, request, split.scoring, table, asked, partial=False),
            champion=functools.partial(_inferred, request, model.scoring, table, asked, partial=partial),
        )


async def _inferred(
    request: pb.ModelInferRequest, verb: Verb, table: Table, asked: Asked, *, partial: bool
) -> pb.ModelInferResponse:
    """What one version answers to a request."""
    answered: Answers = await verb.ask(table, partial=partial, caller=asked.caller, **asked.role_argument)
    asked.answer = answered
    predictor, decoded = answered.predictor, answered.decoded
    response = pb.ModelInferResponse(model_name=predictor.name, model_version=predictor.version, id=request.id)
    if decoded.error_count:
        response.parameters["errors"].string_param = tensors.errors(decoded)
        response.parameters["error_count"].int64_param = decoded.error_count
    for tensor in tensors.answers(predictor, answered, [output.name for output in request.outputs]):
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if request.raw_input_contents:
            response.raw_output_contents.append(tensors.pack(tensor))
        else:
            field = getattr(output.contents, _FIELDS[tensor.datatype])
            values = tensor.plain()
            field.extend(map(str.encode, values) if tensor.datatype == TEXT else values)
    return response


def _named(message: pb.ModelInferRequest | pb.ModelInferResponse) -> tuple[str, str]:
    return message.model_name, message.model_version


def _partial(request: pb.ModelInferRequest) -> bool:
    parameter = request.parameters.get("partial")
    if parameter is None:
        return False
    if parameter.WhichOneof("parameter_choice") != "bool_param":
        raise UnreadableRequest("The parameter partial takes a bool_param.")
    return bool(parameter.bool_param)


def _inputs(request: pb.ModelInferRequest) -> list[Tensor]:
    raw = request.raw_input_contents
    if raw and (len(raw) != len(request.inputs) or any(column.HasField("contents") for column in request.inputs)):
        raise UnreadableRequest("Values are either raw_input_contents, one for each input, or all in `contents`.")
    columns = []
    for place, column in enumerate(request.inputs):
        if raw:
            values = tensors.unpack(column.name, column.datatype, raw[place])
        else:
            values = list(getattr(column.contents, _FIELDS.get(column.datatype, "fp64_contents")))
            if column.datatype == TEXT:
                values = [tensors.text(column.name, value) for value in values]
        columns.append(Tensor(column.name, column.datatype, column.shape, values))
    return columns


class Method(NamedTuple):
    """One method of the service."""

    answer: Callable[[Any, Address, Asked], Awaitable[Any]]
    metrics: Callable[[Any | None], RequestMetrics | None] = lambda message: None

    async def __call__(self, request: Any, address: Address, asked: Asked) -> Any:
        """Answer one request."""
        return await self.answer(request, address, asked)


def _of(answer: Callable[[Any], Awaitable[Any]]) -> Method:
    """A method that is the same for all callers, and not counted."""

    async def told(request: Any, _: Address, __: Asked) -> Any:
        return await answer(request)

    return Method(told)


def _of_model(answer: Callable[[Any, Asked], Awaitable[Any]]) -> Method:
    """A method that is for those who may ask its model, and not counted."""

    async def told(request: Any, _: Address, asked: Asked) -> Any:
        return await answer(request, asked)

    return Method(told)


def methods(service: OpenInference) -> dict[str, Method]:
    """The methods of the service under their names in the protocol."""
    return {
        "ServerLive": _of(service.server_live),
        "ServerReady": _of(service.server_ready),
        "ModelReady": _of_model(service.model_ready),
        "ServerMetadata": _of(service.server_metadata),
        "ModelMetadata": _of_model(service.model_metadata),
        "ModelInfer": Method(service.model_infer, service.metrics),
    }
