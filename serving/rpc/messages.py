"""The messages of gRPC calls: how they are received, and how a call is refused."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn, TypeVar

import grpc
import msgspec
from google.protobuf.message import DecodeError, Message

from serving import bodies, problem_details
from serving.settings import Settings
from validation.errors import Overloaded, RequestError, UnreadableRequest
from validation.wire import ProblemDetails

PROBLEM = "problem-details-bin"
"""The trailing metadata of a failed call: the problem details that HTTP would answer, as JSON."""
# Clients drop a call, and with it the reason, if its trailing metadata is larger than 8 kB. A byte of the text takes
# up to three there (percent-encoding), one of the document four thirds (Base64).
_TEXT_BYTES = 600
_DETAILS_BYTES = 4_000
_LEAST_SLOW = 8
"""So many messages may arrive slowly at the same time, however small the budget is."""
_SLOW_SECONDS = 0.1

_encode = msgspec.json.Encoder().encode
M = TypeVar("M", bound=Message)


class Messages:
    """The messages that arrive at one worker, over all listeners.

    gRPC reserves the size of the largest message for each call that waits for its message. So slow messages are
    counted: if there are more than fit into the budget of `bodies`, the slowest are refused. Quick messages are never
    limited.
    """

    def __init__(self, settings: Settings) -> None:
        """Have limits as `settings` say."""
        self._seconds = settings.max_request_seconds
        self._most_slow = max(_LEAST_SLOW, bodies.budget(settings) // settings.max_body_bytes)
        self._arriving: dict[asyncio.Task[Any], float] = {}  # by what waits, when each began; the oldest first
        self._given_up: dict[asyncio.Task[Any], RequestError] = {}
        self._watching = False

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # a system call before Python 3.12

    async def one(
        self, context: grpc.aio.ServicerContext, kind: type[M], sends: Callable[[int], None] = lambda size: None
    ) -> M:
        """The message of a call that has one.

        Args:
            context: the call.
            kind: what the message is.
            sends: takes its size in bytes before it is parsed; may raise RequestError.

        Raises:
            RequestError: as `each` does, and UnreadableRequest if there is none.
        """
        data = await self._read(context)
        if data is grpc.aio.EOF:
            raise UnreadableRequest(f"The call ended without a {kind.DESCRIPTOR.full_name}.")
        sends(len(data))
        return _parsed(data, kind)

    async def each(self, context: grpc.aio.ServicerContext, kind: type[M]) -> AsyncIterator[M]:
        """The messages of a call, until its end.

        Raises:
            UnreadableRequest: one is not a message of that type, or did not arrive in time.
            Overloaded: one is slow, as too many others are.
        """
        while (data := await self._read(context)) is not grpc.aio.EOF:
            yield _parsed(data, kind)

    async def _read(self, context: grpc.aio.ServicerContext) -> Any:
        loop = self._loop
        waiting = asyncio.current_task(loop)
        if waiting is None:
            raise RuntimeError("A message is read in a task.")
        self._arriving[waiting] = loop.time()
        if not self._watching:
            self._watching = True
            loop.call_later(_SLOW_SECONDS, self._give_up, loop)
        try:
            return await context.read()
        except asyncio.CancelledError:
            error = self._given_up.pop(waiting, None)
            if error is None or waiting.uncancel():
                raise
            raise error from None
        finally:
            self._arriving.pop(waiting, None)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up what takes too long; one timer for all messages, since each of its own would cost more than it."""
        now, slow = loop.time(), len(self._arriving) - self._most_slow
        for place, (waiting, began) in enumerate(list(self._arriving.items())):
            if now - began >= self._seconds:
                self._cancel(waiting, UnreadableRequest(f"The message was not there after {self._seconds} seconds."))
            elif place < slow and now - began >= 2 * _SLOW_SECONDS:
                # not earlier: if the event loop was blocked, the message may have arrived already
                self._cancel(waiting, self._too_slow())
        self._watching = bool(self._arriving)
        if self._watching:
            loop.call_later(_SLOW_SECONDS, self._give_up, loop)

    def _cancel(self, waiting: asyncio.Task[Any], error: RequestError) -> None:
        del self._arriving[waiting]
        self._given_up[waiting] = error
        waiting.cancel()

    def _too_slow(self) -> RequestError:
        return Overloaded(
            f"The message arrives slowly, as {self._most_slow} others do, and no more may. Send it again in a "
            "second or two, or its rows in parts."
        )


def _parsed(data: bytes, kind: type[M]) -> M:
    try:
        message: M = kind.FromString(data)
    except DecodeError as error:
        raise UnreadableRequest(f"The request is no {kind.DESCRIPTOR.full_name}: {error}.") from error
    return message


async def refuse(context: grpc.aio.ServicerContext, error: RequestError) -> NoReturn:
    """End the call with the error of its request."""
    context.set_trailing_metadata((*context.trailing_metadata(), *error.trailers.items()))
    await _abort(context, grpc.StatusCode[error.code], problem_details.of(error))


async def fail(context: grpc.aio.ServicerContext) -> NoReturn:
    """End a call with an internal error."""
    await _abort(context, grpc.StatusCode.INTERNAL, problem_details.failure())


async def _abort(context: grpc.aio.ServicerContext, code: grpc.StatusCode, details: ProblemDetails) -> NoReturn:
    text = details.detail
    if isinstance(details.errors, list) and details.errors:
        first = details.errors[0]
        text = f"{text} First: row {first.row}, {first.column}: {first.message}"
    text = text.encode()[:_TEXT_BYTES].decode(errors="ignore")
    trailing = (*context.trailing_metadata(), (PROBLEM, _fitting(details)))
    await context.abort(code, text, trailing)
    raise AssertionError("gRPC's abort raises.")


def _fitting(details: ProblemDetails) -> bytes:
    """The encoded document, with as many of its errors as a client can receive."""
    encoded = _encode(details)
    while len(encoded) > _DETAILS_BYTES and details.errors:
        details = msgspec.structs.replace(details, errors=details.errors[: len(details.errors) * 3 // 4])
        encoded = _encode(details)
    return encoded
