"""Behaviour at the limits: large requests, stalls under a steady load, and overload."""

import asyncio
from typing import NamedTuple

import numpy as np

from benchmarks import bodies, load, open_loop, servers
from benchmarks.load import Load
from benchmarks.open_loop import Answer
from benchmarks.options import Bench
from benchmarks.process import Memory, running
from benchmarks.servers import EXPLAIN, PREDICT, Server

LARGE, TOO_LARGE = 10_000, 100_000
STEADY_CONNECTIONS = 32
STEADY_SHARE = 0.7
TIMES = 4
"""The load in overload, as a multiple of what the server can answer."""
OVERLOAD_ROWS = 200
PEAK_TIMES = 3
"""The peak is measured so many times as long, since its requests take a third of a second."""
SATURATING = 128
_WARM_UP = 2


class Large(NamedTuple):
    """The results of large requests to one server."""

    seconds: list[float]
    """Of each request of LARGE rows."""
    before: Memory
    peak: float
    """Of the worker, in MB, after those."""
    refused: int
    """The status of the answer to TOO_LARGE rows."""
    refused_seconds: float


class Stall(NamedTuple):
    """The results of one server under a load that it can sustain."""

    server: str
    capacity: float
    load: Load
    seconds: int


class Overload(NamedTuple):
    """The results of overload: too many explanations a second, and single rows over too many connections."""

    peak: float
    """Good answers a second in a closed loop of two connections."""
    offered: float
    """Requests a second."""
    seconds: float
    answers: list[Answer]
    recovery: list[float]
    """Seconds until a row was predicted, and until the same request was explained."""
    memory: tuple[Memory, Memory]
    """Before and after."""
    saturated: Load
    crowded: Load
    crowded_memory: tuple[Memory, Memory]

    def ended(self, status: int, within: float = np.inf) -> list[Answer]:
        """The answers of this status that ended within so many seconds."""
        return [answer for answer in self.answers if answer.status == status and answer.ended <= within]

    @property
    def goodput(self) -> float:
        """Good answers a second, while requests came."""
        return len(self.ended(200, self.seconds)) / self.seconds


def large(bench: Bench) -> Large:
    """Large requests, one after the other."""
    body = bodies.instances(LARGE).encode()
    with running(servers.ours(bench), bench.work) as process:
        _post(bodies.instances(1).encode())
        before = process.memory
        seconds = []
        for _ in range(bench.rounds):
            status, took = _post(body)
            if status != 200:
                raise RuntimeError(f"{LARGE} rows were answered with {status}")
            seconds.append(took)
        peak = process.peak
        return Large(seconds, before, peak, *_post(bodies.instances(TOO_LARGE).encode()))


def _post(body: bytes) -> tuple[int, float]:
    """Status and seconds of a prediction."""
    return load.once(PREDICT, body, {"content-type": "application/json"})


def stall(bench: Bench) -> list[Stall]:
    """Our server and the bare echo, each at the same share of its capacity."""
    return [_stall(make(bench), bench) for make in (servers.ours, servers.echo)]


def _stall(server: Server, bench: Bench) -> Stall:
    with running(server, bench.work):
        load.steady(server.path, server.body, STEADY_CONNECTIONS, None, _WARM_UP, bench.work)
        most = load.steady(server.path, server.body, STEADY_CONNECTIONS, None, bench.seconds, bench.work).requests
        rate = STEADY_SHARE * most
        held = load.steady(server.path, server.body, STEADY_CONNECTIONS, rate, bench.stall_seconds, bench.work)
        return Stall(server.name, most, held, bench.stall_seconds)


def overload(bench: Bench) -> Overload:
    """Overload, and the recovery from it."""
    explained, predicted = bodies.instances(OVERLOAD_ROWS), bodies.instances(1)
    with running(servers.ours(bench), bench.work) as process:
        peak = load.wrk(EXPLAIN, explained, 2, PEAK_TIMES * bench.seconds, bench.work).good
        before = process.memory
        request, probe = open_loop.post(EXPLAIN, explained), open_loop.post(PREDICT, predicted)
        offered = open_loop.overload(request, TIMES * peak, bench.overload_seconds, [probe, request])
        answers, recovery = asyncio.run(offered)
        memory = before, process.memory
        saturated = load.wrk(PREDICT, predicted, SATURATING, bench.seconds, bench.work)
        before = process.memory
        crowded = load.wrk(PREDICT, predicted, TIMES * SATURATING, bench.seconds, bench.work)
        return Overload(
            peak, TIMES * peak, bench.overload_seconds, answers, recovery, memory, saturated, crowded,
            (before, process.memory),
        )  # fmt: skip
