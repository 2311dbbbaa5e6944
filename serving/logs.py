"""The service's log: a JSON line for each failure and each slow request, with the trace of its caller."""

import datetime
import json
import logging
import re
from typing import NamedTuple

SLOW_SECONDS = 1.0
"""A request that takes longer leaves a line in the log."""
TRACE = "traceparent"
"""The header, or gRPC metadata key, of the caller's trace context (W3C), which is sent back."""
REQUEST = "x-request-id"
"""The header, or gRPC metadata key, of the caller's request id, which is sent back too."""
_FACTS = "facts"
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _Lines(logging.Formatter):
    """The event, its `facts`, when and where it happened, and the exception, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; `severity` is what log collectors call it."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "severity": record.levelname, "process": record.process, "event": record.getMessage()}
        traceback = {} if record.exc_info is None else {"traceback": self.formatException(record.exc_info)}
        return json.dumps({**fields, **getattr(record, _FACTS, {}), **traceback})


def set_up() -> None:
    """Write our log to stderr as JSON lines; BentoML's handler would put text before each."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logger = logging.getLogger("boxwood")
    logger.handlers = [handler]
    logger.propagate = False


class Caller(NamedTuple):
    """The caller's trace context and request id, where they are well formed: they are logged, and sent back."""

    trace: str | None = None
    request: str | None = None

    @classmethod
    def of(cls, trace: str | bytes | None, request: str | bytes | None) -> "Caller":
        """Read the values of `TRACE` and `REQUEST`."""
        return cls(_valid(_TRACE_PARENT, trace), _valid(_REQUEST_ID, request))

    @property
    def sent_back(self) -> list[tuple[str, str]]:
        """The headers, or metadata, of the answer."""
        return [(name, value) for name, value in ((TRACE, self.trace), (REQUEST, self.request)) if value is not None]


NOBODY = Caller()


def _valid(pattern: re.Pattern[str], value: str | bytes | None) -> str | None:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return text if text is not None and pattern.fullmatch(text) else None


def facts(caller: Caller, **event_facts: object) -> dict[str, dict[str, object]]:
    """The `extra` of a logger's call: the facts of an event, and the ids of its trace and request."""
    import opentelemetry.trace  # takes as long as all of our own code, and most processes never log a failure

    span = opentelemetry.trace.get_current_span().get_span_context()
    ids = {} if caller.trace is None else {"trace_id": caller.trace.split("-")[1]}
    if span.is_valid:  # of the same trace, where the caller sent one
        ids = {"trace_id": f"{span.trace_id:032x}"}
    if caller.request is not None:
        ids["request_id"] = caller.request
    return {_FACTS: {**event_facts, **ids}}
