"""A line of the journal: one answered row, as the service writes it and monitoring reads it."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Role = Literal["", "challenger", "shadow", "exploring"]
EVENT = "prediction"
"""What tells a record from other lines of a structured log."""
SHADOW: Role = "shadow"
CHALLENGER: Role = "challenger"
EXPLORING: Role = "exploring"
_DIGEST_BYTES = 16


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answered row. Members that a reader does not know are ignored.

    Attributes:
        time: when it was answered, RFC 3339 in UTC.
        model, version: what answered.
        prediction_id: the answer's id; a shadow has that of the answer that the caller got.
        row: the contract's inputs as the caller sent them; what was not sent is absent.
        scores: what the answer is made of, see `Predictor.scores`; shape (outputs,).
        prediction: the answer, a number or a label.
        keys: hashes of the key columns, see `KeyHash`; empty where there is no secret to hash with.
        role: "shadow" of a challenger that was asked beside the champion and did not answer the caller, "challenger" of
            one that did, "exploring" where the caller said that the row is no case; empty of a case that the model
            answered by itself.
        caller: the id of who asked, where callers are known.
        event: always `EVENT`.
    """

    event: str
    time: str
    model: str
    version: str
    prediction_id: str
    row: dict[str, Any]
    scores: list[float]
    prediction: float | str
    keys: dict[str, str] = {}
    role: Role = ""
    caller: str = ""


def as_text(key: object) -> str:
    """A key as text, the same for 17, 17.0 and "17"."""
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)


class KeyHash:
    """Hashes of key columns: equal keys have equal hashes, and without the secret nobody can try all keys.

    A plain hash of a number of seven digits is found in a second; a keyed one (HMAC with SHA-256, RFC 2104) is not.
    """

    def __init__(self, secret: str) -> None:
        """Hash with a secret; with an empty one there are no hashes."""
        self._secret = secret.encode()

    def __call__(self, keys: Mapping[str, Any] | None) -> dict[str, str]:
        """The hash of each key that there is, by column; empty without a secret.

        Args:
            keys: values of key columns, as JSON gives them: 17 and 17.0 are one key, and so are they as texts.
        """
        if not self._secret or not keys:
            return {}
        return {column: self._of(column, value) for column, value in keys.items() if value is not None}

    def _of(self, column: str, value: object) -> str:
        digest = hmac.digest(self._secret, f"{column}\0{as_text(value)}".encode(), hashlib.sha256)
        return digest[:_DIGEST_BYTES].hex()
