"""Work that is done again and again beside requests, in a thread that no error ends."""

import logging
import threading
import time
from collections.abc import Callable

QUIET_SECONDS = 60.0
"""A failure that goes on is logged once in so many seconds."""


def _nothing() -> None:
    """Need no end."""


class Repeated:
    """Calls a function from time to time until it is stopped, and then once more."""

    def __init__(
        self,
        name: str,
        turn: Callable[[], None],
        seconds: float,
        failed: str,
        log: logging.Logger,
        end: Callable[[], None] = _nothing,
    ) -> None:
        """Prepare it; `start` begins.

        Args:
            name: of the thread.
            turn: does the work; whatever it raises is logged, and the next turn is another try.
            seconds: between two turns.
            failed: says in the log that a turn failed.
            log: gets what `complain` is told.
            end: is called after the last turn.
        """
        self._turn, self._seconds, self._failed, self._log, self._end = turn, seconds, failed, log, end
        self._logged: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Have the last turn, and wait so many seconds for its end; whether it has ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def complain(self, event: str, error: BaseException | None = None) -> None:
        """Log a failure, unless the same event was logged a moment ago; may be called in any thread."""
        now = time.monotonic()
        if now >= self._logged.get(event, now):
            self._logged[event] = now + QUIET_SECONDS
            self._log.error(event, exc_info=error)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            self._try(self._turn)
        self._try(self._turn)
        self._try(self._end)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  # of no request: it is said, and the next turn is another try
            self.complain(self._failed, error)
