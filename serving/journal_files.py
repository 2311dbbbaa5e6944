"""Where the lines of the journal and of the audit go: files of a folder, rotated and retained, or standard output."""

import contextlib
import datetime
import fcntl
import os
import secrets
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from serving.retention import SUFFIX, Retention
from serving.settings import Settings
from validation.errors import SettingsError

STANDARD_OUTPUT = "stdout"
"""What names it in the settings."""
_DAY_SECONDS = 86_400
_MEGABYTE = 10**6


class Sink(Protocol):
    """Where lines go. They come in blocks of one or more, each without the end of its last line."""

    def write(self, blocks: Sequence[bytes]) -> int:
        """Write lines; how many of them are there whole, from the first one on. Raises OSError where none is."""

    def clean(self) -> None:
        """Remove what is not to be kept; called each second, whether there are lines or not. Raises OSError."""

    def close(self) -> None:
        """Release what is open."""


class StandardOutput:
    """Lines of a structured log, as platforms collect them; the output of all workers."""

    def write(self, blocks: Sequence[bytes]) -> int:
        """Write lines; raises OSError.

        A pipe takes PIPE_BUF bytes in one piece (POSIX, write), so no line of another program gets into so short a one.
        Of a longer one the lock keeps other workers away.
        """
        lines = [line for block in blocks for line in block.split(b"\n")]
        sys.stdout.flush()
        output = sys.stdout.fileno()
        with _alone(output):
            for part in _together(lines, select.PIPE_BUF):
                rest = part
                while rest:
                    rest = rest[os.write(output, rest) :]
        return len(lines)

    def clean(self) -> None:
        """Who collects the log keeps it."""

    def close(self) -> None:
        """Leave it open: it is everybody's."""


class Files:
    """Files of JSON lines in a folder, each of one worker; a new one each day, and where one is full.

    Lines are whole: those that a full disk cut off are taken back, and only a crash can leave a torn one, as a file's
    last. What is too old, or too much, is removed, the oldest first.
    """

    setting = "BOXWOOD_JOURNAL"
    """The variable that names the folder."""

    def __init__(
        self,
        folder: Path,
        *,
        file_megabytes: int,
        megabytes: int,
        days: int,
        workers: int = 1,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to `folder`.

        Args:
            folder: made if it is not there.
            file_megabytes: a larger file gets no more lines; nor does one that has half of a worker's share of all.
            megabytes: the most that all files of the folder hold together, those of other workers too; a single block
                that is larger than half of a worker's share may be more.
            days: how long a file is kept after its last line.
            workers: how many write to the folder.
            clock: seconds since 1970.
            elapsed: seconds that do not jump.

        Raises:
            SettingsError: the folder cannot be written to.
        """
        self._folder = folder
        self._file_bytes = min(file_megabytes * _MEGABYTE, megabytes * _MEGABYTE // (2 * workers))
        # each worker's file may become full until one of them opens another and looks again
        most = megabytes * _MEGABYTE - workers * self._file_bytes
        self._clock = clock
        self._kept = Retention(folder, most_bytes=most, seconds=days * _DAY_SECONDS, clock=clock, elapsed=elapsed)
        self._file: int | None = None
        self._path = folder
        self._day = ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise SettingsError(
                f"{self.setting} is {folder}, where nothing can be written: {error.strerror}. Name a folder that the "
                "service may write to, or none."
            ) from error

    def write(self, blocks: Sequence[bytes]) -> int:
        """Write lines to the current file, or to new ones; see `Sink`."""
        written = 0
        try:
            for part in _together(blocks, self._file_bytes):
                written += self._append(part)
        except OSError:
            if not written:
                raise
        return written

    def clean(self) -> None:
        """Remove what is too old or too much; raises OSError for what cannot be removed."""
        if self._file is not None and self._day != self._today():
            self.close()  # nothing may be written for long, and then it is a file as any other
        self._kept.clean(None if self._file is None else self._path)

    def close(self) -> None:
        """Close the current file; one without a line is removed."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if os.fstat(file).st_size == 0:
                self._path.unlink(missing_ok=True)
        os.close(file)

    def _append(self, lines: bytes) -> int:
        """Append lines, and say how many are whole; what was cut off is taken back. Raises OSError."""
        file = self._file
        if file is None or self._is_over(file, len(lines)):
            file = self._open()
        try:
            count = os.write(file, lines)
        except OSError:
            self.close()
            raise
        if count < len(lines):  # the disk is full
            whole = lines.rfind(b"\n", 0, count) + 1
            with contextlib.suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size - count + whole)
            self.close()  # where that failed, its last line is torn
        return lines.count(b"\n", 0, count)

    def _is_over(self, file: int, more: int) -> bool:
        """Whether the current file is full, of another day, or gone: somebody may remove folders."""
        status = os.fstat(file)
        full = status.st_size > 0 and status.st_size + more > self._file_bytes
        return full or not status.st_nlink or self._day != self._today()

    def _open(self) -> int:
        self.close()
        with contextlib.suppress(OSError):  # `clean` says it once a minute, and lines are written all the same
            self._kept.clean(None, at_once=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._day = self._today()
        # the time for people, chance for other workers and for clocks that go back
        name = f"{_instant(self._clock()):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}{SUFFIX}"
        self._path = self._folder / name
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL | os.O_CLOEXEC, 0o640)
        return self._file

    def _today(self) -> str:
        return f"{_instant(self._clock()):%Y%m%d}"


def opened(settings: Settings) -> Sink:
    """What `BOXWOOD_JOURNAL` names, which is not nothing; raises SettingsError."""
    if settings.journal == STANDARD_OUTPUT:
        return StandardOutput()
    return Files(
        Path(settings.journal),
        file_megabytes=settings.journal_file_mb,
        megabytes=settings.journal_mb,
        days=settings.journal_days,
        workers=settings.workers,
    )


def _together(lines: Sequence[bytes], most: int) -> Iterator[bytes]:
    """Lines, or blocks of them, with their ends, joined to at most so many bytes; a longer one is by itself."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) >= most:
            yield b"\n".join([*part, b""])
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield b"\n".join([*part, b""])


@contextlib.contextmanager
def _alone(output: int) -> Iterator[None]:
    """Keep other processes that do the same away; where the output cannot be locked, nothing is done."""
    locked = False
    with contextlib.suppress(OSError):
        fcntl.lockf(output, fcntl.LOCK_EX)  # of the process: workers share what they inherited
        locked = True
    try:
        yield
    finally:
        if locked:
            fcntl.lockf(output, fcntl.LOCK_UN)


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
