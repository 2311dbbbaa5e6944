"""The throughput of each server at full load: single rows, gRPC, explanations, batching."""

import subprocess
import urllib.request
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from benchmarks import bodies, load, servers
from benchmarks.load import Load
from benchmarks.options import COUNTS_PORT, GRPC_PORT, PORT, Bench
from benchmarks.process import Memory, Running, running
from benchmarks.servers import EXPLAIN, PREDICT, Server

CONNECTIONS = (1, 32, 128)
RPC_CONNECTIONS, RPC_STREAMS = 8, 4
EXPLAINED = (1, 200)
"""Rows of a request."""
EXPLAINERS = (1, 2)
"""Connections."""
EXPLAIN_TIMES = 2
"""Explanations are measured so many times as long, since a request of many rows takes a third of a second."""
_WARM_UP = 2


class Single(NamedTuple):
    """The results of one server in one round of single rows."""

    server: str
    loads: dict[int, Load]
    """By connections."""
    ready: float
    memory: Memory


class Rpc(NamedTuple):
    """The results of one gRPC service in one round."""

    name: str
    load: Load
    """Its `bad` are the calls that the server itself did not count as good, where it counts."""
    cpu: float
    """Microseconds of processor time that the worker takes for a call."""


class Explained(NamedTuple):
    """Rows explained a second in one round."""

    served: dict[tuple[int, int], Load]
    """Requests of so many rows over so many connections."""
    alone: dict[int, float]
    """Rows a second of LightGBM alone, by the number of rows at once."""


class Batching(NamedTuple):
    """Single rows with batching on or off in one round."""

    on: bool
    loads: dict[int, Load]
    rows: dict[int, float]
    """The mean rows of a batch, by connections."""


class _Call(NamedTuple):
    name: str
    path: str
    message: bytes
    counted: tuple[str, ...]
    """The fragments by which to find the lines of the server's metrics that count its good calls; none if it has no
    metrics."""


def single(bench: Bench) -> list[Single]:
    """Single rows over HTTP, with the peers."""
    field = [
        servers.ours,
        servers.through_asgi,
        servers.two_workers,
        servers.alone,
        servers.native,
        servers.echo,
        servers.careful,
        servers.batchable,
        servers.mlserver,
    ]
    return [_single(make(bench), bench) for _ in range(bench.rounds) for make in field]


def _single(server: Server, bench: Bench) -> Single:
    with running(server, bench.work) as process:
        load.wrk(server.path, server.body, 8, _WARM_UP, bench.work)
        loads = {count: load.wrk(server.path, server.body, count, bench.seconds, bench.work) for count in CONNECTIONS}
        return Single(server.name, loads, process.ready, process.memory)


def rpc(bench: Bench) -> list[Rpc]:
    """Calls of one row: our two services, the typed one with one listener too, MLServer's, and a bare echo."""
    row = bodies.rows(1)[0]
    counts = ("boxwood_requests_total", 'outcome="ok"')
    infer = "/inference.GRPCInferenceService/ModelInfer"
    path, message = f"/boxwood.{bodies.MODEL}.Predictor/Predict", bodies.typed(row)
    tensors = _Call("Boxwood, Open Inference Protocol", infer, bodies.tensors(bodies.MODEL, row), counts)
    typed = _Call("Boxwood, typed", path, message, counts)
    single = typed._replace(name="Boxwood, typed, one listener")
    echo = servers.grpc_echo()
    handled = ("grpc_server_handled_total", 'grpc_code="OK"', 'grpc_method="ModelInfer"')
    peer = _Call("MLServer", infer, bodies.tensors("fare", {"x": bodies.vector()}), handled)
    field = [
        (servers.ours(bench), PORT, [tensors, typed]),
        (servers.one_listener(bench), PORT, [single]),
        (echo, GRPC_PORT, [_Call(echo.name, echo.path, message, ())]),
        (servers.mlserver(bench), COUNTS_PORT, [peer]),
    ]
    results = []
    for _ in range(bench.rounds):
        for server, port, calls in field:
            with running(server, bench.work) as process:
                results += [_rpc(call, port, bench, process) for call in calls]
    return results


def _check(call: _Call) -> None:
    """Make one call with a real gRPC client, which raises errors."""
    with grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}") as channel:
        channel.unary_unary(call.path)(call.message, timeout=10)


def _rpc(call: _Call, counts_port: int, bench: Bench, process: Running) -> Rpc:
    _check(call)
    body = bodies.framed(call.message)
    load.grpc(call.path, body, RPC_CONNECTIONS, RPC_STREAMS, _WARM_UP, bench.work)
    before, processor = _counted(counts_port, *call.counted), process.processor_seconds
    measured = load.grpc(call.path, body, RPC_CONNECTIONS, RPC_STREAMS, bench.seconds, bench.work)
    processor = process.processor_seconds - processor
    if call.counted:
        good = _counted(counts_port, *call.counted) - before
        measured = measured._replace(bad=max(measured.bad, measured.done - int(good)))
    return Rpc(call.name, measured, 1e6 * processor / measured.done)


def _counted(port: int, *fragments: str) -> float:
    """The sum of the lines of a server's metrics that contain all fragments; 0 without fragments."""
    if not fragments:
        return 0.0
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(part in line for part in fragments))


def explain(bench: Bench) -> list[Explained]:
    """Explanations, and those of LightGBM alone in one thread."""
    return [_explained(bench) for _ in range(bench.rounds)]


def _explained(bench: Bench) -> Explained:
    served, alone = {}, {}
    seconds = bench.seconds * EXPLAIN_TIMES
    with running(servers.ours(bench), bench.work):
        load.wrk(EXPLAIN, bodies.instances(1), 4, _WARM_UP, bench.work)
        for rows in EXPLAINED:
            body = bodies.instances(rows)
            for connections in EXPLAINERS:
                served[rows, connections] = load.wrk(EXPLAIN, body, connections, seconds, bench.work)
            # at once, while the server is idle: the speed of the machine may change within a minute
            alone[rows] = _alone(rows, seconds, bench.work)
    return Explained(served, alone)


def _alone(rows: int, seconds: int, work: Path) -> float:
    """Rows a second that LightGBM explains in a process of its own."""
    path = work / "matrix.npy"
    np.save(path, bodies.matrix(rows))
    program = [f"{servers.ROOT}/.venv-serving/bin/python", str(servers.HERE / "peers/booster_alone.py")]
    command = [*program, str(bodies.BOOSTER), str(path), str(seconds)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def batching(bench: Bench) -> list[Batching]:
    """Single rows with batching on and off."""
    return [_batching(bench, on) for _ in range(bench.rounds) for on in (True, False)]


def _batching(bench: Bench, on: bool) -> Batching:
    server = servers.ours(bench, BOXWOOD_BATCHING=str(int(on)))
    loads, rows = {}, {}
    with running(server, bench.work):
        load.wrk(PREDICT, server.body, 8, _WARM_UP, bench.work)
        for connections in CONNECTIONS[:2]:
            before = _batches()
            loads[connections] = load.wrk(PREDICT, server.body, connections, bench.seconds, bench.work)
            rows_now, batches_now = _batches()
            rows[connections] = (rows_now - before[0]) / (batches_now - before[1])
    return Batching(on, loads, rows)


def _batches() -> tuple[float, float]:
    return _counted(PORT, "boxwood_batch_rows_sum"), _counted(PORT, "boxwood_batch_rows_count")
