"""Writes lines to a sink, off the request path: what the journal and the audit have in common."""

import logging
from collections.abc import Callable, Sequence

from serving.journal_files import Sink
from serving.repeated import Repeated

_STOP_SECONDS = 3.0
"""How long the end of a worker may wait for a sink that hangs: most of its grace is its requests'."""


class Writer:
    """A thread that collects lines from time to time, and writes them; no error of either ends it."""

    def __init__(
        self, name: str, sink: Sink, flush: Callable[[], None], seconds: float, what: str, log: logging.Logger
    ) -> None:
        """Prepare it; `start` begins.

        Args:
            name: of what writes: the journal, the audit.
            sink: where lines go; closed at the end.
            flush: collects lines and calls `write`; it is called in the thread, as is the sink.
            seconds: between two calls.
            what: what its lines are, for the log.
            log: where failures are said.
        """
        self._sink, self._collect = sink, flush
        self._lost = f"{what} are lost"
        self._kept = f"old {name} files cannot be removed"
        self._repeated = Repeated(name, self._flush, seconds, self._lost, log, sink.close)

    def start(self) -> None:
        """Begin to write."""
        self._repeated.start()

    def stop(self) -> None:
        """Write what is left, and end; what a sink that hangs does not take by then is lost."""
        if not self._repeated.stop(_STOP_SECONDS):
            self.lost(why="what takes them hangs")

    def lost(self, error: Exception | None = None, why: str = "") -> None:
        """Say, now and then, that lines are lost."""
        self._repeated.complain(f"{self._lost}: {why}" if why else self._lost, error)

    def write(self, blocks: Sequence[bytes]) -> int:
        """Write blocks of lines, see `Sink`; how many lines are there, from the first one on. Raises nothing."""
        if not blocks:
            return 0
        try:
            written = self._sink.write(blocks)
        except Exception as error:  # noqa: BLE001  # of the disk, or of what is behind the sink: no request's business
            self.lost(error)
            return 0
        lines = sum(block.count(b"\n") + 1 for block in blocks)
        if written < lines:
            self.lost(OSError(f"{written} of {lines} lines were written; the disk is full"))
        return written

    def _flush(self) -> None:
        try:
            self._sink.clean()
        except Exception as error:  # noqa: BLE001  # nothing of what is to be written
            self._repeated.complain(self._kept, error)
        self._collect()
