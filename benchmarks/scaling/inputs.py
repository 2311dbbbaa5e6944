"""What the arithmetic starts from: measured figures, our own settings, prices and limits of platforms."""

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

import yaml

from deploy.config import Run
from serving.settings import Settings

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results.md"
_AUTOSCALER = ROOT / "deploy/kubernetes/plain/autoscaler.yaml"
LOWEST, HIGHEST = 1e-9, 1e15
"""Of an input that divides, and of any: the arithmetic stays finite between them."""
_BYTES = "one row of flights, measured on a running service on 2026-11-30"
_READ = "a copy read on 2026-11-30"
_RUN = f"price list of Cloud Run, Tier 1, {_READ}"
_LOG = f"price list of Google Cloud Observability, {_READ}"


class Input(NamedTuple):
    """A number that a flag replaces.

    Attributes:
        value: the number.
        unit: what it counts.
        source: where it is from, and of when.
    """

    value: float
    unit: str
    source: str


def defaults(results: str) -> dict[str, Input]:
    """All inputs by their names; `results` is the text that `make bench` wrote.

    Raises:
        ValueError: where a figure is not in it, with a sentence.
    """
    found = {**_measured(results), **_own(), **_PLATFORMS}
    for name, each in found.items():
        number(name, str(each.value))
    return found


def number(name: str, text: str) -> float:
    """The value of an input as a flag has it.

    Raises:
        ValueError: for what is no number, or none that the input can have, with a sentence.
    """
    least = 1 if name in _COUNTS else 0 if name in _MAY_BE_NOTHING else LOWEST
    most = 1 if name == "share" else HIGHEST
    with contextlib.suppress(ValueError):
        value = float(text)
        if least <= value <= most and (name not in _COUNTS or value.is_integer()):
            return value
    raise ValueError(f"--{name}: {text} is no {'whole ' * (name in _COUNTS)}number from {least:g} to {most:g}")


_COUNTS = {"least-pods", "most-pods", "most-instances", "concurrency", "node-pods", "nodes"}
_MAY_BE_NOTHING = {
    "run-cpu", "run-memory", "run-request-cpu", "run-request-memory", "run-million", "node", "cluster", "log-gib",
    "log-free", "image-mb", "ready", "reaction",
}  # fmt: skip
"""Prices, what is free of them, and times that some do not have."""
_PLATFORMS = {
    "core": Input(0.5, "of a measured core is a vCPU", "a vCPU is usually one of two threads of a core; not measured"),
    "request-bytes": Input(308, "bytes, HTTP", _BYTES),
    "answer-bytes": Input(373, "bytes, HTTP", _BYTES),
    "line-bytes": Input(414, "bytes of the journal a row", _BYTES),
    "series": Input(187, "series of a worker that is asked over HTTP and gRPC", _BYTES),
    "image-mb": Input(249, "MB beyond the base", "podman's size of the image, docs/explanation/speed.md"),
    "ready": Input(2.5, "seconds from a container's start until it answers", "docs/explanation/speed.md, the image"),
    "run-cpu": Input(0.000018, "USD a vCPU-second, billed by instance", _RUN),
    "run-memory": Input(0.000002, "USD a GiB-second, billed by instance", _RUN),
    "run-request-cpu": Input(0.000024, "USD a vCPU-second, billed by request", _RUN),
    "run-request-memory": Input(0.0000025, "USD a GiB-second, billed by request", _RUN),
    "run-million": Input(0.40, "USD a million requests, billed by request", _RUN),
    "run-quota": Input(1_000, "vCPUs of a service's instances", f"quotas of Cloud Run, {_READ}; regions differ"),
    "node": Input(
        0.388472, "USD an hour of n2-standard-8", f"price list of Compute Engine, us-central1, on demand, {_READ}"
    ),
    "node-pods": Input(7, "pods of one vCPU on it", "8 vCPU less one for the node itself"),
    "cluster": Input(0.10, "USD an hour of GKE's control plane", f"price list of GKE, {_READ}"),
    "nodes": Input(5_000, "nodes of a cluster", "Kubernetes 1.35, Considerations for large clusters"),
    "log-gib": Input(0.50, "USD a GiB of Cloud Logging", _LOG),
    "log-free": Input(50, "GiB a month of it for nothing", _LOG),
    "prometheus": Input(2_000_000, "series in one Prometheus", "a rule of thumb: about 16 GiB of memory"),
    "reaction": Input(
        60, "seconds until more pods answer", "a scrape, the adapter's minute, a look, a start; not measured"
    ),
}


