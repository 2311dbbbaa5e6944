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
BESIDE = "FastAPI, careful"
"""Whom ratios are to, over HTTP."""
EXPLAIN_SHARE = 0.9
STALL_MS = 25.0
REFUSAL_MS = 50.0
RECOVERY_SECONDS = 1.0
_AS_FAST = 0.95
"""No slower, within what two rounds of the same differ by."""
GROWTH_MB = 20.0
"""Memory that grows by no more is called flat."""


def _rate(loads: Sequence[Load]) -> float:
    return median(one.good for one in loads)


def _cell(loads: Sequence[Load]) -> str:
    return f"{_rate(loads):,.0f}/s, p99 {median(one.p99 for one in loads):.1f} ms"


def _bad(loads: Sequence[Load]) -> str:
    return f"{sum(one.bad for one in loads):,}"


def single(found: list[Single]) -> Section:
    """Single rows over HTTP."""
    names = list(dict.fromkeys(one.server for one in found))
    loads = {
        (name, count): [one.loads[count] for one in found if one.server == name]
        for name in names
        for count in CONNECTIONS
    }
    rows = []
    for name in names:
        mine = [one for one in found if one.server == name]
        ratio = _rate(loads[name, 32]) / _rate(loads[BESIDE, 32])
        worker, whole = (median(one.memory[place] for one in mine) for place in (0, 1))
        rows.append([
            name, *(_cell(loads[name, count]) for count in CONNECTIONS), f"{ratio:.2f}",
            f"{median(one.ready for one in mine):.1f} s", f"{worker:.0f} of {whole:.0f} MB",
            _bad([load for one in mine for load in one.loads.values()]),
        ])  # fmt: skip
    heads = ["server", *(f"{count} connections" for count in CONNECTIONS), "beside", "ready", "memory", "bad"]
    explanation = (
        f"One row a request, by wrk. `beside`: requests a second at 32 connections, as a multiple of {BESIDE}. "
        "`ready`: seconds from the start. `memory`: resident after the load, the worker's and that of all processes. "
        "`bad`: errors, and answers that are no 2xx."
    )
    return Section(explanation, heads, rows, _single_targets(found, loads))


def _single_targets(found: list[Single], loads: Mapping[tuple[str, int], Sequence[Load]]) -> list[Target]:
    ours = _rate(loads[OURS, 32])
    ratios = ((BESIDE, 1.5), ("BentoML, batchable", 8.0), ("MLServer", 3.0), ("bare ASGI echo", 0.6))
    targets = [
        _at_least(f"requests a second at 32 connections, to {name}", ours / _rate(loads[name, 32]), wanted)
        for name, wanted in ratios
    ]
    mine, beside = (median(one.p99 for one in loads[name, 32]) for name in (OURS, BESIDE))
    targets.append(_at_most(f"p99 at 32 connections, ms; {BESIDE}'s is the limit", mine, beside))
    ready = {name: median(one.ready for one in found if one.server == name) for name in (OURS, ALONE, BESIDE)}
    for name, wanted in ((OURS, 2.8), (ALONE, 2.0)):
        targets.append(_at_most(f"start to ready, {name} to {BESIDE}", ready[name] / ready[BESIDE], wanted))
    return targets


def _at_least(what: str, measured: float, wanted: float) -> Target:
    return Target(what, f"{measured:.2f}", f"at least {wanted:g}", measured >= wanted)


def _at_most(what: str, measured: float, wanted: float) -> Target:
    return Target(what, f"{measured:.2f}", f"at most {wanted:.3g}", measured <= wanted)


def rpc(found: list[Rpc]) -> Section:
    """Single rows over gRPC."""
    names = list(dict.fromkeys(one.name for one in found))
    loads = {name: [one.load for one in found if one.name == name] for name in names}
    rows = [
        [name, _cell(mine), f"{_rate(mine) / _rate(loads['MLServer']):.2f}", _bad(mine)] for name, mine in loads.items()
    ]
    explanation = (
        f"One row a call, by h2load: {RPC_CONNECTIONS} connections, {RPC_CONNECTIONS * RPC_STREAMS} calls in flight. "
        "`beside`: as a multiple of MLServer, which gets a ready vector for the same booster. `bad`: calls that "
        "the server's own metrics do not count as good."
    )
    ratio = _rate(loads["Boxwood, typed"]) / _rate(loads["MLServer"])
    targets = [_at_least("typed calls a second, to MLServer's", ratio, 1.5)]
    return Section(explanation, ["service", "calls", "beside", "bad"], rows, targets)


