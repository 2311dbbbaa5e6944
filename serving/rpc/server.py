"""gRPC beside HTTP in the same worker: services, health and reflection, errors as HTTP says them, start and stop."""

import asyncio
import functools
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2

from serving import lifecycle, logs, port, telemetry
from serving.models import Models
from serving.rpc import messages, open_inference, reflection, typed
from serving.rpc.messages import Messages
from serving.rpc.open_inference import OpenInference
from serving.settings import Settings
from serving.telemetry import RequestMetrics
from serving.tracing import Tracing
from validation.errors import Overloaded, RequestError

_LISTENERS = 16
"""As many gRPC servers share the port in a worker: each takes up one call in a turn of the event loop, and rows that
arrive in one turn are predicted together. On 8 connections that is two thirds more calls a second than one gets."""
_IDLE_SECONDS = 300
"""A connection without a call is closed after that, and one with calls is asked whether somebody is still there."""


class Method(Protocol):
    """What answers a method."""

    def metrics(self, request: Any | None) -> RequestMetrics | None:
        """What counts a request, which is None where no message was read; None if nobody does."""

    async def __call__(self, request: Any) -> Any:
        """The answer; raises RequestError."""


_log = logging.getLogger("boxwood.grpc")


async def start(models: Models, settings: Settings, traces: Tracing) -> Callable[[], Awaitable[None]]:
    """Serve on the settings' address, beside the other workers, until SIGTERM.

    Returns:
        What stops it and comes back when the calls in flight have ended, or their time is over.
    """
    probes = health.aio.HealthServicer()
    pool = DescriptorPool()  # what reflection shows; each model's messages are made in it
    for shared in (open_inference.SERVICE.file, health_pb2.DESCRIPTOR):
        pool.AddSerializedFile(shared.serialized_pb)
    services: dict[ServiceDescriptor, Mapping[str, Method]] = {
        open_inference.SERVICE: open_inference.methods(OpenInference(models))
    }
    for model in models:
        service = typed.service(model.predictor.problem, pool)
        services[service] = typed.methods(service, model)
    room = _Room(settings.max_connections)
    arriving = Messages(settings)
    handlers = [_handler(service, methods, arriving, room) for service, methods in services.items()]
    names = [health.SERVICE_NAME, *(service.full_name for service in services)]
    handlers += [_probed(probes, arriving), *reflection.handlers(names, pool, arriving)]
    interceptors = traces.interceptors()
    servers = []
    for _ in range(_LISTENERS):
        # what has no room of ours, probes and reflection, has this one
        server = grpc.aio.server(
            maximum_concurrent_rpcs=settings.max_connections, options=_options(settings), interceptors=interceptors
        )
        server.add_generic_rpc_handlers(handlers)
        server.add_insecure_port(port.address(settings.grpc_host, settings.grpc_port))
        servers.append(server)
    for server in servers:
        await server.start()
    for name in ("", *names):
        await probes.set(name, health_pb2.HealthCheckResponse.SERVING)
    return _stop_at_sigterm(servers, probes)


def _handler(
    service: ServiceDescriptor, methods: Mapping[str, Method], arriving: Messages, room: "_Room"
) -> grpc.GenericRpcHandler:
    by_name = {
        described.name: _Handler(described, methods[described.name], arriving, room).handler
        for described in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, by_name)


def _probed(probes: health.aio.HealthServicer, arriving: Messages) -> grpc.GenericRpcHandler:
    """The health service. As its library has it, gRPC would wait for ever for a message, with any number of them."""

    async def check(_: object, context: grpc.aio.ServicerContext) -> health_pb2.HealthCheckResponse:
        return await probes.Check(await asked(context), context)

    async def watch(_: object, context: grpc.aio.ServicerContext) -> None:
        await probes.Watch(await asked(context), context)

    async def asked(context: grpc.aio.ServicerContext) -> health_pb2.HealthCheckRequest:
        try:
            return await arriving.one(context, health_pb2.HealthCheckRequest)
        except RequestError as error:
            return await messages.refuse(context, error)

    serialize = health_pb2.HealthCheckResponse.SerializeToString
    return grpc.method_handlers_generic_handler(
        health.SERVICE_NAME,
        {
            "Check": grpc.stream_unary_rpc_method_handler(check, response_serializer=serialize),
            "Watch": grpc.stream_stream_rpc_method_handler(watch, response_serializer=serialize),
        },
    )


def _options(settings: Settings) -> list[tuple[str, int]]:
    """What gRPC itself sees to: sizes, and connections that nobody uses or nobody is at the end of any more."""
    seconds = settings.max_request_seconds
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.server_handshake_timeout_ms", 1_000 * seconds),
        ("grpc.max_connection_idle_ms", 1_000 * _IDLE_SECONDS),
        ("grpc.keepalive_time_ms", 1_000 * _IDLE_SECONDS),
        ("grpc.keepalive_timeout_ms", 1_000 * min(seconds, _IDLE_SECONDS)),
    ]


class _Room:
    """For a number of calls at a time, over all listeners."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    def __enter__(self) -> None:
        if self._open >= self._most:
            raise Overloaded(f"{self._most} calls are open already. Try again in a moment.")
        self._open += 1

    def __exit__(self, *_: object) -> None:
        self._open -= 1


class _Handler:
    """Answers the calls of one method: reads the message, counts, and says errors."""

    def __init__(self, described: MethodDescriptor, method: Method, arriving: Messages, room: _Room) -> None:
        self._name = described.full_name
        self._method = method
        self._room = room
        self._messages = arriving
        self._kind = GetMessageClass(described.input_type)
        # Callers notice no difference to a method that takes one message; but gRPC waits for that for ever, and would
        # call what it cannot read our failure.
        self.handler = grpc.stream_unary_rpc_method_handler(
            self._answer, response_serializer=GetMessageClass(described.output_type).SerializeToString
        )

    async def _answer(self, _: object, context: grpc.aio.ServicerContext) -> Any:
        metadata = context.invocation_metadata()
        sent = dict(metadata)
        caller = logs.Caller.of(sent.get(logs.TRACE), sent.get(logs.REQUEST))
        if caller != logs.NOBODY:
            context.set_trailing_metadata(tuple(caller.sent_back))
        measured = telemetry.Measurement(self._method.metrics(None))
        try:
            with measured, self._room:
                request = await self._messages.one(context, self._kind)
                measured.metrics = self._method.metrics(request)
                return await self._method(request)
        except RequestError as error:
            return await messages.refuse(context, error)
        except Exception:  # noqa: BLE001 the last resort of a call: logged, and never the server's end
            _log.exception("error", extra=logs.facts(caller, call=self._name))
            return await messages.fail(context)
        finally:
            if measured.seconds > logs.SLOW_SECONDS:
                _log.warning("slow", extra=logs.facts(caller, call=self._name, seconds=round(measured.seconds, 3)))


def _stop_at_sigterm(
    servers: Sequence[grpc.aio.Server], probes: health.aio.HealthServicer
) -> Callable[[], Awaitable[None]]:
    """Stop together with HTTP: BentoML's own hook runs only after HTTP has drained, and calls would come until then."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)

    async def ending() -> None:
        await probes.enter_graceful_shutdown()
        await asyncio.gather(*(server.stop(lifecycle.GRACE_SECONDS) for server in servers))

    @functools.cache
    def begin() -> asyncio.Task[None]:
        return loop.create_task(ending())

    async def stop() -> None:
        await begin()

    def stop_both(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, stop_both)
    return stop
