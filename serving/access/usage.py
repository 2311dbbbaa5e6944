"""What callers asked for, told to Prometheus once a second: counting at each request would take as long as a key."""

import logging
from collections.abc import Callable, Iterable

from serving.access.caller import Usage
from serving.counters import CallerMetrics
from serving.repeated import Repeated

TELL_SECONDS = 1.0
"""How long metrics may lag behind."""
_STOP_SECONDS = 1.0
_log = logging.getLogger("boxwood.access")


class Told:
    """Tells the usage of callers from time to time, in a thread."""

    def __init__(self, usages: Callable[[], Iterable[Usage]]) -> None:
        """Tell what `usages` returns."""
        self._usages = usages
        self._metrics = CallerMetrics()
        self._rows: dict[str, int] = {}
        self._requests: dict[tuple[str, str], int] = {}
        self._repeated = Repeated("usage", self._tell, TELL_SECONDS, "what callers ask for is not counted", _log)

    def start(self) -> None:
        """Begin."""
        self._repeated.start()

    def stop(self) -> None:
        """Tell the last of it, and end."""
        self._repeated.stop(_STOP_SECONDS)

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