def explain(found: list[Explained]) -> Section:
    """Explanations beside LightGBM alone."""
    rows, shares = [], {}
    for size in EXPLAINED:
        alone = median(one.alone[size] for one in found)
        for connections in EXPLAINERS:
            loads = [one.served[size, connections] for one in found]
            # each round beside its own, so that a slow moment of the machine counts on both sides
            share = median(size * one.served[size, connections].good / one.alone[size] for one in found)
            shares[size, connections] = share
            rows.append([
                str(size), str(connections), f"{size * _rate(loads):,.0f}", f"{alone:,.0f}", f"{share:.2f}",
                f"{median(one.p99 for one in loads):.0f} ms", _bad(loads),
            ])  # fmt: skip
    explanation = (
        "Explanations over HTTP, which hold the prediction too, beside `Booster.predict(pred_contrib=True, "
        "num_threads=1)` alone in a process of its own, on the same rows at once."
    )
    heads = ["rows a request", "connections", "rows/s", "LightGBM alone, rows/s", "share", "p99", "bad"]
    best = shares[EXPLAINED[-1], EXPLAINERS[-1]]
    what = f"share, {EXPLAINED[-1]} rows, {EXPLAINERS[-1]} connections"
    return Section(explanation, heads, rows, [_at_least(what, best, EXPLAIN_SHARE)])


def large(found: Large) -> Section:
    """Large requests."""
    row = [
        f"{median(found.seconds):.2f} s", f"{LARGE / median(found.seconds):,.0f}", f"{found.before.worker:.0f} MB",
        f"{found.peak:.0f} MB", f"{found.refused} in {found.refused_seconds:.2f} s",
    ]  # fmt: skip
    heads = [f"{LARGE:,} rows", "rows/s", "worker before", "worker's peak", f"{TOO_LARGE:,} rows"]
    targets = [
        _at_most(f"seconds for {LARGE:,} rows", median(found.seconds), 1.0),
        Target(f"{TOO_LARGE:,} rows are refused", str(found.refused), "413", found.refused == 413),
    ]
    explanation = "Predictions for many rows in one JSON request, one request at a time."
    return Section(explanation, heads, [row], targets)


def tables(found: dict[str, list[float]]) -> Section:
    """Tables."""
    [rows_alone, *_] = found.values()
    ratios = {name: median(rows_alone) / median(seconds) for name, seconds in found.items()}
    rows = [
        [name, f"{1e3 * median(seconds):.0f} ms", f"{ROWS / median(seconds):,.0f}", f"{ratios[name]:.2f}"]
        for name, seconds in found.items()
    ]
    explanation = (
        f"Predictions for {ROWS:,} rows in one request, one request at a time, the ways in turn. `beside`: rows a "
        "second, as a multiple of JSON rows."
    )
    target = _at_least("rows a second as binary tensors, to JSON rows", list(ratios.values())[-1], 3.0)
    return Section(explanation, ["way", f"{ROWS:,} rows", "rows/s", "beside"], rows, [target])


def batching(found: list[Batching]) -> Section:
    """Batching on and off."""
    rows = []
    for on in (True, False):
        mine = [one for one in found if one.on == on]
        cells = [_cell([one.loads[count] for one in mine]) for count in (1, 32)]
        batch = f"{median(one.rows[32] for one in mine):.1f}"
        rows.append(["on" if on else "off", *cells, batch, _bad([one.loads[n] for one in mine for n in (1, 32)])])
    heads = ["batching", "1 connections", "32 connections", "rows a batch at 32", "bad"]
    explanation = "Single rows with `BOXWOOD_BATCHING` 1 and 0; how many rows were predicted together, from `/metrics`."
    rates = {
        (one, count): _rate([b.loads[count] for b in found if b.on == one])
        for one in (True, False)
        for count in (1, 32)
    }
    targets = [
        _at_least("rows a batch at 32 connections", median(one.rows[32] for one in found if one.on), 1.0),
        _at_least("on to off at 32 connections", rates[True, 32] / rates[False, 32], 1.0),
        _at_least("on to off at 1 connection", rates[True, 1] / rates[False, 1], _AS_FAST),
    ]
    return Section(explanation, heads, rows, targets)


