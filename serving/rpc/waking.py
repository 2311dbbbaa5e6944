"""How gRPC's threads wake the event loop, and when they run beside it.

Each call has four events. A thread of gRPC's queues them, and for each writes a byte to a socket, of which the event
loop reads one byte a turn and handles all that is queued: so it turns again for events that it has handled already.
And where no core is free, a thread that wakes for an event interrupts the event loop, some three times a call.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

_BYTES = 65_536


@contextlib.contextmanager
def fewer(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have grpc.aio, which begins to use `loop` within, wake it once for all that waits, and not interrupt it."""
    watched: Any = loop
    add = loop.add_reader

    def add_reader(sock: object, handle: Callable[..., object], *arguments: Any) -> None:
        if isinstance(sock, socket.socket) and not sock.getblocking():
            add(sock, _at_once, sock, handle, *arguments)
        else:  # not as grpc.aio has it today: to read it here could hold the event loop
            add(sock, handle, *arguments)  # type: ignore[arg-type] # whatever it is

    watched.add_reader = add_reader
    try:
        with _patient():
            yield
    finally:
        del watched.add_reader


def _at_once(sock: socket.socket, handle: Callable[..., object], *arguments: Any) -> None:
    """Handle all events that are queued. Each is there before its byte, so none is left without one."""
    try:  # noqa: SIM105 `suppress` takes longer, and this is done once a call
        sock.recv(_BYTES)
    except BlockingIOError:
        pass
    handle(*arguments)  # it reads a byte too, and does without


@contextlib.contextmanager
def _patient() -> Iterator[None]:
    """Have threads that are begun within wait for a core that is free, where they would interrupt what runs on it.

    It is what Linux calls SCHED_BATCH. A thread has it from the one that begins it, so this thread has it meanwhile.
    """
    if not hasattr(os, "SCHED_BATCH") or os.sched_getscheduler(0) != os.SCHED_OTHER:
        yield
        return
    with contextlib.suppress(OSError):  # in a sandbox that does not have it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
