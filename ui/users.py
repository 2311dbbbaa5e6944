"""Who may log in to the page: a file with a line for each user, NAME:HASH, as web servers have it.

A hash is scrypt's (RFC 7914) in the form of the PHC string format: $scrypt$ln=15,r=8,p=3$SALT$HASH. The numbers are one
of OWASP's recommendations (Password Storage Cheat Sheet): 32 MiB and a quarter of a second for each guess.
"""

import argparse
import base64
import getpass
import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SHORTEST = 10
"""The least letters of a new password."""
_LOG_N, _R, _P = 15, 8, 3
_MEMORY = 2**28
_NAME = re.compile(r"[^\s:]{1,100}")
_HASH = re.compile(r"\$scrypt\$ln=(1[4-7]),r=(8),p=([1-9])\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})")
"""With other numbers than ours too, as long as a guess takes between 16 and 128 MiB."""
_NOBODY = f"$scrypt$ln={_LOG_N},r={_R},p={_P}${22 * 'A'}${43 * 'A'}"
"""A hash that no known password has: who asks for a user that is not there waits as long as for one who is."""
_log = logging.getLogger("boxwood.page")


class UsersError(Exception):
    """The users cannot be read or changed; the text says why."""


def hashed(password: str) -> str:
    """The hash of a password, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${_text(salt)}${_text(_scrypt(password, salt, _LOG_N, _R, _P))}"


def matches(password: str, hash_: str) -> bool:
    """Whether a password is the one of a hash; takes a quarter of a second, whether it is or not."""
    found = _HASH.fullmatch(hash_)
    if found is None:
        return False
    log_n, r, p = (int(number) for number in found.groups()[:3])
    return hmac.compare_digest(_text(_scrypt(password, _bytes(found[4]), log_n, r, p)), found[5])


def parsed(text: str) -> dict[str, str]:
    """The hashes of users by their names; raises UsersError for a line that is none."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, hash_ = line.strip().partition(":")
        if not _NAME.fullmatch(name) or not _HASH.fullmatch(hash_):
            raise UsersError(f"line {number} is not NAME:HASH as `python -m ui.users` writes it")
        if name in users:
            raise UsersError(f"line {number} is a second one for {name!r}")
        users[name] = hash_
    return users


class Users:
    """The users of a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises UsersError if it cannot be used or has nobody."""
        self._path = path
        self._stamp = self._look()
        self._users = self._read()
        if not self._users:
            raise UsersError(f"{path} has no users. `python -m ui.users {path} NAME` adds one.")

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> Mapping[str, str]:
        try:
            return parsed(self._path.read_text())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsersError(f"The users at {self._path} cannot be read: {reason}.") from error
        except UsersError as error:
            raise UsersError(f"{self._path}: {error}.") from error

    @property
    def current(self) -> Mapping[str, str]:
        """The hashes by name; those from before while the file cannot be used."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._users = self._read()
            except UsersError as error:  # said once for each state of the file
                _log.error("the users stay as they were: %s", error)
        return self._users

    def verified(self, name: str, password: str) -> str | None:
        """The hash of a user whose password this is, else None; as slow where there is no such user."""
        hash_ = self.current.get(name)
        good = matches(password, hash_ or _NOBODY)
        return hash_ if good else None


def changed(path: Path, name: str, hash_: str | None) -> None:
    """Set the hash of a user in a file, or remove the user; the file is replaced whole. Raises UsersError."""
    if not _NAME.fullmatch(name) or name.startswith("#"):
        raise UsersError(f"{name!r} is no name: it has no blanks and colons, at most 100 letters, and no # first.")
    try:
        users = parsed(path.read_text()) if path.exists() else {}
        if hash_ is None and users.pop(name, None) is None:
            raise UsersError(f"{path} has no user {name!r}.")
        if hash_ is not None:
            users[name] = hash_
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:  # noqa: PTH123 with a mode
            file.writelines(f"{user}:{known}\n" for user, known in users.items())
        part.replace(path)
    except OSError as error:
        raise UsersError(f"The users at {path} cannot be written: {error.strerror}.") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Add a user, give one another password, or remove one."""
    parser = argparse.ArgumentParser(prog="python -m ui.users", description="Who may log in to the page.")
    parser.add_argument("file", type=Path, help="the file of users, made if it is not there")
    parser.add_argument("name", help="the user's name")
    parser.add_argument("--remove", action="store_true", help="remove the user, whose sessions end at once")
    options = parser.parse_args(arguments)
    try:
        changed(options.file, options.name, None if options.remove else hashed(_asked()))
    except UsersError as error:
        parser.error(str(error))


def _asked() -> str:
    """A new password, from the terminal or the first line of the input; raises UsersError."""
    if sys.stdin.isatty():
        password = getpass.getpass()
        if password != getpass.getpass("Again: "):
            raise UsersError("These are two passwords.")
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        raise UsersError(f"A password has at least {SHORTEST} letters.")
    return password


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    secret = password.encode(errors="replace")
    return hashlib.scrypt(secret, salt=salt, n=2**log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    main()
