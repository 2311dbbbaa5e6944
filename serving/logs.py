"""The service's log: a JSON line for each failure and each slow request, with the trace of its caller."""

import datetime
import json
import logging
import re
from typing import NamedTuple

import opentelemetry.trace

SLOW_SECONDS = 1.0
"""A request that takes longer leaves a line in the log."""
TRACE = "traceparent"
"""The header, or gRPC metadata, of the caller's trace context (W3C), which is sent back."""
REQUEST = "x-request-id"
"""The header, or gRPC metadata, with the caller's own name for the request, which is sent back too."""
_FACTS = "facts"
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _Lines(logging.Formatter):
    """The event, its `facts`, when and where it happened, and the exception, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; `severity` is what log collectors call it."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        known = {"time": time, "severity": record.levelname, "process": record.process, "event": record.getMessage()}
        raised = {} if record.exc_info is None else {"traceback": self.formatException(record.exc_info)}
        return json.dumps({**known, **getattr(record, _FACTS, {}), **raised})


def set_up() -> None:
    """Write our lines to stderr as JSON; BentoML's handler would put text before them."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    ours = logging.getLogger("boxwood")
    ours.handlers = [handler]
    ours.propagate = False


class Caller(NamedTuple):
    """What a caller sent to find the request again, where it is well formed: it is logged, and sent back."""

    trace: str | None = None
    request: str | None = None

    @classmethod
    def of(cls, trace: str | bytes | None, request: str | bytes | None) -> "Caller":
        """Read the values of `TRACE` and `REQUEST`."""
        return cls(_matching(_TRACE_PARENT, trace), _matching(_REQUEST_ID, request))

    @property
    def sent_back(self) -> list[tuple[str, str]]:
        """The headers, or metadata, of the answer."""
        return [(name, value) for name, value in ((TRACE, self.trace), (REQUEST, self.request)) if value is not None]


NOBODY = Caller()


def _matching(pattern: re.Pattern[str], sent: str | bytes | None) -> str | None:
    text = sent.decode("latin-1") if isinstance(sent, bytes) else sent
    return text if text is not None and pattern.fullmatch(text) else None


def facts(caller: Caller, **told: object) -> dict[str, dict[str, object]]:
    """What is told of an event, as `extra` of the logger's methods: these facts, and the caller's names for it."""
    span = opentelemetry.trace.get_current_span().get_span_context()
    known = {} if caller.trace is None else {"trace_id": caller.trace.split("-")[1]}
    if span.is_valid:  # of the same trace, where the caller sent one
        known = {"trace_id": f"{span.trace_id:032x}"}
    if caller.request is not None:
        known["request_id"] = caller.request
    return {_FACTS: {**told, **known}}
