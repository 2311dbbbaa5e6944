"""How long the journal's files are kept, and how many: the oldest are removed first."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIX = ".jsonl"
_MINUTE = 60.0
_JUMP_SECONDS = 300.0
"""A clock that has moved so far against the machine's own since the last look has jumped."""
_STEADY_SECONDS = 3_600.0
"""How long a clock that has jumped has to be steady until ages by it mean something again."""


class Retention:
    """Removes files of a folder that are too old or too many."""

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int,
        seconds: float,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep what the limits allow.

        Args:
            folder: need not be there.
            most_bytes: of all files together.
            seconds: how long a file is kept after it was written to.
            clock: seconds since 1970, as good as the machine knows.
            elapsed: seconds that do not jump.
        """
        self._folder = folder
        self._bytes, self._seconds = most_bytes, seconds
        self._clock, self._elapsed = clock, elapsed
        self._offset = clock() - elapsed()
        self._due = self._trusted = -float("inf")

    def clean(self, current: Path | None, *, at_once: bool = False) -> None:
        """Remove what is too old or too much, once a minute; a file that cannot be removed keeps no other.

        Args:
            current: a file that stays.
            at_once: whether to look even if that was done a moment ago.

        Raises:
            OSError: a file could not be removed.
        """
        now, elapsed = self._clock(), self._elapsed()
        if elapsed < self._due and not at_once:
            return
        self._due = elapsed + _MINUTE
        steady = self._is_steady(now, elapsed)
        failed, room = None, self._bytes
        for written, size, path in sorted(self._files(), reverse=True):
            room -= size
            try:
                if path != current and (room < 0 or (steady and written < now - self._seconds)):
                    path.unlink(missing_ok=True)
                elif steady and written > now + _JUMP_SECONDS:  # by a clock that was wrong: it is as old as from now on
                    os.utime(path, (now, now))
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def _is_steady(self, now: float, elapsed: float) -> bool:
        before, self._offset = self._offset, now - elapsed
        if abs(self._offset - before) > _JUMP_SECONDS:
            self._trusted = elapsed + _STEADY_SECONDS
        return elapsed >= self._trusted

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each was written to, its size, and where it is."""
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # another worker removed it
                status = path.stat()
                yield status.st_mtime, status.st_size, path
