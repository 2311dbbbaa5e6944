"""Errors as HTTP says them: RFC 9457, application/problem+json. The one table from our errors to status codes."""

from http import HTTPStatus

from validation.errors import (
    CallerLeft,
    Overloaded,
    RequestError,
    RequestTooLarge,
    RowsRejected,
    UnknownModel,
    UnreadableRequest,
    UnsupportedMedia,
)
from validation.wire import ProblemDetails

MEDIA_TYPE = "application/problem+json"

_KINDS: dict[type[RequestError], tuple[HTTPStatus, str, str]] = {
    CallerLeft: (HTTPStatus.BAD_REQUEST, "cancelled", "The caller left"),
    UnreadableRequest: (HTTPStatus.BAD_REQUEST, "unreadable", "The request cannot be read"),
    UnknownModel: (HTTPStatus.NOT_FOUND, "unknown-model", "There is no such model"),
    RequestTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The request is too large"),
    UnsupportedMedia: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media", "The body is in another format"),
    RowsRejected: (HTTPStatus.UNPROCESSABLE_ENTITY, "rows-rejected", "Some rows do not satisfy the contract"),
    Overloaded: (HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "The service is overloaded"),
}


TITLES = {status: title for status, _, title in _KINDS.values()}
"""What each status says that a request may be refused with."""
FAILED = "failed"
"""The kind of a request that failed by our fault."""


def kind(error: RequestError) -> str:
    """A word for an error, as its type's URN ends."""
    return _KINDS[type(error)][1]


def of(error: RequestError) -> ProblemDetails:
    """What a caller is told about their request."""
    status, kind, title = _KINDS[type(error)]
    details = ProblemDetails(f"urn:boxwood:{kind}", title, status, str(error))
    if isinstance(error, RowsRejected):
        return ProblemDetails(details.type, title, status, str(error), errors=error.errors)
    return details


def headers(error: RequestError) -> list[tuple[str, str]]:
    """The headers beside it."""
    match error:
        case Overloaded():
            return [("retry-after", str(error.seconds))]
        case UnsupportedMedia() if error.encodings:
            return [("accept-encoding", error.encodings)]
    return []


def plain(status: HTTPStatus, detail: str) -> ProblemDetails:
    """A problem that HTTP itself has a name for."""
    return ProblemDetails("about:blank", status.phrase, status, detail)


def failure() -> ProblemDetails:
    """A problem of ours, which is nobody else's business."""
    return plain(HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; its log says why.")
