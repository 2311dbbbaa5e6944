"""Where the journal's lines go: files of a folder, which are rotated and retained, or standard output."""

import contextlib
import datetime
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

from validation.errors import SettingsError

STANDARD_OUTPUT = "stdout"
"""What names it in the settings."""
SUFFIX = ".jsonl"
_DAY_SECONDS = 86_400
_MEGABYTE = 10**6
_CLEAN_SECONDS = 60.0
_JUMP_SECONDS = 300.0
"""A clock that has moved so far against the machine's own has jumped: ages by it mean nothing."""


class StandardOutput:
    """Lines of a structured log, as platforms collect them."""

    def write(self, lines: bytes) -> None:
        """Write lines; raises OSError."""
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """Leave it open: it is everybody's."""


class Files:
    """Files of JSON lines in a folder, each of one worker; a new one each day, and where one is full.

    A line that was written is whole: lines are written by one call, and a file whose last line may be torn gets no
    further one. What is too old, or too much, is removed, the oldest first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        file_megabytes: int,
        megabytes: int,
        days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Write to `folder`.

        Args:
            folder: made if it is not there.
            file_megabytes: a larger file gets no more lines.
            megabytes: the most that all files of the folder hold together, those of other workers too.
            days: how long a file is kept after its last line.
            clock: seconds since 1970.

        Raises:
            SettingsError: the folder cannot be written to.
        """
        self._folder = folder
        self._file_bytes, self._bytes = file_megabytes * _MEGABYTE, megabytes * _MEGABYTE
        self._seconds = days * _DAY_SECONDS
        self._clock = clock
        self._offset = clock() - time.monotonic()
        self._cleaned = -_CLEAN_SECONDS
        self._file: int | None = None
        self._path = folder
        self._day = ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise SettingsError(
                f"BOXWOOD_JOURNAL is {folder}, where nothing can be written: {error.strerror}. Name a folder that the "
                "service may write to, or none."
            ) from error

    def write(self, lines: bytes) -> None:
        """Write lines to the current file, or to a new one; raises OSError, and nobody reads what was cut off."""
        file = self._file
        if file is None or self._is_over(file, len(lines)):
            file = self._open()
        try:
            if os.write(file, lines) < len(lines):
                raise OSError(f"{self._path} took a part of the lines only: the disk is full, or the file too large")
        except OSError:
            self.close()  # its last line may be torn
            raise
        self._clean()

    def close(self) -> None:
        """Close the current file; one without a line is removed."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if os.fstat(file).st_size == 0:
                self._path.unlink(missing_ok=True)
        os.close(file)

    def _is_over(self, file: int, more: int) -> bool:
        """Whether the current file is full, of another day, or gone: somebody may remove folders."""
        status = os.fstat(file)
        full = status.st_size > 0 and status.st_size + more > self._file_bytes
        return full or not status.st_nlink or self._day != self._today()

    def _open(self) -> int:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._day = self._today()
        # the time for people, chance for other workers and for clocks that go back
        name = f"{_instant(self._clock()):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}{SUFFIX}"
        self._path = self._folder / name
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL | os.O_CLOEXEC, 0o640)
        return self._file

    def _today(self) -> str:
        return f"{_instant(self._clock()):%Y%m%d}"

    def _clean(self) -> None:
        """Remove what is too old or too much, once a minute."""
        now = time.monotonic()
        if now - self._cleaned < _CLEAN_SECONDS:
            return
        self._cleaned = now
        files = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another worker removed it
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        jumped = abs(self._clock() - now - self._offset) > _JUMP_SECONDS
        oldest = -float("inf") if jumped else self._clock() - self._seconds
        room = self._bytes
        for written, size, path in sorted(files, reverse=True):
            room -= size
            if path != self._path and (written < oldest or room < 0):
                path.unlink(missing_ok=True)


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
