"""OpenTelemetry by its own environment variables: spans arrive at a collector that speaks OTLP."""

import http.server
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from serving.tracing import Tracing
from tests.project import DEV, Project, free_port
from tests.serving.test_asgi import TRACE
from tests.serving.test_http import PREDICT
from validation.errors import SettingsError

GRPC_CALL = "inference.GRPCInferenceService.ServerLive"
SERVER_LIVE = "/inference.GRPCInferenceService/ServerLive"
MODEL_READY = "/inference.GRPCInferenceService/ModelReady"
CODES = {GRPC_CALL: 0, "inference.GRPCInferenceService.ModelReady": 3}
Spans = queue.Queue[Any]


@pytest.fixture
def collector() -> Iterator[tuple[str, Spans]]:
    """Where traces can be sent, and the resources with their spans that were."""
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


def test_a_request_is_a_span_of_its_callers_trace(
    trained: Project, bento: str, tmp_path: Path, collector: tuple[str, Spans], row: dict[str, Any]
) -> None:
    address, arrived = collector
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    variables |= {"OTEL_BSP_SCHEDULE_DELAY": "600000", "BOXWOOD_GRPC_PORT": str(free_port())}
    with trained.start(bento, tmp_path / "elsewhere", DEV, **variables) as (server, _):
        answer = server.post(PREDICT, json={"instances": [row]}, headers={"traceparent": TRACE})
        assert answer.status_code == 200
        assert answer.headers["traceparent"] == TRACE
        with grpc.insecure_channel(f"127.0.0.1:{variables['BOXWOOD_GRPC_PORT']}") as channel:
            sent = (("traceparent", TRACE), ("x-request-id", "order-17"))
            _, call = channel.unary_unary(SERVER_LIVE).with_call(b"", metadata=sent)
            assert set(sent) <= {tuple(one) for one in call.trailing_metadata()}
            with pytest.raises(grpc.RpcError):
                channel.unary_unary(MODEL_READY)(b"no message")
    spans: dict[str, Any] = {}
    while not {f"POST {PREDICT}", *CODES} <= set(spans):  # they wait for the server's end
        resource = arrived.get(timeout=60)
        spans |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    for name, code in CODES.items():
        assert {one.key: one.value.int_value for one in spans[name].attributes}["rpc.grpc.status_code"] == code
        assert spans[name].status.code == Status.STATUS_CODE_UNSET  # what a caller did wrong is no failure of ours
    for span in (spans[f"POST {PREDICT}"], spans[GRPC_CALL]):
        assert span.trace_id.hex() == TRACE.split("-")[1]
        assert span.parent_span_id.hex() == TRACE.split("-")[2]
    assert {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"] == "boxwood"


def test_an_unknown_exporter_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"OTEL_TRACES_EXPORTER is .jaeger.\. There are: otlp, console, none"):
        Tracing({"OTEL_TRACES_EXPORTER": "jaeger"})


def test_tracing_is_off_unless_asked_for() -> None:
    application = object()
    for variables in (
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
    ):
        assert Tracing(variables).traced(application) is application  # type: ignore[arg-type]
