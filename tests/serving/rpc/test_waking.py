"""How gRPC wakes the event loop: once for all that waits, and nothing of it is lost."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from serving.rpc import waking


def test_many_bytes_wake_the_loop_once_and_are_gone() -> None:
    async def main() -> int:
        loop, (theirs, ours) = asyncio.get_running_loop(), socket.socketpair()
        ours.setblocking(False)
        woken = 0

        def handle(step: int) -> None:
            nonlocal woken
            woken += step

        with theirs, ours:
            with waking.fewer(loop):
                loop.add_reader(ours, handle, 1)
            theirs.send(b"\0" * 1_000)
            for _ in range(10):
                await asyncio.sleep(0)
            theirs.send(b"\0")
            while woken < 2:
                await asyncio.sleep(0)
            loop.remove_reader(ours)
        return woken

    assert asyncio.run(main()) == 2


@pytest.mark.parametrize("watched", [lambda sock: sock, lambda sock: sock.fileno()], ids=["blocking", "number"])
def test_what_is_no_socket_of_grpc_is_left_to_its_handler(watched: Callable[[socket.socket], Any]) -> None:
    async def main() -> bytes:
        loop, (theirs, ours) = asyncio.get_running_loop(), socket.socketpair()
        found: asyncio.Queue[bytes] = asyncio.Queue()
        with theirs, ours:
            with waking.fewer(loop):
                loop.add_reader(watched(ours), lambda: found.put_nowait(ours.recv(10)))
            theirs.send(b"all of it")
            said = await asyncio.wait_for(found.get(), 30)
            loop.remove_reader(watched(ours))
        return said

    assert asyncio.run(main()) == b"all of it"


def test_the_loop_is_as_it_was_afterwards() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = loop.add_reader
        with waking.fewer(loop):
            assert loop.add_reader != before
        assert loop.add_reader == before

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux has it")
def test_threads_that_begin_meanwhile_are_patient_and_no_others() -> None:
    found: list[int] = []

    def look() -> None:
        thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()

    async def main() -> None:
        with waking.fewer(asyncio.get_running_loop()):
            look()
        look()

    asyncio.run(main())
    assert found == [os.SCHED_BATCH, os.SCHED_OTHER]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_every_call_of_a_crowd_is_answered() -> None:
    async def echo(message: bytes, _: object) -> bytes:
        return message

    async def main() -> list[bytes]:
        with waking.fewer(asyncio.get_running_loop()):
            servers = [grpc.aio.server() for _ in range(4)]
        handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
        addresses = []
        for server in servers:
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo.Echo", handlers)])
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            await server.start()
        channels = [grpc.aio.insecure_channel(address) for address in addresses]
        calls = [channel.unary_unary("/echo.Echo/Echo") for channel in channels]
        told = await asyncio.gather(*(calls[number % 4](b"%d" % number, timeout=60) for number in range(400)))
        for channel in channels:
            await channel.close()
        for server in servers:
            await server.stop(None)
        return list(told)

    assert asyncio.run(main()) == [b"%d" % number for number in range(400)]
