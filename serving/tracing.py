"""Traces by OpenTelemetry, switched on by its own environment variables.

`OTEL_TRACES_EXPORTER` (otlp, console or none) switches them on, and so does an `OTEL_EXPORTER_OTLP_ENDPOINT` alone.
`OTEL_EXPORTER_OTLP_PROTOCOL` is http/protobuf or grpc. `OTEL_PYTHON_EXCLUDED_URLS` (regular expressions with commas
between them) and `OTEL_PYTHON_GRPC_EXCLUDED_SERVICES` (names of services) say what gets no span. The SDK reads the
others by itself, as its specification says: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER,
OTEL_BSP_…, OTEL_PROPAGATORS, OTEL_EXPORTER_OTLP_….
"""

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from validation.errors import SettingsError

if TYPE_CHECKING:
    import grpc.aio
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_EXPORTERS = ("otlp", "console", "none")
_PROTOCOLS = ("http/protobuf", "grpc")
_LAST_SECONDS = 1.0
"""How long sending the last spans may take; a collector that does not answer must not delay the stop."""
_SERVICE = "OTEL_SERVICE_NAME"


class Tracing:
    """Makes a span of every request, or does nothing where tracing is off."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the variables; raises SettingsError for a value that is not supported here."""
        endpoint = any(map(environment.get, _ENDPOINTS))
        self._exporter = _choice(environment, _EXPORTERS, "OTEL_TRACES_EXPORTER") or ("otlp" if endpoint else "none")
        protocol = _choice(environment, _PROTOCOLS, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        self._protocol = protocol or _PROTOCOLS[0]
        self._excluded = _patterns(environment, "OTEL_PYTHON_ASGI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS")
        services = environment.get("OTEL_PYTHON_GRPC_EXCLUDED_SERVICES", "").split(",")
        self._excluded_services = [service.strip() for service in services if service.strip()]
        self.on = self._exporter != "none" and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        self._named = _SERVICE in environment
        self._provider: TracerProvider | None = None

    def start(self) -> None:
        """Start to export spans; to be called once in each worker.

        Raises:
            SettingsError: OpenTelemetry refuses the value of a variable.
        """
        if not self.on:
            return
        try:
            # imported only where traces are sent; OpenTelemetry reads some variables on import
            from opentelemetry import trace
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            provider = TracerProvider(resource=Resource.create({} if self._named else {"service.name": "boxwood"}))
            provider.add_span_processor(BatchSpanProcessor(self._make()))
        except Exception as error:  # exporters raise errors of any type
            raise SettingsError(f"Traces cannot be exported as the OTEL_ variables say: {error}.") from error
        trace.set_tracer_provider(provider)
        self._provider = provider

    def stop(self) -> None:
        """Send the remaining spans."""
        if self._provider is None:
            return
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(_LAST_SECONDS)

    def _make(self) -> "SpanExporter":
        if self._exporter == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter()
        if self._protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HTTPSpanExporter

        return HTTPSpanExporter()

    def traced(self, application: ASGIApp) -> ASGIApp:
        """The application with a span around each HTTP request."""
        if not self.on:
            return application
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        middleware: ASGIApp = OpenTelemetryMiddleware(
            application, excluded_urls=self._excluded, exclude_spans=["receive", "send"]
        )
        return middleware

    def interceptors(self) -> "list[grpc.aio.ServerInterceptor]":
        """The server interceptors that make a span of each gRPC call; to be called after `start`."""
        if not self.on:
            return []
        from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters

        excluded = filters.any_of(*map(filters.service_name, self._excluded_services))
        return [aio_server_interceptor(filter_=filters.negate(excluded))]  # type: ignore[no-untyped-call]


def _choice(environment: Mapping[str, str], choices: tuple[str, ...], *variables: str) -> str:
    """The value of the first variable that is not empty, or ""; raises SettingsError if it is none of the choices."""
    for variable in variables:
        if value := environment.get(variable):
            if value not in choices:
                raise SettingsError(f"{variable} is {value!r}. There are: {', '.join(choices)}.")
            return value
    return ""


def _patterns(environment: Mapping[str, str], *variables: str) -> str:
    """The regular expressions of the first variable that is set, with commas between them.

    Raises:
        SettingsError: one of them is not a regular expression.
    """
    for variable in variables:
        if variable in environment:
            for pattern in environment[variable].split(","):
                try:
                    re.compile(pattern.strip())
                except re.error as error:
                    raise SettingsError(
                        f"{variable} has {pattern!r}, which is no regular expression: {error}."
                    ) from None
            return environment[variable]
    return ""
