"""Everything that Boxwood refuses, as one tree.

BoxwoodError
├── ContractError            a problem is written down wrongly
├── TableError               a table that training cannot use
├── StoreError               MLflow or the BentoML store does not do what it should
├── BundleError              a bundle that must not be served
├── SettingsError            a setting that is unknown or has no sense
└── RequestError             what a caller sent cannot be answered
    ├── UnreadableRequest        not the document that was asked for
    ├── UnknownModel             no model of that name here
    ├── RequestTooLarge          more bytes or rows than the limits allow
    ├── UnsupportedMedia         a body in another format
    ├── RowsRejected             rows that do not satisfy the contract
    └── Overloaded               more rows are waiting already than can be answered soon

Messages are for people: what happened, where, and what to do. Transports decide about status codes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from validation.wire import RowError


class BoxwoodError(Exception):
    """Root of the tree. `str(error)` is a sentence for a person."""


class ContractError(BoxwoodError):
    """A contract or problem contradicts itself."""


class TableError(BoxwoodError):
    """A table is missing, unreadable, or not the table that the contract describes."""


class BundleError(BoxwoodError):
    """A bundle is damaged, of an unknown format, or made for another contract."""


class StoreError(BoxwoodError):
    """MLflow or the BentoML model store failed, or does not hold what it should."""


class SettingsError(BoxwoodError):
    """An environment variable that Boxwood owns is unknown or out of range."""


class RequestError(BoxwoodError):
    """A request that cannot be answered; the caller can do something about it."""


class UnreadableRequest(RequestError):
    """The body is not the document that the endpoint takes."""


class UnknownModel(RequestError):
    """The service holds no model of that name."""


class RequestTooLarge(RequestError):
    """The body or the number of rows is above the service's limits."""


class UnsupportedMedia(RequestError):
    """The body is in a format that the endpoint does not read; `encodings` are those that it does."""

    def __init__(self, message: str, encodings: str = "") -> None:
        self.encodings = encodings
        super().__init__(message)


class RowsRejected(RequestError):
    """Some rows do not satisfy the contract; `errors` lists the first of them."""

    def __init__(self, errors: Sequence["RowError"], count: int, total: int) -> None:
        self.errors = list(errors)
        listed = "" if len(self.errors) >= count else f", the first {len(self.errors)} errors are listed"
        super().__init__(f"{count} error{'s' if count != 1 else ''} in {total} row{'s' if total != 1 else ''}{listed}.")


class CallerLeft(RequestError):
    """The connection closed before the answer was ready; nobody hears of it but the metrics."""


class Overloaded(RequestError):
    """The service has as much to do as it can answer soon; the same request may be sent again in `seconds`."""

    def __init__(self, message: str, seconds: int = 1) -> None:
        self.seconds = seconds
        super().__init__(message)
