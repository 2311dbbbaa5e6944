"""The gRPC server in the same worker as HTTP: services, health, reflection, errors as in HTTP, start and stop."""

import asyncio
import functools
import logging
import signal
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2

from serving import lifecycle, logs, port, purpose, telemetry, tls
from serving.access.caller import Asked
from serving.challenger import Address
from serving.models import Models
from serving.rpc import messages, open_inference, reflection, typed, waking
from serving.rpc.door import Door
from serving.rpc.messages import Messages
from serving.rpc.open_inference import OpenInference
from serving.settings import Settings
from serving.telemetry import RequestMetrics
from serving.tracing import Tracing
from validation.errors import Overloaded, RequestError

_IDLE_SECONDS = 300
"""A connection without a call is closed after this time, and one with calls is sent a keepalive ping."""


class Method(Protocol):
    """Answers the calls of a method."""

    def metrics(self, message: Any | None) -> RequestMetrics | None:
        """The metrics of a request, or of its answer, which may be another version's; None to count nothing.

        Args:
            message: what names the version; None if no message was read.
        """

    async def __call__(self, request: Any, address: Address, asked: Asked) -> Any:
        """The answer to a caller, whose call `asked` is; raises RequestError."""


_log = logging.getLogger("boxwood.grpc")


async def start(models: Models, settings: Settings, traces: Tracing) -> Callable[[], Awaitable[None]]:
    """Serve on the settings' address, beside the other workers, until SIGTERM.

    Returns:
        A function that stops it, and returns when the calls in flight have ended or timed out.
    """
    probes = health.aio.HealthServicer()
    pool = DescriptorPool()  # what reflection shows; each model's messages are made in it
    for shared in (open_inference.SERVICE.file, health_pb2.DESCRIPTOR):
        pool.AddSerializedFile(shared.serialized_pb)
    services: dict[ServiceDescriptor, Mapping[str, Method]] = {}
    for name in models.names:  # the first service that has a method answers: so the quickest are asked first
        service = typed.service(models.find(name).predictor.problem, pool)
        services[service] = typed.methods(service, name, models)
    services[open_inference.SERVICE] = open_inference.methods(OpenInference(models))
    room = _Room(settings.max_connections)
    arriving = Messages(settings)
    door = Door(models.shared.access, settings, models.names)
    handlers = [_handler(service, methods, arriving, room, door) for service, methods in services.items()]
    names = [health.SERVICE_NAME, *(service.full_name for service in services)]
    handlers += [_health_handler(probes, arriving), *reflection.handlers(names, pool, arriving, door)]
    interceptors, certificates = traces.interceptors(), tls.of(settings)
    with waking.fewer(asyncio.get_running_loop()):
        # each accepts one call in a turn of the event loop, so with one of them rows hardly ever meet, see `Together`
        servers = [_server(settings, handlers, interceptors, certificates) for _ in range(settings.grpc_listeners)]
        for server in servers:
            await server.start()
    for name in ("", *names):
        await probes.set(name, health_pb2.HealthCheckResponse.SERVING)
    return _stop_at_sigterm(servers, probes)


def _server(
    settings: Settings,
    handlers: Sequence[grpc.GenericRpcHandler],
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    certificates: tls.Certificates | None,
) -> grpc.aio.Server:
    """One of the servers that share the settings' address; not started."""
    server = grpc.aio.server(
        maximum_concurrent_rpcs=settings.max_connections,  # for probes and reflection, to which `_Room` does not apply
        options=_options(settings),
        interceptors=interceptors,
    )
    server.add_generic_rpc_handlers(handlers)
    address = port.address(settings.grpc_host, settings.grpc_port)
    if certificates is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, tls.for_grpc(certificates))
    return server


def _handler(
    service: ServiceDescriptor, methods: Mapping[str, Method], arriving: Messages, room: "_Room", door: Door
) -> grpc.GenericRpcHandler:
    by_name = {
        described.name: _Handler(described, methods[described.name], arriving, room, door).handler
        for described in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, by_name)


