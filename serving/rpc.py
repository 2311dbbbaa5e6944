"""gRPC beside HTTP in the same worker: services, health and reflection, errors as HTTP says them, start and stop."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import FrameType
from typing import Any

import grpc
import msgspec
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving import logs, open_inference, problem_details, typed
from serving.models import Models
from serving.open_inference import OpenInference
from serving.settings import Settings
from serving.tracing import Tracing
from validation.errors import RequestError, UnreadableRequest
from validation.wire import ProblemDetails

PROBLEM = "problem-details-bin"
"""The trailing metadata of a failed call: the problem details that HTTP would answer, as JSON."""
_CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.INTERNAL_SERVER_ERROR: grpc.StatusCode.INTERNAL,
}
# Clients drop a call whose trailing metadata is larger than 8 kB, where a text counts three times a byte and a
# document four thirds, and would not learn why it was refused.
_TEXT_BYTES = 600
_DETAILS_BYTES = 4_000
_GRACE = 8.0
"""Seconds that calls in flight get to end after SIGTERM; Cloud Run kills after ten."""

Call = Callable[[Any], Awaitable[Any]]
_log = logging.getLogger("boxwood.grpc")
_encode = msgspec.json.Encoder().encode


async def start(models: Models, settings: Settings, tracing: Tracing) -> None:
    """Serve on the settings' address, beside the other workers, until SIGTERM."""
    server = grpc.aio.server(
        maximum_concurrent_rpcs=settings.max_connections,
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
        ],
    )
    probes = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probes, server)
    pool = DescriptorPool()  # what reflection shows; each model's messages are made in it
    for shared in (open_inference.SERVICE.file, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        pool.AddSerializedFile(shared.serialized_pb)
    services: dict[ServiceDescriptor, Mapping[str, Call]] = {
        open_inference.SERVICE: open_inference.calls(OpenInference(models, settings))
    }
    for model in models:
        service = typed.service(model.predictor.problem, pool)
        services[service] = typed.calls(service, model, settings)
    for service, calls in services.items():
        _add(server, service, calls, tracing)
    names = [health.SERVICE_NAME, *(service.full_name for service in services)]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server, pool)
    server.add_insecure_port(f"{settings.grpc_host}:{settings.grpc_port}")
    await server.start()
    for name in ("", *names):
        await probes.set(name, health_pb2.HealthCheckResponse.SERVING)
    _stop_at_sigterm(server, probes)


def _add(server: grpc.aio.Server, service: ServiceDescriptor, calls: Mapping[str, Call], tracing: Tracing) -> None:
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _answering(method, calls[method.name], tracing),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in service.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


def _answering(method: MethodDescriptor, call: Call, tracing: Tracing) -> Callable[..., Awaitable[Any]]:
    read = GetMessageClass(method.input_type).FromString  # not left to gRPC, which would call it our failure

    async def answer(sent: bytes, context: grpc.aio.ServicerContext) -> Any:
        started = time.perf_counter()
        metadata = context.invocation_metadata()
        trace = logs.trace_parent(next((value for key, value in metadata if key == logs.TRACE), None))
        if trace is not None:
            context.set_trailing_metadata(((logs.TRACE, trace),))
        with tracing.call(method.full_name, metadata):
            try:
                return await call(read(sent))
            except DecodeError as error:
                details = problem_details.of(
                    UnreadableRequest(f"The request is no {method.input_type.full_name}: {error}.")
                )
            except RequestError as error:
                details = problem_details.of(error)
            except Exception:  # noqa: BLE001 the last resort of a call: logged, and never the server's end
                _log.exception(logs.line("error", trace, call=method.full_name))
                details = problem_details.failure()
            finally:
                seconds = time.perf_counter() - started
                if seconds > logs.SLOW_SECONDS:
                    _log.warning(logs.line("slow", trace, call=method.full_name, seconds=round(seconds, 3)))
        return await _abort(context, details)

    return answer


async def _abort(context: grpc.aio.ServicerContext, details: ProblemDetails) -> Any:
    text = details.detail
    if isinstance(details.errors, list) and details.errors:
        first = details.errors[0]
        text = f"{text} First: row {first.row}, {first.column}: {first.message}"
    text = text.encode()[:_TEXT_BYTES].decode(errors="ignore")
    trailing = (*context.trailing_metadata(), (PROBLEM, _fitting(details)))
    return await context.abort(_CODES[HTTPStatus(details.status)], text, trailing)


def _fitting(details: ProblemDetails) -> bytes:
    """The document with as many of its errors as a client can receive."""
    encoded = _encode(details)
    while len(encoded) > _DETAILS_BYTES and details.errors:
        details = msgspec.structs.replace(details, errors=details.errors[: len(details.errors) * 3 // 4])
        encoded = _encode(details)
    return encoded


def _stop_at_sigterm(server: grpc.aio.Server, probes: health.aio.HealthServicer) -> None:
    """Stop together with HTTP: BentoML's own hook runs only after HTTP has drained, and calls would come until then."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []
    before = signal.getsignal(signal.SIGTERM)

    async def stop() -> None:
        await probes.enter_graceful_shutdown()
        await server.stop(_GRACE)

    def stop_both(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(lambda: stopping.append(loop.create_task(stop())))
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop_both)