def stall(found: list[Stall]) -> Section:
    """The worst answers under a load that can be borne."""
    rows = [
        [
            one.server, f"{one.capacity:,.0f}/s", f"{one.load.requests:,.0f}/s", f"{one.load.p99:.1f} ms",
            f"{one.load.p999:.1f} ms", f"{one.load.worst:.1f} ms", str(one.load.bad),
        ]
        for one in found
    ]  # fmt: skip
    ours, echo = (one.load for one in found)
    worse = ours.worst - echo.worst
    what = "our worst answer, above the echo's"
    target = Target(what, f"{worse:.1f} ms", f"at most {STALL_MS:.0f} ms", worse <= STALL_MS)
    explanation = (
        f"Single rows at a fixed rate, {STEADY_SHARE:.0%} of what each server can do, for {found[0].seconds} s, by "
        f"h2load over HTTP/1.1 from {STEADY_CONNECTIONS} connections that all ask at the same moments."
    )
    heads = ["server", "capacity", "rate", "p99", "p99.9", "worst", "bad"]
    return Section(explanation, heads, rows, [target])


def overload(found: Overload) -> Section:
    """Too much."""
    refused = [1e3 * one.seconds for one in found.ended(503)]
    p99, worst = np.percentile(refused, [99, 100]) if refused else (np.nan, np.nan)
    share = len(refused) / len(found.answers)
    failed = len(found.answers) - len(refused) - len(found.ended(200))
    explained = [
        f"explanations of {OVERLOAD_ROWS} rows, open loop, {found.seconds:.0f} s", f"{found.offered:.1f}/s",
        f"{found.peak:.1f}/s", f"{found.goodput:.1f}/s", f"{share:.0%}, p99 {p99:.0f} ms, worst {worst:.0f} ms",
        str(failed), f"{found.memory[0].worker:.0f} to {found.memory[1].worker:.0f} MB",
    ]  # fmt: skip
    before, after = (memory.worker for memory in found.crowded_memory)
    crowd = [
        f"single rows over {TIMES * SATURATING} connections", "", f"{found.saturated.requests:,.0f}/s",
        f"{found.crowded.requests:,.0f}/s", "", str(found.crowded.bad), f"{before:.0f} to {after:.0f} MB",
    ]  # fmt: skip
    explanation = (
        f"Explanations at {TIMES} times what two connections get, whatever is answered; and single rows over {TIMES} "
        f"times {SATURATING} connections, beside what {SATURATING} get."
    )
    heads = ["load", "offered", "peak", "good", "503", "failed", "worker's memory"]
    return Section(explanation, heads, [explained, crowd], _held(found, float(worst), failed))


def _held(found: Overload, worst: float, failed: int) -> list[Target]:
    predicted, explained = found.recovery
    slowest = max(found.recovery)
    grown = [after.worker - before.worker for before, after in (found.memory, found.crowded_memory)]
    times = f"prediction {predicted:.2f} s, explanation {explained:.2f} s"
    bad = found.crowded.bad
    return [
        _at_least("goodput, to the peak", found.goodput / found.peak, 0.9),
        Target("the worst 503", f"{worst:.0f} ms", f"at most {REFUSAL_MS:.0f} ms", worst <= REFUSAL_MS),
        Target("good answers once it stops", times, f"within {RECOVERY_SECONDS:.0f} s", slowest <= RECOVERY_SECONDS),
        Target("answers other than 200 and 503", f"{failed} and {bad}", "0", failed == bad == 0),
        Target(
            "the worker's memory grows", f"{max(grown):.0f} MB", f"at most {GROWTH_MB:.0f} MB", max(grown) <= GROWTH_MB
        ),
    ]