def _health_handler(probes: health.aio.HealthServicer, arriving: Messages) -> grpc.GenericRpcHandler:
    """The health service, read by `Messages`: the library's own handler would wait for messages without a limit."""

    async def check(_: object, context: grpc.aio.ServicerContext) -> health_pb2.HealthCheckResponse:
        return await probes.Check(await read(context), context)

    async def watch(_: object, context: grpc.aio.ServicerContext) -> None:
        await probes.Watch(await read(context), context)

    async def read(context: grpc.aio.ServicerContext) -> health_pb2.HealthCheckRequest:
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
    """The limits that gRPC itself enforces: sizes of messages, and idle, dead or old connections."""
    seconds = settings.max_request_seconds
    age = settings.max_grpc_connection_seconds
    return [
        *([("grpc.max_connection_age_ms", 1_000 * age)] if age else []),
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.server_handshake_timeout_ms", 1_000 * seconds),
        ("grpc.max_connection_idle_ms", 1_000 * _IDLE_SECONDS),
        ("grpc.keepalive_time_ms", 1_000 * _IDLE_SECONDS),
        ("grpc.keepalive_timeout_ms", 1_000 * min(seconds, _IDLE_SECONDS)),
    ]


class _Room:
    """Limits the calls at a time, over all listeners."""

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
    """Answers the calls of one method: reads the message, counts the call, and reports errors."""

    def __init__(
        self, described: MethodDescriptor, method: Method, arriving: Messages, room: _Room, door: Door
    ) -> None:
        self._name = described.full_name
        self._method = method
        self._room = room
        self._door = door
        self._messages = arriving
        self._kind = GetMessageClass(described.input_type)
        # For callers it is the same as a unary method. But for those, gRPC waits for the message without a limit, and
        # reports one that it cannot parse as an internal error.
        self.handler = grpc.stream_unary_rpc_method_handler(
            self._answer, response_serializer=GetMessageClass(described.output_type).SerializeToString
        )

    async def _answer(self, _: object, context: grpc.aio.ServicerContext) -> Any:
        metadata = context.invocation_metadata() or ()
        values, caller = dict(reversed(metadata)), logs.NOBODY  # the first of several, as over HTTP
        if logs.TRACE in values or logs.REQUEST in values:
            caller = logs.Caller.of(values.get(logs.TRACE), values.get(logs.REQUEST))
            context.set_trailing_metadata(tuple(caller.sent_back))
        measured, asked = telemetry.Measurement(self._method.metrics(None)), Asked()
        try:
            with measured, self._room:
                asked.caller = self._door.known(self._name, metadata) or await self._door.identified(metadata)
                asked.role = purpose.role_of(values.get(purpose.HEADER))
                request = await self._messages.one(context, self._kind, functools.partial(asked.sends, (self._name,)))
                measured.metrics = self._method.metrics(request)
                answer = await self._method(request, functools.partial(_address, context.peer, values), asked)
                measured.metrics = self._method.metrics(answer)
                return answer
        except RequestError as error:
            return await messages.refuse(context, error)
        except Exception:  # noqa: BLE001 the last resort of a call: logged, and never the server's end
            _log.exception("error", extra=logs.facts(caller, call=self._name))
            return await messages.fail(context)
        finally:
            if self._door.noting:
                self._door.ended(self._name, asked, measured, caller.request)
            if measured.seconds > logs.SLOW_SECONDS:
                _log.warning("slow", extra=logs.facts(caller, call=self._name, seconds=round(measured.seconds, 3)))


def _address(peer: Callable[[], str], metadata: Mapping[str, Any]) -> str:
    """Where a call comes from: what the first proxy says, else the connection's other end, as it is over HTTP."""
    forwarded: str = metadata.get("x-forwarded-for", "")
    if forwarded:
        return forwarded.partition(",")[0].strip()
    host = peer().partition(":")[2].rpartition(":")[0]  # of ipv4:127.0.0.1:50051, or ipv6:%5B::1%5D:50051
    return urllib.parse.unquote(host).strip("[]")


def _stop_at_sigterm(
    servers: Sequence[grpc.aio.Server], probes: health.aio.HealthServicer
) -> Callable[[], Awaitable[None]]:
    """Stop together with HTTP: BentoML's own hook runs after HTTP has drained, and calls would come until then."""
    loop = asyncio.get_running_loop()
    previous = signal.getsignal(signal.SIGTERM)

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
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGTERM, stop_both)
    return stop
