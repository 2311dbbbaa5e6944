"""What the callers of a revision met, by Cloud Run's own metrics, and whether it is surely worse than beside it."""

import datetime
import functools
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from deploy.cloud.monitoring import Monitoring
from deploy.config import Canary, Config
from deploy.errors import CloudError, Unhealthy

LEAST = 10
"""With fewer requests of callers nothing is said about them."""
_CHANCE = 0.001
"""How rarely chance alone may stop a rollout; it is tested some ten times in each."""
_COUNT, _LATENCIES = "run.googleapis.com/request_count", "run.googleapis.com/request_latencies"
_ALONE = "judged by the golden rows alone"
Buckets = Mapping[tuple[float, float], int]
"""How many requests took how long: counts by bounds in milliseconds."""


class _Interval(msgspec.Struct, rename="camel"):
    end_time: datetime.datetime


class _Exponential(msgspec.Struct, rename="camel"):
    num_finite_buckets: int
    growth_factor: float
    scale: float


class _Explicit(msgspec.Struct):
    bounds: Sequence[float]


class _Options(msgspec.Struct, rename="camel"):
    exponential_buckets: _Exponential | None = None
    explicit_buckets: _Explicit | None = None

    def bounds(self) -> list[float]:
        """Of the buckets: below the first, between two, beyond the last."""
        if self.exponential_buckets is not None:
            given = self.exponential_buckets
            return [given.scale * given.growth_factor**power for power in range(given.num_finite_buckets + 1)]
        return list(self.explicit_buckets.bounds) if self.explicit_buckets is not None else []


class _Distribution(msgspec.Struct, rename="camel"):
    bucket_options: _Options = msgspec.field(default_factory=_Options)
    bucket_counts: Sequence[int] = ()


class _Value(msgspec.Struct, rename="camel"):
    int64_value: int = msgspec.field(default=0, name="int64Value")
    distribution_value: _Distribution = msgspec.field(default_factory=_Distribution)


class _Point(msgspec.Struct):
    interval: _Interval
    value: _Value


class _Labelled(msgspec.Struct):
    labels: Mapping[str, str] = {}


class _Series(msgspec.Struct):
    metric: _Labelled
    resource: _Labelled
    points: Sequence[_Point] = ()


class Met(NamedTuple):
    """What the callers of one revision met.

    Attributes:
        requests: how many there were; errors: of them with a status of 500 or more; refused: with one of 400 to 499.
        took: how long they took, a rollout's own among them.
        until: the end of the last interval that has arrived.
    """

    requests: int
    errors: int
    refused: int
    took: Buckets
    until: datetime.datetime

    @property
    def p95(self) -> float:
        """Of the latencies, in milliseconds, as exact as their buckets are; NaN without any."""
        left = 0.95 * sum(self.took.values())
        for (low, high), count in sorted(self.took.items()):
            if count and count >= left:
                return low if math.isinf(high) else low + (high - low) * left / count
            left -= count
        return math.nan


_NOTHING = Met(0, 0, 0, {}, datetime.datetime.min.replace(tzinfo=datetime.UTC))


class Callers:
    """The callers of a rollout's revisions, from its first share of the traffic on."""

    def __init__(self, config: Config) -> None:
        """Of the services of this file."""
        self._config = config
        self._asked: Counter[str] = Counter()
        self._since: datetime.datetime | None = None

    def asked(self, revision: str, requests: int) -> None:
        """Not callers' but the rollout's own requests, which the metrics count too."""
        self._asked[revision] += requests

    def begin(self) -> None:
        """Callers reach the new revisions from now on."""
        self._since = self._since or _now()

    def judge(self, service: str, new: str, old: str, until: datetime.datetime) -> str:
        """Wait until the metrics of both revisions have arrived up to `until`, for `callers_seconds` at most.

        Both were asked something then, so that there are some.

        Returns:
            By what the new revision was judged, in a sentence.

        Raises:
            Unhealthy: its callers surely meet more errors than those of the old one, or are served more slowly.
        """
        patience = self._config.canary.callers_seconds
        end = time.monotonic() + patience
        while True:
            try:
                met = self._met(service)
            except CloudError as error:
                return f"{_ALONE}: {error}"
            of_new, of_old = met.get(new, _NOTHING), met.get(old, _NOTHING)
            sentence = judged(of_new, of_old, self._config.canary)
            if min(of_new.until, of_old.until) >= until:
                return sentence
            if time.monotonic() > end:
                return f"callers' metrics did not arrive in time; {_ALONE}"
            time.sleep(min(5.0, patience / 20))

    @functools.cached_property
    def _monitoring(self) -> Monitoring:
        return Monitoring(self._config.project)

    def _met(self, service: str) -> dict[str, Met]:
        """By revision, what has arrived so far."""
        found: dict[str, Met] = {}
        for revision, series in _by_revision(self._series(_COUNT, service)).items():
            classes: Counter[str] = Counter()
            for one in series:
                counted = sum(point.value.int64_value for point in one.points)
                classes[one.metric.labels.get("response_code_class", "")] += counted
            requests = max(0, classes.total() - self._asked[revision])
            errors, refused = min(classes["5xx"], requests), min(classes["4xx"], requests)
            found[revision] = Met(requests, errors, refused, {}, _until(series))
        for revision, series in _by_revision(self._series(_LATENCIES, service)).items():
            counted_too = found.get(revision, _NOTHING)
            until = min(counted_too.until, _until(series))
            found[revision] = counted_too._replace(took=_took(series), until=until)
        return {revision: met for revision, met in found.items() if met.took}

    def _series(self, metric: str, service: str) -> list[_Series]:
        wanted = (
            f'metric.type = "{metric}" AND resource.type = "cloud_run_revision"'
            f' AND resource.labels.service_name = "{service}" AND resource.labels.location = "{self._config.region}"'
        )
        since = self._since or _now()
        interval = {"interval.startTime": since.isoformat(), "interval.endTime": _now().isoformat()}
        found = list(self._monitoring.list("timeSeries", "timeSeries", filter=wanted, **interval))
        try:
            return msgspec.convert(found, list[_Series], strict=False)
        except msgspec.ValidationError as error:
            raise CloudError(f"Cloud Monitoring's {metric} cannot be read: {error}") from error


