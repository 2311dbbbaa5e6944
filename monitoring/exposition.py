"""The last verdict as Prometheus reads it, for boards and alert rules."""

import datetime
from collections.abc import Iterator, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from monitoring.verdict import ColumnDrift, Figure, Status, Verdict

MOST_COLUMNS = 50
"""A series each: a table of thousands of columns has the most important ones."""
_PREFIX = "boxwood_watch"
_OF = ("model", "version")


def text(verdict: Verdict) -> bytes:
    """The verdict in Prometheus' text format, without timestamps: what is scraped is the last that is known."""
    registry = CollectorRegistry()
    registry.register(_Gauges(verdict))
    return generate_latest(registry)


class _Gauges(Collector):
    """A family of samples for each figure that the verdict has."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def collect(self) -> Iterator[GaugeMetricFamily]:
        verdict = self._verdict
        yield self._family(
            "status", "1 of the status that the last verdict has, 0 of the others", ("status",),
            [((status,), float(status == verdict.status)) for status in get_args(Status)],
        )  # fmt: skip
        harmful = sum(finding.harmful for finding in verdict.findings)
        counts = [(("true",), float(harmful)), (("false",), float(len(verdict.findings) - harmful))]
        yield self._family("findings", "What is not as it was, harmful or not", ("harmful",), counts)
        yield self._one("rows", "Answers that the verdict is on", verdict.rows)
        yield self._one("exploring_rows", "Answers left out, since their callers marked them", verdict.exploring)
        yield self._one("days", "Days of which figures are kept", len(verdict.days))
        yield self._one("verdict_timestamp_seconds", "When the verdict was made", _instant(verdict.made))
        window_end = _instant(f"{verdict.last}T00:00:00Z") + 86_400
        yield self._one("window_end_timestamp_seconds", "The end of the last day that it is on", window_end)
        yield from self._answers()
        yield from self._columns(verdict.columns[:MOST_COLUMNS])
        yield from self._performance()

    def _answers(self) -> Iterator[GaugeMetricFamily]:
        verdict = self._verdict
        if verdict.divergence is not None:
            says = "How far predictions are from those before (Jensen-Shannon distance)"
            yield self._one("prediction_divergence", says, verdict.divergence)
        if verdict.separable is not None:
            says = "How well a classifier tells these rows from those before (ROC AUC)"
            yield self._one("separable_auc", says, verdict.separable.value)
        if verdict.coverage is not None:
            yield self._one("coverage", "The share of intervals or sets that held", verdict.coverage.live.value)
            yield self._one("coverage_stated", "The share that is stated", verdict.coverage.stated)

    def _columns(self, columns: list[ColumnDrift]) -> Iterator[GaugeMetricFamily]:
        if not columns:
            return
        for name, says, values in (
            ("psi", "Population stability index", [column.psi for column in columns]),
            ("missing", "The share of rows without a value", [column.missing for column in columns]),
            ("drifted", "1 where the column has drifted", [float(column.drifted) for column in columns]),
            ("importance", "The share of what moves answers", [column.importance for column in columns]),
        ):
            samples = [((column.name,), value) for column, value in zip(columns, values, strict=True)]
            yield self._family(f"column_{name}", says, ("column",), samples)

    def _performance(self) -> Iterator[GaugeMetricFamily]:
        """Three families: the figures, and the ends of their intervals."""
        if not self._verdict.performance:
            return
        figures = [
            ((each.metric, of), figure)
            for each in self._verdict.performance
            for of, figure in (("before", each.before), ("estimated", each.estimated), ("true", each.true))
            if figure is not None
        ]
        says = "How good answers are: before, as estimated without labels, and in truth"
        labels = ("metric", "of")
        yield self._family("performance", says, labels, [(where, figure.value) for where, figure in figures])
        for end, word in (("low", "lower"), ("high", "upper")):
            samples = [(where, value) for where, figure in figures if (value := _end(figure, end)) is not None]
            yield self._family(f"performance_{end}", f"The {word} end of the 95 % interval", labels, samples)
        labelled = max(each.labelled for each in self._verdict.performance)
        yield self._one("labelled_rows", "Answers of the window whose true values are known", labelled)

    def _one(self, name: str, says: str, value: float) -> GaugeMetricFamily:
        return self._family(name, says, (), [((), value)])

    def _family(
        self, name: str, says: str, labels: tuple[str, ...], samples: Sequence[tuple[tuple[str, ...], float]]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"{_PREFIX}_{name}", says, labels=(*_OF, *labels))
        for values, value in samples:
            family.add_metric([self._verdict.model, self._verdict.version, *values], value)
        return family


def _end(figure: Figure, end: str) -> float | None:
    return figure.low if end == "low" else figure.high


def _instant(text: str) -> float:
    """Seconds since 1970 of a time in RFC 3339."""
    return datetime.datetime.fromisoformat(text).timestamp()
