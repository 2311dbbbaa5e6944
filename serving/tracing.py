"""Traces by OpenTelemetry, switched on by its own environment variables.

`OTEL_TRACES_EXPORTER` (otlp, console or none) switches them on, and so does an `OTEL_EXPORTER_OTLP_ENDPOINT` alone. The
SDK reads the others by itself, as its specification says: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_EXPORTER_OTLP_… (HTTP).
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry.trace import INVALID_SPAN, Span, StatusCode
from starlette.types import ASGIApp

from validation.errors import SettingsError

if TYPE_CHECKING:
    import grpc
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS = ("otlp", "console", "none")
_LAST_SECONDS = 1.0
"""How long the last spans may take to be sent; a collector that does not answer holds up no stop."""
_SERVICE = "OTEL_SERVICE_NAME"


class Tracing:
    """Makes a span of every request, or does nothing where tracing is off."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the variables; raises SettingsError for an exporter that is not there."""
        named = environment.get("OTEL_TRACES_EXPORTER", "")
        self._exporter = named or ("otlp" if any(map(environment.get, _ENDPOINTS)) else "none")
        if self._exporter not in _EXPORTERS:
            raise SettingsError(f"OTEL_TRACES_EXPORTER is {named!r}. There are: {', '.join(_EXPORTERS)}.")
        self._on = self._exporter != "none" and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        self._named = _SERVICE in environment
        self._provider: TracerProvider | None = None

    def start(self) -> None:
        """Send spans from now on; to be called once in a process that answers."""
        if not self._on:
            return
        # a service that sends no traces need not load what would
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({} if self._named else {"service.name": "boxwood"}))
        provider.add_span_processor(BatchSpanProcessor(self._make()))
        trace.set_tracer_provider(provider)
        self._provider = provider

    def stop(self) -> None:
        """Send the spans that are left."""
        if self._provider is None:
            return
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(_LAST_SECONDS)

    def _make(self) -> "SpanExporter":
        if self._exporter == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()

    def traced(self, application: ASGIApp) -> ASGIApp:
        """The application with a span around each HTTP request."""
        if not self._on:
            return application
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

        middleware: ASGIApp = OpenTelemetryMiddleware(application, exclude_spans=["receive", "send"])
        return middleware

    @contextlib.contextmanager
    def call(self, method: str, metadata: Sequence[tuple[str, str | bytes]]) -> Iterator[Span]:
        """A span around a gRPC call, whose caller may have sent its trace context as metadata."""
        if not self._on:
            yield INVALID_SPAN
            return
        from opentelemetry import propagate, trace

        context = propagate.extract({key: value for key, value in metadata if isinstance(value, str)})
        kind, what = trace.SpanKind.SERVER, {"rpc.system": "grpc", "rpc.method": method}
        tracer = trace.get_tracer(__name__)
        with tracer.start_as_current_span(method, context=context, kind=kind, attributes=what) as span:
            yield span


def ended(span: Span, code: "grpc.StatusCode") -> None:
    """Say in the span of a gRPC call how it ended; it is an error's where the service failed, not its caller."""
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code.name == "INTERNAL":
        span.set_status(StatusCode.ERROR)
