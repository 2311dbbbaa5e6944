"""Each measure's results as a section of the report."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.limits import (
    LARGE,
    OVERLOAD_ROWS,
    SATURATING,
    STEADY_CONNECTIONS,
    STEADY_SHARE,
    TIMES,
    TOO_LARGE,
    Large,
    Overload,
    Stall,
)
from benchmarks.load import Load
from benchmarks.report import Section, Target, median
from benchmarks.tables import ROWS
from benchmarks.throughput import (
    CONNECTIONS,
    EXPLAINED,
    EXPLAINERS,
    RPC_CONNECTIONS,
    RPC_STREAMS,
    Batching,
    Explained,
    Rpc,
    Single,
)

OURS, ALONE = "Boxwood", "Boxwood, alone"
PEER = "FastAPI, careful"
"""The server that ratios over HTTP are to."""
ECHO = "bare ASGI echo"
RPC_ECHO = "bare grpc.aio echo"
RPC_SHARE = 0.7
EXPLAIN_SHARE = 0.9
STALL_MS = 25.0
REFUSAL_MS = 50.0
RECOVERY_SECONDS = 1.0
_AS_FAST = 0.95
"""The ratio that counts as no slower, since two rounds of the same server differ by as much."""
GROWTH_MB = 20.0
"""Memory that grows by no more counts as constant."""


def _rate(loads: Sequence[Load]) -> float:
    return median(load.good for load in loads)


def _cell(loads: Sequence[Load]) -> str:
    return f"{_rate(loads):,.0f}/s, p99 {median(load.p99 for load in loads):.1f} ms"


def _bad(loads: Sequence[Load]) -> str:
    return f"{sum(load.bad for load in loads):,}"


def single(results: list[Single]) -> Section:
    """Single rows over HTTP."""
    names = list(dict.fromkeys(result.server for result in results))
    loads = {
        (name, count): [result.loads[count] for result in results if result.server == name]
        for name in names
        for count in CONNECTIONS
    }
    rows = []
    for name in names:
        mine = [result for result in results if result.server == name]
        ratio = _rate(loads[name, 32]) / _rate(loads[PEER, 32])
        worker, whole = (median(result.memory[place] for result in mine) for place in (0, 1))
        rows.append([
            name, *(_cell(loads[name, count]) for count in CONNECTIONS), f"{ratio:.2f}",
            f"{median(result.ready for result in mine):.1f} s", f"{worker:.0f} of {whole:.0f} MB",
            _bad([load for result in mine for load in result.loads.values()]),
        ])  # fmt: skip
    heads = ["server", *(f"{count} connections" for count in CONNECTIONS), "beside", "ready", "memory", "bad"]
    explanation = (
        f"One row a request, by wrk. `beside`: requests a second at 32 connections, as a multiple of {PEER}. "
        "`ready`: seconds from the start. `memory`: resident after the load, the worker's and that of all processes. "
        "`bad`: errors, and answers that are no 2xx."
    )
    return Section(explanation, heads, rows, _single_targets(results, loads))


def _single_targets(results: list[Single], loads: Mapping[tuple[str, int], Sequence[Load]]) -> list[Target]:
    own_rate = _rate(loads[OURS, 32])
    ratios = ((PEER, 4.0), ("BentoML, batchable", 8.0), ("MLServer", 3.0), (ECHO, 0.75))
    targets = [
        _at_least(f"requests a second at 32 connections, to {name}", own_rate / _rate(loads[name, 32]), wanted)
        for name, wanted in ratios
    ]
    alone = _rate(loads[OURS, 1]) / _rate(loads[PEER, 1])
    targets.append(_at_least(f"requests a second at 1 connection, to {PEER}", alone, _AS_FAST))
    own_p99, peer_p99, echo_p99 = (median(load.p99 for load in loads[name, 32]) for name in (OURS, PEER, ECHO))
    targets.append(_at_most(f"p99 at 32 connections, ms; {PEER}'s is the limit", own_p99, peer_p99))
    targets.append(_at_most(f"p99 at 32 connections, ms; {ECHO}'s is the limit", own_p99, echo_p99))
    ready = {name: median(result.ready for result in results if result.server == name) for name in (OURS, ALONE, PEER)}
    for name, wanted in ((OURS, 2.8), (ALONE, 2.0)):
        targets.append(_at_most(f"start to ready, {name} to {PEER}", ready[name] / ready[PEER], wanted))
    return targets


def _at_least(what: str, measured: float, wanted: float) -> Target:
    return Target(what, f"{measured:.2f}", f"at least {wanted:g}", measured >= wanted)


def _at_most(what: str, measured: float, wanted: float) -> Target:
    return Target(what, f"{measured:.2f}", f"at most {wanted:.3g}", measured <= wanted)


def rpc(results: list[Rpc]) -> Section:
    """Single rows over gRPC."""
    names = list(dict.fromkeys(result.name for result in results))
    loads = {name: [result.load for result in results if result.name == name] for name in names}
    rows = [
        [
            name, _cell(mine), *(f"{_rate(mine) / _rate(loads[other]):.2f}" for other in ("MLServer", RPC_ECHO)),
            f"{median(result.cpu for result in results if result.name == name):.0f} µs", _bad(mine),
        ]
        for name, mine in loads.items()
    ]  # fmt: skip
    explanation = (
        f"One row a call, by h2load: {RPC_CONNECTIONS} connections, {RPC_CONNECTIONS * RPC_STREAMS} calls in flight. "
        "`beside`: as a multiple of MLServer, which gets a ready vector for the same booster. `of the echo`: as a "
        "share of one grpc.aio server that answers with the bytes it gets. `processor`: the worker's time for a "
        "call, its threads' included. `bad`: calls that the server's own metrics do not count as "
        "good; the echo has none."
    )
    typed = _rate(loads["Boxwood, typed"])
    targets = [
        _at_least("typed calls a second, to MLServer's", typed / _rate(loads["MLServer"]), 1.5),
        _at_least(f"typed calls a second, to a {RPC_ECHO}'s", typed / _rate(loads[RPC_ECHO]), RPC_SHARE),
    ]
    return Section(explanation, ["service", "calls", "beside", "of the echo", "processor", "bad"], rows, targets)


def explain(results: list[Explained]) -> Section:
    """Explanations, compared to LightGBM alone."""
    rows, shares = [], {}
    for size in EXPLAINED:
        alone = median(result.alone[size] for result in results)
        for connections in EXPLAINERS:
            loads = [result.served[size, connections] for result in results]
            # each round is compared to its own, so that a slow moment of the machine counts on both sides
            share = median(size * result.served[size, connections].good / result.alone[size] for result in results)
            shares[size, connections] = share
            rows.append([
                str(size), str(connections), f"{size * _rate(loads):,.0f}", f"{alone:,.0f}", f"{share:.2f}",
                f"{median(load.p99 for load in loads):.0f} ms", _bad(loads),
            ])  # fmt: skip
    explanation = (
        "Explanations over HTTP, which hold the prediction too, beside `Booster.predict(pred_contrib=True, "
        "num_threads=1)` alone in a process of its own, on the same rows at once."
    )
    heads = ["rows a request", "connections", "rows/s", "LightGBM alone, rows/s", "share", "p99", "bad"]
    best = shares[EXPLAINED[-1], EXPLAINERS[-1]]
    what = f"share, {EXPLAINED[-1]} rows, {EXPLAINERS[-1]} connections"
    return Section(explanation, heads, rows, [_at_least(what, best, EXPLAIN_SHARE)])


def large(result: Large) -> Section:
    """Large requests."""
    row = [
        f"{median(result.seconds):.2f} s", f"{LARGE / median(result.seconds):,.0f}", f"{result.before.worker:.0f} MB",
        f"{result.peak:.0f} MB", f"{result.refused} in {result.refused_seconds:.2f} s",
    ]  # fmt: skip
    heads = [f"{LARGE:,} rows", "rows/s", "worker before", "worker's peak", f"{TOO_LARGE:,} rows"]
    targets = [
        _at_most(f"seconds for {LARGE:,} rows", median(result.seconds), 1.0),
        Target(f"{TOO_LARGE:,} rows are refused", str(result.refused), "413", result.refused == 413),
    ]
    explanation = "Predictions for many rows in one JSON request, one request at a time."
    return Section(explanation, heads, [row], targets)


def tables(results: dict[str, list[float]]) -> Section:
    """Tables."""
    [rows_alone, *_] = results.values()
    ratios = {name: median(rows_alone) / median(seconds) for name, seconds in results.items()}
    rows = [
        [name, f"{1e3 * median(seconds):.0f} ms", f"{ROWS / median(seconds):,.0f}", f"{ratios[name]:.2f}"]
        for name, seconds in results.items()
    ]
    explanation = (
        f"Predictions for {ROWS:,} rows in one request, one request at a time, the ways in turn. `beside`: rows a "
        "second, as a multiple of JSON rows."
    )
    target = _at_least("rows a second as binary tensors, to JSON rows", list(ratios.values())[-1], 3.0)
    return Section(explanation, ["way", f"{ROWS:,} rows", "rows/s", "beside"], rows, [target])


def batching(results: list[Batching]) -> Section:
    """Batching on and off."""
    rows = []
    for on in (True, False):
        mine = [result for result in results if result.on == on]
        cells = [_cell([result.loads[count] for result in mine]) for count in (1, 32)]
        batch = f"{median(result.rows[32] for result in mine):.1f}"
        rows.append(["on" if on else "off", *cells, batch, _bad([result.loads[n] for result in mine for n in (1, 32)])])
    heads = ["batching", "1 connections", "32 connections", "rows a batch at 32", "bad"]
    explanation = "Single rows with `BOXWOOD_BATCHING` 1 and 0; how many rows were predicted together, from `/metrics`."
    rates = {
        (on, count): _rate([result.loads[count] for result in results if result.on == on])
        for on in (True, False)
        for count in (1, 32)
    }
    targets = [
        _at_least("rows a batch at 32 connections", median(result.rows[32] for result in results if result.on), 1.0),
        _at_least("on to off at 32 connections", rates[True, 32] / rates[False, 32], 1.0),
        _at_least("on to off at 1 connection", rates[True, 1] / rates[False, 1], _AS_FAST),
    ]
    return Section(explanation, heads, rows, targets)


def stall(results: list[Stall]) -> Section:
    """The worst answers under a sustainable load."""
    rows = [
        [
            result.server, f"{result.capacity:,.0f}/s", f"{result.load.requests:,.0f}/s", f"{result.load.p99:.1f} ms",
            f"{result.load.p999:.1f} ms", f"{result.load.worst:.1f} ms", str(result.load.bad),
        ]
        for result in results
    ]  # fmt: skip
    ours, echo = (result.load for result in results)
    worse = ours.worst - echo.worst
    what = "our worst answer, above the echo's"
    target = Target(what, f"{worse:.1f} ms", f"at most {STALL_MS:.0f} ms", worse <= STALL_MS)
    explanation = (
        f"Single rows at a fixed rate, {STEADY_SHARE:.0%} of what each server can do, for {results[0].seconds} s, by "
        f"h2load over HTTP/1.1 from {STEADY_CONNECTIONS} connections that all ask at the same moments."
    )
    heads = ["server", "capacity", "rate", "p99", "p99.9", "worst", "bad"]
    return Section(explanation, heads, rows, [target])


def overload(result: Overload) -> Section:
    """Overload."""
    refused = [1e3 * answer.seconds for answer in result.ended(503)]
    p99, worst = np.percentile(refused, [99, 100]) if refused else (np.nan, np.nan)
    share = len(refused) / len(result.answers)
    failed = len(result.answers) - len(refused) - len(result.ended(200))
    explained = [
        f"explanations of {OVERLOAD_ROWS} rows, open loop, {result.seconds:.0f} s", f"{result.offered:.1f}/s",
        f"{result.peak:.1f}/s", f"{result.goodput:.1f}/s", f"{share:.0%}, p99 {p99:.0f} ms, worst {worst:.0f} ms",
        str(failed), f"{result.memory[0].worker:.0f} to {result.memory[1].worker:.0f} MB",
    ]  # fmt: skip
    before, after = (memory.worker for memory in result.crowded_memory)
    crowd = [
        f"single rows over {TIMES * SATURATING} connections", "", f"{result.saturated.requests:,.0f}/s",
        f"{result.crowded.requests:,.0f}/s", "", str(result.crowded.bad), f"{before:.0f} to {after:.0f} MB",
    ]  # fmt: skip
    explanation = (
        f"Explanations at {TIMES} times what two connections get, whatever is answered; and single rows over {TIMES} "
        f"times {SATURATING} connections, beside what {SATURATING} get."
    )
    heads = ["load", "offered", "peak", "good", "503", "failed", "worker's memory"]
    return Section(explanation, heads, [explained, crowd], _held(result, float(worst), failed))


def _held(result: Overload, worst: float, failed: int) -> list[Target]:
    predicted, explained = result.recovery
    slowest = max(result.recovery)
    grown = [after.worker - before.worker for before, after in (result.memory, result.crowded_memory)]
    times = f"prediction {predicted:.2f} s, explanation {explained:.2f} s"
    bad = result.crowded.bad
    return [
        _at_least("goodput, to the peak", result.goodput / result.peak, 0.9),
        Target("the worst 503", f"{worst:.0f} ms", f"at most {REFUSAL_MS:.0f} ms", worst <= REFUSAL_MS),
        Target("good answers once it stops", times, f"within {RECOVERY_SECONDS:.0f} s", slowest <= RECOVERY_SECONDS),
        Target("answers other than 200 and 503", f"{failed} and {bad}", "0", failed == bad == 0),
        Target(
            "the worker's memory grows", f"{max(grown):.0f} MB", f"at most {GROWTH_MB:.0f} MB", max(grown) <= GROWTH_MB
        ),
    ]
