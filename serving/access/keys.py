"""The file of API keys: what it says, how it is read and written, and which key is which.

A key is 256 random bits with the id of its entry before them: `bxw_ID_SECRET`. The file holds no key but its hash, with
a random key of the file's own (BLAKE2b, RFC 7693). So long a secret needs no slow hash: nobody can try all of them.
"""

import contextlib
import datetime
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from validation.errors import SettingsError

PREFIX = "bxw"
MOST = 10_000
"""The most entries of a file."""
_DIGEST_BYTES = 32
_ID = r"^[a-z0-9][a-z0-9.-]{0,39}$"
_HASH = r"^([0-9a-f]{64})?$"
Rows = Annotated[int, Meta(ge=0, le=10**12)]
Verb = Literal["predict", "explain"]


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One caller.

    Attributes:
        id: names it in metrics, the audit and the journal.
        hash: of its key, see `digest`; empty for one that comes with an identity token.
        subject: the `sub` or the verified `email` of its identity tokens.
        created: when.
        expires: when it is refused from.
        models: the names of the models that it may ask; "*" for all.
        verbs: what it may ask of them.
        rows_per_second: how many rows it may ask for; 0 for any number, as are the next.
        burst_rows: how many of them at once; those of a second if it is 0.
        rows_per_day: how many on a day of UTC.
    """

    id: Annotated[str, Meta(pattern=_ID)]
    hash: Annotated[str, Meta(pattern=_HASH)] = ""
    subject: str = ""
    created: datetime.datetime | None = None
    expires: datetime.datetime | None = None
    models: tuple[str, ...] = ("*",)
    verbs: tuple[Verb, ...] = ("predict", "explain")
    rows_per_second: Rows = 0
    burst_rows: Rows = 0
    rows_per_day: Rows = 0


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """The file; `salt` is what keys are hashed with, in hexadecimal."""

    format: Literal[1]
    salt: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){16,64}$")]
    keys: Annotated[list[Entry], Meta(max_length=MOST)]

    def entry(self, named: str) -> Entry:
        """The entry of an id; raises SettingsError."""
        for entry in self.keys:
            if entry.id == named:
                return entry
        raise SettingsError(f"There is no key '{named}'. There are: {', '.join(e.id for e in self.keys) or 'none'}.")

    def matches(self, entry: Entry, key: bytes) -> bool:
        """Whether a key is the one of an entry, in the same time whether it is or not."""
        return hmac.compare_digest(digest(bytes.fromhex(self.salt), key), entry.hash)


_decode = msgspec.json.Decoder(Document).decode


def digest(salt: bytes, key: bytes) -> str:
    """The hash of a key in hexadecimal."""
    return hashlib.blake2b(key, key=salt, digest_size=_DIGEST_BYTES).hexdigest()


def id_of(key: bytes) -> str | None:
    """The id in a key; None if it is no key of ours."""
    prefix, _, rest = key.partition(b"_")
    named, separator, secret = rest.partition(b"_")
    if prefix != PREFIX.encode() or not separator or not secret:
        return None
    return named.decode("latin-1")


def parsed(text: bytes) -> Document:
    """A file's content; raises SettingsError."""
    try:
        document = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"It is no file of keys: {error}. `python -m serving.access` writes one.") from error
    for what in ("id", "subject"):
        values = [value for entry in document.keys if (value := getattr(entry, what))]
        if twice := {value for value in values if values.count(value) > 1} if len(set(values)) < len(values) else set():
            raise SettingsError(f"Two keys have the {what} {min(twice)!r}.")
    for entry in document.keys:
        for moment in (entry.created, entry.expires):
            if moment is not None and moment.tzinfo is None:
                raise SettingsError(f"A time of the key '{entry.id}' has no zone; write 2027-01-31T00:00:00Z.")
    return document


def read(path: Path) -> Document:
    """Read a file; raises SettingsError, which names it."""
    try:
        return parsed(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"The keys at {path} cannot be read: {error.strerror}.") from error
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


@contextlib.contextmanager
def changing(path: Path) -> Iterator[Document]:
    """A file's document, made if it is not there, which is written when the block ends; one process at a time.

    The file is replaced whole, so that no reader sees half of it. Raises SettingsError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / f".{path.name}.lock").open("w") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            document = read(path) if path.exists() else Document(1, secrets.token_hex(32), [])
            yield document
            _replace(path, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    except OSError as error:
        raise SettingsError(f"The keys at {path} cannot be written: {error.strerror}.") from error


def _replace(path: Path, content: bytes) -> None:
    parsed(content)  # an id that the service would refuse must not get into the file
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 with a mode
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def added(document: Document, entry: Entry) -> str:
    """Add an entry with a new key, and return the key, which is kept nowhere. Raises SettingsError."""
    if not re.match(_ID, entry.id):
        raise SettingsError(f"{entry.id!r} is no id of a key: it takes a-z, 0-9, dots and hyphens, 40 at most.")
    if any(other.id == entry.id for other in document.keys):
        raise SettingsError(f"There is a key '{entry.id}' already. Choose another id, and revoke the old one later.")
    key = f"{PREFIX}_{entry.id}_{secrets.token_urlsafe(32)}"
    if not entry.subject:
        entry.hash = digest(bytes.fromhex(document.salt), key.encode())
    document.keys.append(entry)
    return key
