"""The API's gRPC server: records each call, lets it fail where the test wants, does it, answers refusals."""

import functools
import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc

from tests.deploy.standin.faults import Faults, How
from tests.deploy.standin.record import Record
from tests.deploy.standin.rules import Refused
from tests.deploy.standin.services import Services, methods


class Api:
    """The server, from its creation until `close`. `lock` is held while a call is done."""

    def __init__(self, services: Services, lock: Any, record: Record, faults: Faults) -> None:
        self._lock = lock
        self._record = record
        self._faults = faults
        self._closed = threading.Event()
        self._server = grpc.server(futures.ThreadPoolExecutor(32), options=(("grpc.so_reuseport", 0),))
        for name, found in methods(services).items():
            handlers = {
                method: grpc.unary_unary_rpc_method_handler(functools.partial(self._answer, method, do), read, write)
                for method, (do, read, write) in found.items()
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Answer no more; calls that hang end."""
        self._closed.set()
        self._server.stop(None).wait()

    def _answer(self, method: str, do: Callable[[Any], Any], request: Any, context: Any) -> Any:
        call = self._record.call(method, request)
        fault = self._faults.of_call(call)
        if fault is not None and fault.how is How.REFUSED:
            context.abort(fault.code, "The stand-in was told to fail before doing it.")
        if fault is not None and fault.how is How.HANGS:
            self._hang(context)
        try:
            with self._lock:
                answer = do(request)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))
        if fault is not None and fault.how is How.LOST:
            context.abort(fault.code, "The stand-in was told to lose the answer.")
        if fault is not None and fault.how is How.HANGS_AFTER:
            self._hang(context)
        return answer

    def _hang(self, context: Any) -> None:
        over = threading.Event()
        if context.add_callback(over.set):
            while not over.wait(0.05) and not self._closed.is_set():
                pass
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "Nobody waits for this answer.")
