"""Which revision a request goes to, how many each has in flight, and how they ended."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.deploy.standin.faults import Faults, NetworkFault


@dataclass(eq=False)
class Backend:
    """A running process of a revision, as the splitter sees it. Threads share it.

    Attributes:
        percent: what its revision has of the service's traffic, for the faults that depend on it.
        debt: the share of an error that is due.
        channel: to it, once a call was made.
    """

    revision: str
    image: str
    port: int
    faults: Faults
    percent: int = 0
    debt: float = 0.0
    in_flight: int = 0
    channel: Any = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def fault(self) -> tuple[NetworkFault, bool]:
        """What this request meets, and whether it is one of those that get an error."""
        fault = self.faults.of_image(self.image, self.percent)
        with self.changed:
            self.debt = round(self.debt + fault.error_share, 9)
            due = self.debt >= 1
            self.debt -= due
        return fault, due

    def count(self, change: int) -> None:
        """A request more or less is in flight."""
        with self.changed:
            self.in_flight += change
            self.changed.notify_all()

    def drain(self) -> None:
        """Wait until nothing is in flight. Nothing may be sent to it any more."""
        with self.changed:
            self.changed.wait_for(lambda: not self.in_flight)
        if self.channel is not None:
            self.channel.close()


Ended = Callable[[str, str, float], object]
"""Hears of each request that has ended: its revision, its outcome, how many seconds it took."""


class Balance:
    """One URL's split: smooth weighted round robin, so that each share is exact over a hundred requests."""

    def __init__(self, ended: Ended) -> None:
        self._lock = threading.Lock()
        self._tell = ended
        self._shares: dict[Backend, int] = {}
        self._credit: dict[Backend, int] = {}
        self._ended: Counter[tuple[str, str]] = Counter()

    def split(self, shares: Mapping[Backend, int]) -> None:
        """From the next request on."""
        with self._lock:
            self._shares = {backend: share for backend, share in shares.items() if share}
            self._credit = dict.fromkeys(self._shares, 0)

    def ended(self) -> dict[str, Counter[str]]:
        """How requests ended, by revision."""
        found: dict[str, Counter[str]] = {}
        with self._lock:
            for (revision, outcome), count in self._ended.items():
                found.setdefault(revision, Counter())[outcome] = count
        return found

    @contextmanager
    def request(self) -> Iterator["Request"]:
        """Choose who answers a request, and count it as in flight until it has ended."""
        began = time.monotonic()
        with self._lock:
            request = Request(self._next())
            if request.backend is not None:
                request.backend.count(1)
        try:
            yield request
        finally:
            if request.backend is not None:
                with self._lock:
                    self._ended[request.backend.revision, request.outcome] += 1
                self._tell(request.backend.revision, request.outcome, time.monotonic() - began)
                request.backend.count(-1)

    def _next(self) -> Backend | None:
        for backend, share in self._shares.items():
            self._credit[backend] += share
        if not self._shares:
            return None
        chosen = max(self._shares, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._shares.values())
        return chosen


@dataclass
class Request:
    """A request on its way; `outcome` is what it is counted under."""

    backend: Backend | None
    outcome: str = "given up"