def judged(new: Met, old: Met, canary: Canary) -> str:
    """By what the new revision is judged, in a sentence; raises Unhealthy where its callers surely meet worse."""
    if new.requests < LEAST or old.requests < LEAST:
        return f"{new.requests} requests of callers, beside {old.requests}, are too few; {_ALONE}"
    for what, of_new, of_old in (("errors", new.errors, old.errors), ("refusals", new.refused, old.refused)):
        more = of_new / new.requests - of_old / old.requests > canary.max_more_errors
        if more and surely_more(of_new, new.requests, of_old, old.requests):
            raise Unhealthy(
                f"The new revision's callers meet more {what}: {of_new} of {new.requests} requests, "
                f"the old one's {of_old} of {old.requests}."
            )
    limit = canary.max_slowdown * old.p95 + canary.slack_ms
    slow_new, slow_old = _beyond(new.took, limit), _beyond(old.took, limit)
    if new.p95 > limit and surely_more(slow_new, sum(new.took.values()), slow_old, sum(old.took.values())):
        raise Unhealthy(
            f"The new revision's callers wait longer: p95 {new.p95:.0f} ms beside {old.p95:.0f}, "
            f"and {limit:.0f} ms is the most it may be."
        )
    return f"judged by {new.requests} callers' requests: {new.errors} errors, p95 {new.p95:.0f} ms beside {old.p95:.0f}"


def surely_more(hits: int, of: int, hits_beside: int, of_beside: int) -> bool:
    """Whether a share is larger than another beyond chance: Fisher's exact test, one-sided, which suits few hits too.

    The chance is that of so many hits or more among the first `of`, if all hits lay anywhere.
    """
    total, marked = of + of_beside, hits + hits_beside
    whole = _log_choices(total, of)
    chance = sum(
        math.exp(_log_choices(marked, drawn) + _log_choices(total - marked, of - drawn) - whole)
        for drawn in range(max(hits, of - (total - marked)), min(marked, of) + 1)
    )
    return chance < _CHANCE


def _log_choices(of: int, chosen: int) -> float:
    """The logarithm of how many ways there are to choose."""
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def _beyond(took: Buckets, limit: float) -> int:
    """How many requests surely took longer than `limit` milliseconds."""
    return sum(count for (low, _), count in took.items() if low >= limit)


def _by_revision(series: Sequence[_Series]) -> dict[str, list[_Series]]:
    found: dict[str, list[_Series]] = {}
    for one in series:
        found.setdefault(one.resource.labels.get("revision_name", ""), []).append(one)
    return found


def _until(series: Sequence[_Series]) -> datetime.datetime:
    return max((point.interval.end_time for one in series for point in one.points), default=_NOTHING.until)


def _took(series: Sequence[_Series]) -> Buckets:
    counts: Counter[tuple[float, float]] = Counter()
    for value in (point.value.distribution_value for one in series for point in one.points):
        edges = [0.0, *value.bucket_options.bounds(), math.inf]
        for place, count in enumerate(value.bucket_counts):
            counts[edges[place], edges[place + 1]] += count
    return counts


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
