"""Metrics: those of the service from its instruments, those of the last verdict from what is published of one."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from docs.rendering.docstrings import table
from monitoring import exposition
from monitoring.verdict import ColumnDrift, Coverage, Figure, Performance, Verdict
from serving.telemetry import ModelMetrics, instruments

_HEAD = """# Metrics

`GET /metrics` has these for Prometheus, summed over the workers. [Be told when something is
wrong](../how-to/alerts.md) has alert rules and a board on them.
"""
_WATCHED = "Where `BOXWOOD_WATCH` names the store, and for each model as far as its verdict has the figure."
_FIGURE = Figure(value=0.5, low=0.4, high=0.6)
_VERDICT = Verdict(
    model="flights",
    version="1",
    made="2026-01-02T03:04:05Z",
    first="2026-01-01",
    last="2026-01-01",
    rows=1_000,
    status="ok",
    sentence="",
    columns=[ColumnDrift(name="origin", importance=1.0, psi=0.0, missing=0.0, missing_before=0.0)],
    divergence=0.0,
    separable=_FIGURE,
    performance=[
        Performance(metric="RMSE", better="lower", before=_FIGURE, estimated=_FIGURE, true=_FIGURE, labelled=1_000)
    ],
    coverage=Coverage(stated=0.9, live=_FIGURE, rows=1_000),
)
"""A verdict that has everything which is published of one."""


def page() -> str:
    """The whole page."""
    heads = ("metric", "kind", "labels", "meaning")
    most = f"Of columns the {exposition.MOST_COLUMNS} most important."
    return "\n\n".join(
        [
            _HEAD.rstrip(),
            f"## The service\n\n{table(heads, _of_service())}",
            f"## The last verdict\n\n{_WATCHED} {most}\n\n{table(heads, _of_verdict())}",
        ]
    )


def _of_service() -> Iterator[tuple[str, ...]]:
    predictions = ModelMetrics("", "", (1.0,))._predictions  # not among the instruments: each model has its own bounds
    for instrument in (*instruments(), predictions):
        [family] = instrument.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"`{name}`", family.type, _labels(instrument._labelnames), family.documentation


def _of_verdict() -> Iterator[tuple[str, ...]]:
    for family in text_string_to_metric_families(exposition.text(_VERDICT).decode()):
        yield f"`{family.name}`", family.type, _labels(family.samples[0].labels), f"{family.documentation}."


def _labels(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]
