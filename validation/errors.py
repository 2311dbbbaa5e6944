"""Everything that Boxwood refuses, as one tree.

BoxwoodError
├── ContractError            a problem is written down wrongly
├── TableError               a table that training cannot use
├── StoreError               MLflow or the BentoML store does not do what it should
├── BundleError              a bundle that must not be served
├── SettingsError            a setting that is unknown or has no sense
└── RequestError             what a caller sent cannot be answered
    ├── Unauthenticated          who asks is not known
    ├── Forbidden                who asks may not ask that
    ├── QuotaExceeded            who asks has asked for as much as he may
    ├── UnreadableRequest        not the document that was asked for
    ├── UnknownModel             no model of that name here
    ├── RequestTooLarge          more bytes or rows than the limits allow
    ├── UnsupportedMedia         a body in another format
    ├── RowsRejected             rows that do not satisfy the contract
    ├── CallerLeft               nobody waits for the answer any more
    └── Overloaded               more rows are waiting already than can be answered soon

Messages are for people: what happened, where, and what to do.
"""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from validation.wire import RowError


class BoxwoodError(Exception):
    """Root of the tree. `str(error)` is a sentence for a person."""


class ContractError(BoxwoodError):
    """A contract or problem contradicts itself."""


class TableError(BoxwoodError):
    """A table is missing, unreadable, or not the table that the contract describes."""


class BundleError(BoxwoodError):
    """A bundle is damaged, of a format that is not read, or made with other features or an unreadable contract."""


class StoreError(BoxwoodError):
    """MLflow or the BentoML model store failed, or does not hold what it should."""


class SettingsError(BoxwoodError):
    """An environment variable of Boxwood, or an entry of params.yaml, is unknown or out of range."""


class RequestError(BoxwoodError):
    """A request that cannot be answered; the caller can do something about it.

    Each class says how its errors travel, and nothing else does.

    Attributes:
        kind: a word for it, with which the URN of its type ends and by which it is counted.
        title: what it is, for people.
        status: its status over HTTP.
        code: the name of its status code over gRPC.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[HTTPStatus]
    code: ClassVar[str] = "INVALID_ARGUMENT"

    @property
    def headers(self) -> Mapping[str, str]:
        """What HTTP sends beside it."""
        return {}

    @property
    def trailers(self) -> Mapping[str, str]:
        """What gRPC sends beside it."""
        return {}


class Unauthenticated(RequestError):
    """Nothing says who asks, or what says so is not good; `reason` is a word of RFC 6750 (3.1) for the second."""

    kind, title = "unauthenticated", "Who asks is not known"
    status, code = HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED"

    def __init__(self, message: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(message)

    @property
    def headers(self) -> Mapping[str, str]:
        """How to say who asks."""
        return {"www-authenticate": 'Bearer realm="boxwood"' + (f', error="{self.reason}"' if self.reason else "")}


class Forbidden(RequestError):
    """Who asks is known, and may not ask that."""

    kind, title = "forbidden", "This caller may not ask that"
    status, code = HTTPStatus.FORBIDDEN, "PERMISSION_DENIED"


class QuotaExceeded(RequestError):
    """Who asks has asked for as many rows as it may; there are more in `wait` seconds.

    Attributes:
        wait: until then, as exactly as it is known.
        seconds: the same as callers are told, a whole number.
        left: headers that say what is left.
    """

    kind, title = "quota-exceeded", "The quota of this caller is used up"
    status, code = HTTPStatus.TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED"

    def __init__(self, reason: str, wait: float, left: Sequence[tuple[bytes, bytes]] = (), then: str = "") -> None:
        """Say why, and when there is more, which `then` may say in other words."""
        self.wait, self.seconds, self.left = wait, max(1, math.ceil(wait)), left
        self._reason, self._then = reason, then
        super().__init__(f"{reason} {then or f'Send this again in {self.seconds} seconds.'}")

    def after(self, seconds: float) -> "QuotaExceeded":
        """The same error so many seconds later."""
        return QuotaExceeded(self._reason, self.wait - seconds, self.left, self._then)

    @property
    def headers(self) -> Mapping[str, str]:
        """When to send it again; what is left stands in every answer to a caller with a quota."""
        return {"retry-after": str(self.seconds)}

    @property
    def _left(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.left}

    @property
    def trailers(self) -> Mapping[str, str]:
        """When to send it again, for which gRPC's clients wait by themselves, and what is left."""
        return {"grpc-retry-pushback-ms": str(1_000 * self.seconds), **self._left}


class UnreadableRequest(RequestError):
    """The body is not the document that the endpoint takes."""

    kind, title, status = "unreadable", "The request cannot be read", HTTPStatus.BAD_REQUEST


class UnknownModel(RequestError):
    """The service holds no model of that name."""

    kind, title, status, code = "unknown-model", "There is no such model", HTTPStatus.NOT_FOUND, "NOT_FOUND"


class RequestTooLarge(RequestError):
    """The body or the number of rows is above the service's limits."""

    kind, title, status = "too-large", "The request is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMedia(RequestError):
    """The body is in a format that the endpoint does not read; `encodings` are those that it does."""

    kind, title = "unsupported-media", "The body is in another format"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE

    def __init__(self, message: str, encodings: str = "") -> None:
        self.encodings = encodings
        super().__init__(message)

    @property
    def headers(self) -> Mapping[str, str]:
        """Which encodings would have been read."""
        return {"accept-encoding": self.encodings} if self.encodings else {}


class RowsRejected(RequestError):
    """Some rows do not satisfy the contract; `errors` lists the first of them."""

    kind, title = "rows-rejected", "Some rows do not satisfy the contract"
    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence["RowError"], count: int, total: int) -> None:
        self.errors = list(errors)
        listed = "" if len(self.errors) >= count else f", the first {len(self.errors)} errors are listed"
        super().__init__(f"{count} error{'s' if count != 1 else ''} in {total} row{'s' if total != 1 else ''}{listed}.")


class CallerLeft(RequestError):
    """The connection closed before the answer was ready; nobody hears of it but the metrics."""

    kind, title, status, code = "cancelled", "The caller left", HTTPStatus.BAD_REQUEST, "CANCELLED"


class Overloaded(RequestError):
    """The service has as much to do as it can answer soon; the same request may be sent again in `seconds`."""

    kind, title = "overloaded", "The service is overloaded"
    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, seconds: int = 1) -> None:
        self.seconds = seconds
        super().__init__(message)

    @property
    def headers(self) -> Mapping[str, str]:
        """When to send it again."""
        return {"retry-after": str(self.seconds)}

    @property
    def trailers(self) -> Mapping[str, str]:
        """When to send it again, for which gRPC's clients wait by themselves."""
        return {"grpc-retry-pushback-ms": str(1_000 * self.seconds)}
