"""Errors as problem details (RFC 9457, application/problem+json). Each error class has its status and title."""

from http import HTTPStatus

from msgspec import UNSET

from validation.errors import RequestError, RowsRejected
from validation.wire import ProblemDetails

MEDIA_TYPE = "application/problem+json"


def of(error: RequestError) -> ProblemDetails:
    """The problem details of a request's error."""
    errors = error.errors if isinstance(error, RowsRejected) else UNSET
    return ProblemDetails(f"urn:boxwood:{error.kind}", error.title, error.status, str(error), errors=errors)


def plain(status: HTTPStatus, detail: str) -> ProblemDetails:
    """A problem with no type but its HTTP status."""
    return ProblemDetails("about:blank", status.phrase, status, detail)


def failure() -> ProblemDetails:
    """An internal error, whose cause is in the log only."""
    return plain(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its log says why.")
