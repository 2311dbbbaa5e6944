"""What the rows of a request are for: cases, or, where its head says so, exploring what a model answers."""

from model.record import EXPLORING, Role
from validation.errors import UnreadableRequest
from validation.values import quoted

HEADER = "x-boxwood-purpose"
"""The header, or gRPC metadata key, by which a caller says so."""


def role_of(value: str | bytes | None) -> Role:
    """What the journal is to say of the answers to a request whose `HEADER` has this value, None where there is none.

    Raises:
        UnreadableRequest: there is no such purpose. A mistyped mark that is passed over would make cases of the rows.
    """
    if value is None:
        return ""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if text != EXPLORING:
        raise UnreadableRequest(f"X-Boxwood-Purpose is {quoted(text)}; it is '{EXPLORING}', or left out.")
    return EXPLORING
