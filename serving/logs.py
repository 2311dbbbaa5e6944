"""The service's log: a JSON line for each failure and each slow request, with the trace of its caller."""

import datetime
import json
import logging
import re

import opentelemetry.trace

SLOW_SECONDS = 1.0
"""A request that takes longer leaves a line in the log."""
TRACE = "traceparent"
"""The header, or gRPC metadata, of the caller's trace context (W3C), which is sent back."""
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _Lines(logging.Formatter):
    """What `line` made, beside when and where it happened, and the exception, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; `severity` is what log collectors call it."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        known = {"time": time, "severity": record.levelname, "process": record.process}
        raised = {} if record.exc_info is None else {"traceback": self.formatException(record.exc_info)}
        return json.dumps({**known, **json.loads(record.getMessage()), **raised})


def set_up() -> None:
    """Write our lines to stderr as JSON; BentoML's handler would put text before them."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    ours = logging.getLogger("boxwood")
    ours.handlers = [handler]
    ours.propagate = False


def trace_parent(sent: str | None) -> str | None:
    """A trace context; None where there is none or it is malformed."""
    return sent if sent is not None and _TRACE_PARENT.fullmatch(sent) else None


def line(event: str, trace: str | None, **facts: object) -> str:
    """A line of the log."""
    span = opentelemetry.trace.get_current_span().get_span_context()
    known = {} if trace is None else {"trace_id": trace.split("-")[1]}
    if span.is_valid:  # of the same trace, where the caller sent one
        known = {"trace_id": f"{span.trace_id:032x}"}
    return json.dumps({"event": event, **facts, **known})
