"""The two ways to a revision: HTTP and gRPC, one request at a time, each by a split of its own."""

import abc
import asyncio
import functools
import io
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import aiohttp
import grpc
import yarl
from aiohttp import web

from tests.deploy.standin.balance import Balance, Ended, Request

_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_SKIPPED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_LONGEST_SECONDS = 86_400
_CHANNEL = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # what is lost must be seen
    ("grpc.use_local_subchannel_pool", 1),
)


class Proxy(abc.ABC):
    """A port of loopback that leads to revisions."""

    def __init__(self, ended: Ended) -> None:
        self.balance = Balance(ended)
        self.uri = ""

    @abc.abstractmethod
    async def start(self) -> None:
        """Listen, and know the URI."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Listen no more; what is in flight is cut off."""


class HttpProxy(Proxy):
    """HTTP/1.1. Bodies are passed on when they are complete; clients' connections outlive changes of the split."""

    async def start(self) -> None:
        """Listen, and know the URI."""
        # connections that idle could be closed by the server just when a request is sent
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_SKIPPED,
        )
        server = web.Server(self._answer, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.01)  # 0 would mean for ever
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.uri = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Listen no more; what is in flight is cut off."""
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, message: web.BaseRequest) -> web.Response:
        with self.balance.request() as request:
            if request.backend is None:
                return web.Response(status=404, text="Nothing is served here.")
            fault, fails = request.backend.fault()
            await asyncio.sleep(fault.latency)
            answer = web.Response(status=500) if fails else await self._forward(message, request)
            if fault.alter is not None and not fails:
                answer.body = fault.alter(message.path, bytes(answer.body or b""))  # type: ignore[arg-type]
            request.outcome = str(answer.status)
            return answer

    async def _forward(self, message: web.BaseRequest, request: Request) -> web.Response:
        assert request.backend is not None
        url = yarl.URL(f"http://127.0.0.1:{request.backend.port}{message.raw_path}", encoded=True)
        headers = [(name, value) for name, value in message.headers.items() if name.lower() not in _OF_A_CONNECTION]
        sent = await message.content.read()
        data = io.BytesIO(sent) if sent else None  # aiohttp warns of large bodies that are bytes
        try:
            async with self._session.request(
                message.method, url, headers=headers, data=data, allow_redirects=False
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError as error:
            return web.Response(status=503, text=f"The revision did not answer: {error!r}")
        back = web.Response(status=answer.status, body=body)
        back.headers.clear()
        for name, value in answer.headers.items():
            if name.lower() not in _OF_A_CONNECTION and not (name.lower() == "content-length" and body):
                back.headers.add(name, value)
        return back


class GrpcProxy(Proxy):
    """gRPC: messages as bytes, metadata, trailers and status of each call. Any method, streams too; a thread a call."""

    async def start(self) -> None:
        """Listen, and know the URI."""
        self._server = grpc.server(futures.ThreadPoolExecutor(64), options=_CHANNEL)
        self._server.add_generic_rpc_handlers((_EveryMethod(self._answer),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.uri = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Listen no more; what is in flight is cut off."""
        self._server.stop(None)

    def _answer(self, method: str, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        with self.balance.request() as request:
            try:
                yield from self._forward(method, messages, context, request)
                request.outcome = "OK"
            except _Ended as ended:
                request.outcome = ended.code.name
                context.set_trailing_metadata(ended.trailing)
                context.abort(ended.code, str(ended))

    def _forward(self, method: str, messages: Iterator[bytes], context: Any, request: Request) -> Iterator[bytes]:
        backend = request.backend
        if backend is None:
            raise _Ended(grpc.StatusCode.UNAVAILABLE, "Nothing is served here.")
        fault, fails = backend.fault()
        time.sleep(fault.latency)
        if fails:
            raise _Ended(grpc.StatusCode.UNAVAILABLE, "The stand-in's network lost the call.")
        with backend.changed:
            if backend.channel is None:
                backend.channel = grpc.insecure_channel(f"127.0.0.1:{backend.port}", options=_CHANNEL)
        sent = tuple(pair for pair in context.invocation_metadata() if not pair[0].startswith(("grpc-", "user-agent")))
        left = context.time_remaining()  # centuries without a deadline, which is too much for a call
        call = backend.channel.stream_stream(method)(
            messages, metadata=sent, timeout=left if left < _LONGEST_SECONDS else None
        )
        context.add_callback(call.cancel)
        try:
            context.send_initial_metadata(call.initial_metadata())
            for message in call:
                yield fault.alter(method, message) if fault.alter else message
        except grpc.RpcError as error:
            raise _Ended(error.code(), error.details() or "", tuple(error.trailing_metadata() or ())) from error
        context.set_trailing_metadata(tuple(call.trailing_metadata() or ()))


class _Ended(Exception):
    def __init__(self, code: grpc.StatusCode, details: str, trailing: tuple[Any, ...] = ()) -> None:
        super().__init__(details)
        self.code = code
        self.trailing = trailing


class _EveryMethod(grpc.GenericRpcHandler):  # type: ignore[misc] # untyped there
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def service(self, handler_call_details: Any) -> Any:
        """The handler of any method."""
        return grpc.stream_stream_rpc_method_handler(functools.partial(self._answer, handler_call_details.method))