def _own() -> dict[str, Input]:
    """Our own settings."""
    run, autoscaler = Run(), yaml.safe_load(_AUTOSCALER.read_text())["spec"]
    [processor] = autoscaler["metrics"]
    share = processor["resource"]["target"]["averageUtilization"] / 100
    mebibytes = {name: float(text.removesuffix("Mi")) for name, text in (("s", run.memory), ("m", run.metrics.memory))}
    collector = float(run.metrics.cpu.removesuffix("m")) / 1_000
    ours, pods = "deploy/cloudrun.yaml", "deploy/kubernetes"
    return {
        "share": Input(share, "of what a worker can do, for peaks and lost pods", f"{pods}, the autoscaler"),
        "least-pods": Input(autoscaler["minReplicas"], "pods at least", pods),
        "most-pods": Input(autoscaler["maxReplicas"], "pods at most", pods),
        "most-instances": Input(run.max_instances, "instances at most", ours),
        "concurrency": Input(run.concurrency, "requests in flight in an instance at most", ours),
        "vcpus": Input(float(run.cpu) + collector, "vCPUs of an instance with its collector", ours),
        "gibibytes": Input(sum(mebibytes.values()) / 1_024, "GiB of an instance with its collector", ours),
        "journal-rows": Input(Settings().journal_rows_per_second, "rows a second a worker records", "default setting"),
        "scrape": Input(15, "seconds between two scrapes", f"{pods}/monitored"),
    }


def _measured(results: str) -> dict[str, Input]:
    """What `make bench` measured of one worker."""
    source, http = "benchmarks/results.md", "Single rows over HTTP"
    calls = _cell(results, http, "Boxwood, alone", "32 connections")
    typed = _cell(results, "Single rows over gRPC", "Boxwood, typed", "calls")
    p99 = _found(r"p99 ([\d.]+) ms", calls, f"'{http}', '32 connections' has no p99 in ms")
    explained = _found(
        r"(?m)^\| 1 \| 2 \| ([\d,]+) \|", _section(results, "Explanations"),
        "'Explanations' has no row for 1 row and 2 connections",
    )  # fmt: skip
    return {
        "rate": Input(_number(calls), "single rows a second of a worker over HTTP, 32 connections", source),
        "p99": Input(float(p99), "ms, 99 % of their answers", source),
        "typed": Input(_number(typed), "the same over typed gRPC, 32 calls", source),
        "explained": Input(_number(explained), "explanations a second, one row each", source),
    }


def _cell(results: str, title: str, name: str, column: str) -> str:
    """A cell of the first table of a section."""
    lines = [line for line in _section(results, title).splitlines() if line.startswith("| ")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [row for row in table if row[0] == name]
    if not rows:
        raise ValueError(f"'{title}' has no row '{name}'")
    if column not in table[0]:
        raise ValueError(f"'{title}' has no column '{column}'")
    return dict(zip(table[0], rows[0], strict=True))[column]


def _section(results: str, title: str) -> str:
    pattern = rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)"
    return _found(pattern, results, f"it has no section '{title}'")


def _found(pattern: str, text: str, otherwise: str) -> str:
    """What the group of a pattern matches; ValueError with the sentence `otherwise` if nothing does."""
    if (found := re.search(pattern, text)) is None:
        raise ValueError(otherwise)
    return found[1]


def _number(text: str) -> float:
    """The number that a text begins with."""
    return float(_found(r"^([\d,]*\d(?:\.\d+)?)", text, f"'{text}' begins with no number").replace(",", ""))
