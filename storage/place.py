"""A folder, or a prefix at any address that fsspec knows. Files appear whole or not at all.

A local file gets its name once it is on the disk; one of a bucket comes in one request, or in parts that the bucket
joins.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from validation.errors import BoxwoodError, StoreError

_TEMPORARY = ".tmp-"
_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Written(NamedTuple):
    """A file that is there: its size in bytes, and the sha256 of its content."""

    size: int
    sha256: str


def opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path there; raises StoreError."""
    try:
        files, root = fsspec.core.url_to_fs(address)
    except Exception as error:  # each file system has errors of its own, as where it finds no credentials
        raise StoreError(f"{address} cannot be opened: {error}.") from error
    return files, str(root).rstrip("/") or "/"


def is_local(files: Any) -> bool:
    """Whether a file system is this machine's."""
    return "file" in (files.protocol if isinstance(files.protocol, tuple | list) else (files.protocol,))


def failures(files: Any) -> tuple[type[Exception], ...]:
    """What a file system raises: those of buckets and of the web have errors of their own, with no common base."""
    return (OSError,) if is_local(files) else (Exception,)


def lies_in(files: Any, path: str, others: Any, folder: str) -> bool:
    """Whether a path is a folder of another file system or below it, whatever links lead there."""
    if is_local(files) and is_local(others):
        path, folder = os.path.realpath(path), os.path.realpath(folder)
    return type(files) is type(others) and f"{path}/".startswith(f"{folder.rstrip('/')}/")


class Place:
    """A folder, or a prefix of a bucket."""

    def __init__(self, address: str) -> None:
        """Open it; raises StoreError.

        Attributes:
            address: where it is, for every process of this machine: a local path is absolute.
        """
        if not address or "::" in address:  # fsspec would take the current folder, or the last of a chain
            raise StoreError(f"{address!r} is no address to write to. Name a folder, or a prefix of a bucket.")
        self.files, self.root = opened(address)
        self.local = is_local(self.files)
        self.address = self.root if self.local else address
        if not self.local and set("*?[") & {*self.root}:  # file systems would take it for a pattern when they remove
            raise StoreError(f"{address} has one of * ? [ in it, which a prefix of a bucket cannot have here.")

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

    def contents(self, names: Sequence[str]) -> list[bytes]:
        """The contents of those of some files that are still there; raises StoreError."""
        paths = [self.path(name) for name in names]
        with self._explained(self.root):
            # not by `cat`, which takes [1] in a name for a pattern
            found = self.files.cat_ranges(paths, None, None, on_error="return") if paths else []
            for failed in found:
                if isinstance(failed, Exception) and not isinstance(failed, FileNotFoundError):
                    raise failed
        return [content for content in found if isinstance(content, bytes)]

    def sizes(self, folder: str = "") -> dict[str, int]:
        """The size in bytes of each whole file in a folder, by its path below this place, sorted. Raises StoreError."""
        with self._explained(self.path(folder)):
            self.files.invalidate_cache()
            try:
                found = self.files.find(self.path(folder).rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
        # a prefix whose first file comes between the two requests of s3fs is told as a folder
        files = [(str(name), told["size"]) for name, told in sorted(found.items()) if told["type"] != "directory"]
        below = {name.removeprefix(f"{self.root}/"): size for name, size in files}
        return {name: size for name, size in below.items() if not name.rpartition("/")[2].startswith(".")}

    def names(self, folder: str = "") -> list[str]:
        """All whole files in a folder, as paths below this place, sorted; none if there is none. Raises StoreError."""
        return list(self.sizes(folder))

    def open(self, name: str) -> Any:
        """A file to read, for libraries that take one; raises StoreError."""
        with self._explained(self.path(name)):
            return self.files.open(self.path(name), "rb")

    def create(self, name: str, content: bytes) -> bool:
        """Write a small file if there is none of that name; returns whether it did. Raises StoreError.

        Of two runs that do so in a bucket at a time one does, where the bucket knows `If-None-Match` or its like, as S3
        and Google Cloud Storage do. A local folder is locked by `alone`.
        """
        if self.local:
            self.write(name, content)
            return True
        with self._explained(self.path(name)):
            try:
                self.files.pipe_file(self.path(name), content, mode="create")
            except FileExistsError:
                return False
            return True

    def write(self, name: str, content: bytes) -> None:
        """Write a small file; raises StoreError."""
        with self.writing(name) as temporary:
            temporary.write_bytes(content)

    @contextlib.contextmanager
    def writing(self, name: str, wanted: Callable[[], bool] = lambda: True) -> Iterator[Path]:
        """A local file to write, which becomes the file of that name once it is whole.

        Args:
            name: of the file.
            wanted: asked at the end whether there is to be such a file.

        Raises:
            StoreError: it cannot be written.
        """
        with self._room(name) as folder:
            temporary = Path(folder, f"{_TEMPORARY}{secrets.token_hex(8)}")
            try:
                yield temporary
                if wanted():
                    self._named(temporary, self.path(name))
            finally:
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _room(self, name: str) -> Iterator[str]:
        """The folder of a file that is being written: the output's, in which it only needs its name, or a temporary."""
        if self.local:
            with self._explained(self.path(name)):
                os.makedirs(self.root, exist_ok=True)  # noqa: PTH103
                yield self.root
            return
        try:
            with tempfile.TemporaryDirectory(prefix="boxwood-") as scratch:
                yield scratch
        except OSError as error:
            raise StoreError(
                f"{tempfile.gettempdir()}, where files are written before they are sent to {self.address}, cannot be "
                f"written: {error.strerror or error}. TMPDIR names another folder; the same command goes on."
            ) from error

    def _named(self, temporary: Path, path: str) -> None:
        """Give a whole file its name, on a disk that may lose its power the next moment."""
        if not self.local:
            with self._explained(path):
                self.files.put_file(str(temporary), path)
            return
        folder = Path(path).parent
        folder.mkdir(parents=True, exist_ok=True)
        _flush(temporary)
        temporary.replace(path)
        _flush(folder)

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
    def reading(self, name: str) -> Iterator[Any]:
        """A file, open to be read; raises StoreError."""
        with self._explained(self.path(name)), self.files.open(self.path(name), "rb") as file:
            yield file

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        """Errors of the file system as sentences."""
        try:
            yield
        except BoxwoodError:
            raise
        except failures(self.files) as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                raise StoreError(
                    f"There is no room at {self.address}: {os.strerror(error.errno)}. What is whole stays; make room, "
                    "and the same command goes on."
                ) from error
            raise StoreError(f"{path} cannot be written or read: {error}.") from error


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    opened_file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened_file)
    finally:
        os.close(opened_file)


def digest(file: Any) -> Written:
    """The size and the hash of an open file."""
    size, found = 0, hashlib.sha256()
    while chunk := file.read(_CHUNK):
        size += len(chunk)
        found.update(chunk)
    return Written(size, found.hexdigest())
