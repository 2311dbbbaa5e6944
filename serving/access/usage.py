"""What callers asked for, told to Prometheus once a second: counting at each request would take as long as a key."""

import threading
from collections.abc import Callable, Iterable

from serving.access.caller import Usage
from serving.counters import CallerMetrics

TELL_SECONDS = 1.0
"""How long metrics may lag behind."""


class Told:
    """Tells the usage of callers from time to time, in a thread."""

    def __init__(self, usages: Callable[[], Iterable[Usage]]) -> None:
        """Tell what `usages` returns."""
        self._usages = usages
        self._metrics = CallerMetrics()
        self._rows: dict[str, int] = {}
        self._requests: dict[tuple[str, str], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell the last of it, and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(TELL_SECONDS):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        for usage in self._usages():
            rows = usage.rows
            if more := rows - self._rows.get(usage.label, 0):
                self._metrics.rows(usage.label, more)
                self._rows[usage.label] = rows
            for outcome, requests in tuple(usage.outcomes.items()):
                known = self._requests.get((usage.label, outcome), 0)
                if requests > known:
                    self._metrics.requests(usage.label, outcome, requests - known)
                    self._requests[usage.label, outcome] = requests
