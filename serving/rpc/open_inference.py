"""gRPC: the Open Inference Protocol, `inference.GRPCInferenceService`. It translates and decides nothing."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from serving import tensors
from serving.models import Models
from serving.rpc.protos import open_inference_pb2 as pb
from serving.telemetry import RequestMetrics
from serving.tensors import TEXT, Tensor
from validation.errors import UnknownModel, UnreadableRequest

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

    async def server_live(self, request: pb.ServerLiveRequest) -> pb.ServerLiveResponse:
        """Whether the server runs."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, request: pb.ServerReadyRequest) -> pb.ServerReadyResponse:
        """Whether all models answer."""
        return pb.ServerReadyResponse(ready=True)

    async def model_ready(self, request: pb.ModelReadyRequest) -> pb.ModelReadyResponse:
        """Whether one model answers; an unknown model is not ready, as HTTP's clients take a 404."""
        try:
            self._models.find(request.name, request.version)
        except UnknownModel:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def server_metadata(self, request: pb.ServerMetadataRequest) -> pb.ServerMetadataResponse:
        """What the server is."""
        return pb.ServerMetadataResponse(**tensors.SERVER)

    async def model_metadata(self, request: pb.ModelMetadataRequest) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        model = self._models.find(request.name, request.version)
        return pb.ModelMetadataResponse(**tensors.metadata(model.predictor, self._models.versions(request.name)))

    def metrics(self, request: pb.ModelInferRequest | None) -> RequestMetrics:
        """The metrics of a prediction request; without a model's name if it is unreadable or the model is unknown."""
        try:
            return self._nameless if request is None else self._metrics[self._models.find(*_named(request))]
        except UnknownModel:
            return self._nameless

    async def model_infer(self, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
        """Tensors in, tensors out; the parameter `partial` is what ?partial=true is in HTTP."""
        model = self._models.find(*_named(request))
        predictor = model.predictor
        model.scoring.gate.demand_room()
        table = tensors.table(predictor.contract, _inputs(request))
        answered = await model.scoring.ask(table, partial=_partial(request))
        response = pb.ModelInferResponse(model_name=predictor.name, model_version=predictor.version, id=request.id)
        if answered.decoded.error_count:
            response.parameters["errors"].string_param = tensors.errors(answered.decoded)
            response.parameters["error_count"].int64_param = answered.decoded.error_count
        for tensor in tensors.answers(predictor, answered, [output.name for output in request.outputs]):
            output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            if request.raw_input_contents:
                response.raw_output_contents.append(tensors.pack(tensor))
            else:
                field = getattr(output.contents, _FIELDS[tensor.datatype])
                values = tensor.plain()
                field.extend(map(str.encode, values) if tensor.datatype == TEXT else values)
        return response


def _named(request: pb.ModelInferRequest) -> tuple[str, str]:
    return request.model_name, request.model_version


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

    answer: Callable[[Any], Awaitable[Any]]
    metrics: Callable[[Any | None], RequestMetrics | None] = lambda request: None

    async def __call__(self, request: Any) -> Any:
        """Answer one request."""
        return await self.answer(request)


def methods(service: OpenInference) -> dict[str, Method]:
    """The methods of the service under their names in the protocol."""
    return {
        "ServerLive": Method(service.server_live),
        "ServerReady": Method(service.server_ready),
        "ModelReady": Method(service.model_ready),
        "ServerMetadata": Method(service.server_metadata),
        "ModelMetadata": Method(service.model_metadata),
        "ModelInfer": Method(service.model_infer, service.metrics),
    }
