"""What the stand-in remembers: the calls of its API, and what became of revisions and traffic."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of the API. `number` counts all of them from 1, `method` is the last part of its name."""

    number: int
    method: str
    request: Any


@dataclass(frozen=True)
class Event:
    """Something that happened; events are in the order in which they did.

    `kind` and what `detail` has with it:
        "started"    a process of the revision was started: port, pid, log (a path)
        "ready"      its startup probe succeeded
        "failed"     it never will: message
        "traffic"    the service's split was set: percent (revision to share), tags (tag to revision)
        "unrouted"   nothing leads to the revision any more
        "drained"    its last request in flight has ended
        "sigterm"    its process was told to stop
        "exit"       the process ended: code, as subprocess has it
    """

    at: float
    kind: str
    service: str
    revision: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Record:
    """Calls and events so far, and a way to wait for more. Threads may share it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._events: list[Event] = []

    @property
    def calls(self) -> list[Call]:
        """The calls so far."""
        with self._changed:
            return list(self._calls)

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        with self._changed:
            return list(self._events)

    def of(self, revision: str) -> Iterator[Event]:
        """The events of a revision."""
        return (event for event in self.events if event.revision == revision)

    def call(self, method: str, request: Any) -> Call:
        """Add a call."""
        with self._changed:
            self._calls.append(Call(len(self._calls) + 1, method, request))
            self._changed.notify_all()
            return self._calls[-1]

    def event(self, kind: str, service: str, revision: str = "", **detail: Any) -> None:
        """Add an event."""
        with self._changed:
            self._events.append(Event(time.monotonic(), kind, service, revision, detail))
            self._changed.notify_all()

    def wait(self, until: Callable[[list[Event]], bool], timeout: float = 60) -> list[Event]:
        """The events, once `until` holds for them; raises AssertionError with all of them if it never does."""
        with self._changed:
            if not self._changed.wait_for(lambda: until(self._events), timeout):
                raise AssertionError(f"It did not happen within {timeout} s: {self._events}")
            return list(self._events)
