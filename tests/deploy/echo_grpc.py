"""The same over gRPC: any method answers each message with the revision and the message; health is the standard's.

The message b"fail" ends a call with DATA_LOSS; trailing metadata says the revision.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

REVISION = os.environ["K_REVISION"]


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc] # untyped there
    def service(self, handler_call_details: Any) -> Any:
        known = handler_call_details.method.startswith("/echo.Echo/")
        return grpc.stream_stream_rpc_method_handler(self.answer) if known else None

    def answer(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        sent = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-asked", sent.get("x-ask", "")),))
        context.set_trailing_metadata((("x-revision", REVISION), ("x-problem-bin", b"\x00\xff")))
        for message in messages:
            if message == b"fail":
                context.abort(grpc.StatusCode.DATA_LOSS, "as it was told")
            yield REVISION.encode() + b" " + message


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Echo(),))
servicer = health.HealthServicer()
servicer.set("", health_pb2.HealthCheckResponse.SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
server.start()
stopped = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())
stopped.wait()
server.stop(5).wait()
sys.exit(0)
