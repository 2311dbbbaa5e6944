"""A folder, or a prefix at any address that fsspec knows. Files appear whole or not at all.

A local file gets its name once it is written; one of a bucket comes in one request, or in parts that the bucket joins.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from validation.errors import StoreError

_TEMPORARY = ".tmp-"
_CHUNK = 1 << 20


class Written(NamedTuple):
    """A file that is there: its size in bytes, and the sha256 of its content."""

    size: int
    sha256: str


def opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path there; raises StoreError."""
    try:
        files, root = fsspec.core.url_to_fs(address)
    except (ValueError, ImportError, OSError) as error:
        raise StoreError(f"{address} cannot be opened: {error}.") from error
    return files, str(root).rstrip("/") or "/"


def is_local(files: Any) -> bool:
    """Whether a file system is this machine's."""
    return "file" in (files.protocol if isinstance(files.protocol, tuple | list) else (files.protocol,))


class Place:
    """A folder, or a prefix of a bucket."""

    def __init__(self, address: str) -> None:
        """Open it; raises StoreError."""
        self.address = address
        self.files, self.root = opened(address)
        self.local = is_local(self.files)

    def path(self, name: str) -> str:
        """The path of a file there."""
        return f"{self.root}/{name}"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of a local folder and remove what a killed one left; raises StoreError."""
        if not self.local:
            yield
            return
        with self._explained(self.root):
            os.makedirs(self.root, exist_ok=True)  # noqa: PTH103 a text, as fsspec has paths
            folder = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"Another run is writing to {self.address}. Wait for its end.") from error
            for left in Path(self.root).rglob(f"{_TEMPORARY}*"):
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is no such file. Raises StoreError."""
        with self._explained(self.path(name)):
            try:
                content: bytes = self.files.cat_file(self.path(name))
            except FileNotFoundError:
                return None
            return content

    def contents(self, folder: str) -> list[bytes]:
        """The contents of all whole files in a folder; raises StoreError."""
        whole = [self.path(name) for name in self.names(folder)]
        with self._explained(self.path(folder)):
            return list(self.files.cat(whole, recursive=False).values()) if whole else []

    def open(self, name: str) -> Any:
        """A file to read, for libraries that take one; raises StoreError."""
        with self._explained(self.path(name)):
            return self.files.open(self.path(name), "rb")

    def names(self, folder: str = "") -> list[str]:
        """All whole files in a folder, as paths below this place, sorted; none if there is none. Raises StoreError."""
        with self._explained(self.path(folder)):
            self.files.invalidate_cache()
            try:
                found = self.files.find(self.path(folder).rstrip("/"))
            except FileNotFoundError:
                return []
            below = [str(name).removeprefix(f"{self.root}/") for name in found]
            return sorted(name for name in below if not name.rpartition("/")[2].startswith("."))

    def write(self, name: str, content: bytes) -> None:
        """Write a small file; raises StoreError."""
        with self.writing(name) as temporary:
            temporary.write_bytes(content)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A local file to write, which becomes the file of that name once it is whole, or none where it is removed.

        Raises StoreError.
        """
        path = self.path(name)
        with self._explained(path):
            folder, _, file = path.rpartition("/")
            if self.local:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                temporary = Path(folder, f"{_TEMPORARY}{file}-{secrets.token_hex(4)}")
                try:
                    yield temporary
                    if temporary.exists():
                        temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
                return
            with tempfile.TemporaryDirectory(prefix="boxwood-") as scratch:
                temporary = Path(scratch, file)
                yield temporary
                if temporary.exists():
                    self.files.put_file(str(temporary), path)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there; raises StoreError."""
        with self._explained(self.path(name)), contextlib.suppress(FileNotFoundError):
            self.files.rm(self.path(name), recursive=True)

    def digest(self, name: str) -> Written | None:
        """What a file is; None if it is not there. Raises StoreError."""
        with self._explained(self.path(name)):
            try:
                with self.files.open(self.path(name), "rb") as file:
                    return digest(file)
            except FileNotFoundError:
                return None

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Errors of the file system as sentences."""
        try:
            yield
        except FileNotFoundError as error:
            raise StoreError(f"{path} cannot be written or read: {error}.") from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise StoreError(
                    f"There is no room at {self.address}: {os.strerror(error.errno)}. What is whole stays; make room, "
                    "and the same command goes on."
                ) from error
            raise StoreError(f"{path} cannot be written or read: {error}.") from error


def digest(file: Any) -> Written:
    """The size and the hash of an open file."""
    size, found = 0, hashlib.sha256()
    while chunk := file.read(_CHUNK):
        size += len(chunk)
        found.update(chunk)
    return Written(size, found.hexdigest())
