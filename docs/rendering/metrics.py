"""Metrics: those of the service from its instruments, those of the last verdict from what is published of one."""

import datetime
from collections.abc import Iterable, Iterator

import prometheus_client
from prometheus_client.core import Metric
from prometheus_client.parser import text_to_metric_families

from docs.rendering.docstrings import table
from monitoring import exposition
from monitoring.verdict import ColumnDrift, Coverage, Estimated, Figure, Separable, Verdict
from serving.telemetry import instruments

_HEAD = """# Metrics

`GET /metrics` has these for Prometheus, summed over the workers. [Be told when something is wrong](../how-to/alerts.md) has alert rules and
a board on them.
"""
