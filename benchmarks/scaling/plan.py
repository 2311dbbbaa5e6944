"""The arithmetic: what a load takes on Cloud Run and on Kubernetes, and at which load a limit is reached."""

import math
from collections.abc import Mapping
from typing import NamedTuple

MONTH = 730 * 3_600
"""Seconds."""
_GIB = 2**30


class Journal(NamedTuple):
    """What the journals of all workers record, with their default settings.

    Attributes:
        rows: a second.
        share: of all rows.
        gibibytes: a month.
        dollars: a month, as a structured log.
    """

    rows: float
    share: float
    gibibytes: float
    dollars: float


class Plan(NamedTuple):
    """What one load takes.

    Attributes:
        load: requests a second, a row each.
        workers: that answer it over HTTP, each at the share of its rate that is planned for; on Kubernetes a pod each.
        instances: the same on Cloud Run, which lets no more requests into an instance than its concurrency.
        typed, explained: the workers that it would take over typed gRPC, and if each request were an explanation.
        in_flight: requests in flight in a worker.
        by_instance, by_request: USD a month on Cloud Run, under its two ways to bill.
        nodes: that have room for the workers as pods.
        cluster: USD a month for them and the control plane.
        gigabits: a second, of requests and answers.
        series: in Prometheus.
        samples: that it takes a second.
        instance_journal, pod_journal: what is recorded on Cloud Run, and on Kubernetes, where there are more workers
            than needed if the load is small.
        pulled: GB that the nodes pull for a new image.
        refused: requests until more pods answer, if the load doubles at once on Kubernetes.
        waiting: requests that wait for a start, if it does on Cloud Run.
    """

    load: float
    workers: int
    instances: int
    typed: int
    explained: int
    in_flight: float
    by_instance: float
    by_request: float
    nodes: int
    cluster: float
    gigabits: float
    series: float
    samples: float
    instance_journal: Journal
    pod_journal: Journal
    pulled: float
    refused: float
    waiting: float


class Limit(NamedTuple):
    """A limit, and the load at which it is reached."""

    load: float
    what: str
    remedy: str


def planned(load: float, given: Mapping[str, float]) -> Plan:
    """What a load takes; `given` has every input by its name."""
    usable = _usable(given)
    workers = max(math.ceil(load / usable), 1)
    instances = max(math.ceil(load / _let_in(given)), 1)
    pods = max(workers, int(given["least-pods"]))
    nodes = math.ceil(pods / given["node-pods"])
    series = pods * given["series"]
    does = given["rate"] * given["core"]
    return Plan(
        load=load,
        workers=workers,
        instances=instances,
        typed=math.ceil(load / (usable * given["typed"] / given["rate"])),
        explained=math.ceil(load / (usable * given["explained"] / given["rate"])),
        in_flight=load / workers * _seconds(given),
        by_instance=instances * _instance(given, "run"),
        by_request=instances * _instance(given, "run-request") + load * MONTH / 1e6 * given["run-million"],
        nodes=nodes,
        cluster=(nodes * given["node"] + given["cluster"]) * MONTH / 3_600,
        gigabits=load * (given["request-bytes"] + given["answer-bytes"]) * 8 / 1e9,
        series=series,
        samples=series / given["scrape"],
        instance_journal=_journal(load, instances, given),
        pod_journal=_journal(load, pods, given),
        pulled=nodes * given["image-mb"] / 1_000,
        refused=max(0.0, 2 * load - pods * does) * given["reaction"],
        waiting=max(0.0, 2 * load - instances * does) * given["ready"],
    )


def limits(given: Mapping[str, float]) -> list[Limit]:
    """The limits that are ever reached, the first one first."""
    usable, let_in = _usable(given), _let_in(given)
    found = [
        *_limits_of_journals(given),
        Limit(given["most-instances"] * let_in, f"`max_instances: {given['most-instances']:g}` of Cloud Run", "ours"),
        Limit(given["most-pods"] * usable, f"`maxReplicas: {given['most-pods']:g}` of the autoscalers", "ours"),
        Limit(
            given["run-quota"] // given["vcpus"] * let_in, f"{given['run-quota']:,.0f} vCPUs of a service on Cloud Run",
            "ask for more, or move the collector out",
        ),
        Limit(
            given["prometheus"] / given["series"] * usable, f"{given['prometheus']:,.0f} series in one Prometheus",
            "record sums without `pod`, or more than one Prometheus",
        ),
        Limit(
            given["nodes"] * given["node-pods"] * usable, f"{given['nodes']:,.0f} nodes of a cluster",
            "more clusters",
        ),
    ]  # fmt: skip
    return sorted(found)


def _limits_of_journals(given: Mapping[str, float]) -> list[Limit]:
    """Those of what is recorded; a worker that may record more than it is planned to answer has no limit."""
    usable, let_in = _usable(given), _let_in(given)
    rows, pods = given["journal-rows"], given["least-pods"]
    unpaid = min(_unpaid(1, let_in, given), _unpaid(pods, usable, given))
    free = f"the {given['log-free']:g} GiB of log a month that cost nothing"
    found = [Limit(unpaid, free, "`BOXWOOD_JOURNAL_PERCENT`")]
    enough = "none: it is there to bound the log; verdicts need thousands of rows a day"
    if rows < let_in:
        found.append(Limit(rows, f"the {rows:g} rows a second that an instance of Cloud Run records", enough))
    if rows < usable:
        found.append(Limit(pods * rows, f"the {pods * rows:g} rows a second that {pods:g} pods record", enough))
    return found


def _journal(load: float, workers: int, given: Mapping[str, float]) -> Journal:
    """What so many workers record of a load."""
    rows = min(load, workers * given["journal-rows"])
    gibibytes = rows * given["line-bytes"] * MONTH / _GIB
    return Journal(rows, rows / load, gibibytes, max(0.0, gibibytes - given["log-free"]) * given["log-gib"])


def _unpaid(least: float, usable: float, given: Mapping[str, float]) -> float:
    """Up to which load the log costs nothing, with so many workers at least and so many requests a second for each."""
    rows = given["log-free"] * _GIB / MONTH / given["line-bytes"]
    return rows if least * given["journal-rows"] > rows else rows // given["journal-rows"] * usable


def _usable(given: Mapping[str, float]) -> float:
    """Requests a second that are planned for a worker, by what its processor does."""
    return given["rate"] * given["core"] * given["share"]


def _let_in(given: Mapping[str, float]) -> float:
    """The same on Cloud Run, where no more are let in than are answered at a time."""
    return min(_usable(given), given["concurrency"] / _seconds(given))


def _seconds(given: Mapping[str, float]) -> float:
    """How long 99 % of the answers take at most: on a slower core longer."""
    return given["p99"] / given["core"] / 1_000


def _instance(given: Mapping[str, float], price: str) -> float:
    """USD a month for an instance that always has a request."""
    return MONTH * (given["vcpus"] * given[f"{price}-cpu"] + given["gibibytes"] * given[f"{price}-memory"])
