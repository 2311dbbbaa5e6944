"""One caller that asks for ten times its share of a worker, and what is left to the others."""

import asyncio
from typing import NamedTuple

from benchmarks import bodies, load, open_loop, servers
from benchmarks.access import new_key
from benchmarks.open_loop import Answer
from benchmarks.options import PORT, Bench
from benchmarks.process import running
from benchmarks.report import Section, Target
from benchmarks.servers import EXPLAIN, PREDICT

CALLERS = 5
"""With the one that asks for too much."""
TIMES = 10
"""What that one asks for, as a multiple of its share."""
ASKED = 0.8
"""What the others ask for, as a part of theirs."""
LEFT = 0.9
"""What is to be left of their good answers."""
KINDS = {"explanations of 20 rows": (EXPLAIN, 20), "predictions of 200 rows": (PREDICT, 200)}


class Beside(NamedTuple):
    """The results of one kind of request."""

    kind: str
    capacity: float
    """Good answers a second that one caller gets alone in a closed loop."""
    alone: list[float]
    """Good answers a second of each of the others, without the one that asks for too much."""
    beside: list[float]
    """The same with it."""
    many: float
    """Its own."""
    untold: list[float]
    """What is left of `alone` beside it where all of them have one key, so that nobody is told from another."""


def fairness(bench: Bench) -> list[Beside]:
    """Each kind of request, without the caller that asks for too much and with it."""
    file = bench.work / "callers.json"
    file.unlink(missing_ok=True)
    keys = [new_key(file, f"caller-{number}") for number in range(CALLERS)]
    with running(servers.ours(bench, BOXWOOD_API_KEYS=str(file)), bench.work):
        return [_measured(kind, path, bodies.instances(rows), keys, bench) for kind, (path, rows) in KINDS.items()]


def _measured(kind: str, path: str, body: str, keys: list[str], bench: Bench) -> Beside:
    headers = {"X-API-Key": keys[0]}
    capacity = load.wrk(path, body, 4, bench.seconds, bench.work, headers).good
    share = capacity / CALLERS
    requests = [open_loop.post(path, body, key) for key in keys]
    rates = [TIMES * share, *[ASKED * share] * (CALLERS - 1)]
    seconds = bench.overload_seconds
    alone = asyncio.run(_offered(requests[1:], rates[1:], seconds))
    many, *beside = asyncio.run(_offered(requests, rates, seconds))
    _, *untold = asyncio.run(_offered([requests[0]] * CALLERS, rates, seconds))
    return Beside(kind, capacity, alone, beside, many, untold)


async def _offered(requests: list[bytes], rates: list[float], seconds: float) -> list[float]:
    """The good answers a second to each of these requests, sent at these rates at the same time."""

    async def one(request: bytes, rate: float) -> list[Answer]:
        async with open_loop.Crowd(PORT) as crowd:
            begun = await crowd.offer(request, rate, seconds)
            return list(await asyncio.gather(*begun))

    answers = await asyncio.gather(*map(one, requests, rates))
    return [sum(answer.status == 200 for answer in given) / seconds for given in answers]


def _left(result: Beside, got: list[float]) -> float:
    """What the worst off of the others has left."""
    return min(beside / alone for alone, beside in zip(result.alone, got, strict=True))


def section(results: list[Beside]) -> Section:
    """What one caller leaves to the others."""
    rows, targets = [], []
    for result in results:
        left = _left(result, result.beside)
        rows.append([
            result.kind, f"{result.capacity:,.0f}/s", f"{sum(result.alone):,.1f}/s", f"{sum(result.beside):,.1f}/s",
            f"{left:.2f}", f"{_left(result, result.untold):.2f}", f"{TIMES * result.capacity / CALLERS:,.0f}/s",
            f"{result.many:,.1f}/s",
        ])  # fmt: skip
        what = f"what is left to the others' worst off, {result.kind}"
        targets.append(Target(what, f"{left:.2f}", f"at least {LEFT:g}", left >= LEFT))
    explanation = (
        f"{CALLERS} callers with a key each, without quotas, open loop: {CALLERS - 1} ask for {ASKED:.0%} of their "
        f"equal share of what the worker can do, and one for {TIMES} times its share. `left`: good answers of the "
        "worst off of the others, as a part of what it got without that one; with one key for all, nobody is told from "
        "another."
    )
    heads = ["requests", "capacity", "others without it", "others beside it", "left", "left with one key"]
    heads += ["it asks for", "it gets"]
    return Section(explanation, heads, rows, targets)
