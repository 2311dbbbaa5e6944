"""Errors as HTTP says them: RFC 9457, application/problem+json. Each error knows its status and its words."""

from http import HTTPStatus

from msgspec import UNSET

from validation.errors import RequestError, RowsRejected
from validation.wire import ProblemDetails

MEDIA_TYPE = "application/problem+json"


def of(error: RequestError) -> ProblemDetails:
    """What a caller is told about their request."""
    errors = error.errors if isinstance(error, RowsRejected) else UNSET
    return ProblemDetails(f"urn:boxwood:{error.kind}", error.title, error.status, str(error), errors=errors)


def plain(status: HTTPStatus, detail: str) -> ProblemDetails:
    """A problem that HTTP itself has a name for."""
    return ProblemDetails("about:blank", status.phrase, status, detail)


def failure() -> ProblemDetails:
    """A problem of ours, which is nobody else's business."""
    return plain(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its log says why.")
