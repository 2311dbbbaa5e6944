"""OpenTelemetry by its own environment variables: spans arrive at a collector that speaks OTLP, over HTTP or gRPC."""

import concurrent.futures
import contextlib
import http.server
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from serving.tracing import Tracing
from tests.project import DEV, Project, free_port
from tests.serving.rest.test_asgi import TRACE
from tests.serving.rest.test_http import PREDICT
from validation.errors import SettingsError

SERVICE = "inference.GRPCInferenceService"
CODES = {"ServerLive": 0, "ModelReady": 3}
Spans = queue.Queue[Any]


@contextlib.contextmanager
def over_http() -> Iterator[tuple[str, Spans]]:
    """The address of a collector, and the resources with their spans that arrive."""
    arrived: Spans = queue.Queue()

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                arrived.put(resource)
            self.send_response(200)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", arrived
        server.shutdown()


@contextlib.contextmanager
def over_grpc() -> Iterator[tuple[str, Spans]]:
    """The same over gRPC."""
    arrived: Spans = queue.Queue()

    class Collector(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:  # noqa: N802
            for resource in request.resource_spans:
                arrived.put(resource)
            return ExportTraceServiceResponse()

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    add_TraceServiceServicer_to_server(Collector(), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", arrived
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("protocol", "collector"),
    [("http/protobuf", over_http), pytest.param("grpc", over_grpc, marks=pytest.mark.slow)],
)
def test_a_request_is_a_span_of_its_callers_trace(
    trained: Project,
    bento: str,
    tmp_path: Path,
    row: dict[str, Any],
    protocol: str,
    collector: Callable[[], AbstractContextManager[tuple[str, Spans]]],
) -> None:
    port = str(free_port())
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "BOXWOOD_GRPC_PORT": port}
    variables |= {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
    variables |= {"OTEL_PYTHON_EXCLUDED_URLS": "readyz, /v1/models$"}
    variables |= {"OTEL_PYTHON_GRPC_EXCLUDED_SERVICES": "grpc.health.v1.Health"}
    with collector() as (address, arrived):
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = address
        with trained.start(bento, tmp_path / "elsewhere", DEV, **variables) as (server, _):
            answer = server.post(PREDICT, json={"instances": [row]}, headers={"traceparent": TRACE})
            assert answer.status_code == 200
            assert answer.headers["traceparent"] == TRACE
            assert server.get("/v1/models").status_code == 200
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                sent = (("traceparent", TRACE), ("x-request-id", "order-17"))
                _, call = channel.unary_unary(f"/{SERVICE}/ServerLive").with_call(b"", metadata=sent)
                assert set(sent) <= {tuple(one) for one in call.trailing_metadata()}
                with pytest.raises(grpc.RpcError):
                    channel.unary_unary(f"/{SERVICE}/ModelReady")(b"no message")
                health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        spans: dict[str, Any] = {}
        while len(spans) < 1 + len(CODES):  # they wait for the server's end
            resource = arrived.get(timeout=60)
            spans |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert set(spans) == {f"POST {PREDICT}", *(f"/{SERVICE}/{method}" for method in CODES)}
    for method, code in CODES.items():
        span = spans[f"/{SERVICE}/{method}"]
        said = {one.key: one.value for one in span.attributes}
        assert said["rpc.system"].string_value == "grpc"
        assert (said["rpc.service"].string_value, said["rpc.method"].string_value) == (SERVICE, method)
        assert said["rpc.grpc.status_code"].int_value == code
        assert span.status.code == Status.STATUS_CODE_UNSET  # what a caller did wrong is no failure of ours
    for span in (spans[f"POST {PREDICT}"], spans[f"/{SERVICE}/ServerLive"]):
        assert span.trace_id.hex() == TRACE.split("-")[1]
        assert span.parent_span_id.hex() == TRACE.split("-")[2]
    assert {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"] == "boxwood"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("OTEL_TRACES_EXPORTER", "jaeger", "There are: otlp, console, none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "There are: http/protobuf, grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "GRPC", "There are: http/protobuf, grpc"),
        ("OTEL_PYTHON_EXCLUDED_URLS", "readyz,[", "no regular expression"),
    ],
)
def test_a_value_without_effect_is_refused(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} .*{says}"):
        Tracing({variable: value})


def test_what_opentelemetry_refuses_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    with pytest.raises(SettingsError, match="OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"):
        Tracing({"OTEL_TRACES_EXPORTER": "console"}).start()


def test_tracing_is_off_unless_asked_for() -> None:
    application = object()
    for variables in (
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
    ):
        assert Tracing(variables).traced(application) is application  # type: ignore[arg-type]
