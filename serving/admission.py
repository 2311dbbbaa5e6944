"""Who is let in: a queue that cannot grow, since what waits longest is answered when nobody wants it any more."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, Self, TypeVar

from prometheus_client import Gauge

from serving.settings import Settings
from validation.errors import Overloaded, RequestTooLarge

_TURN_SECONDS = 0.05
"""How long, about, a request may be worked on until another has its turn."""
_TURN_ROWS = 256
"""How many rows of a fast model that may be: a millisecond or two."""
TABLE_ROWS = 1_024
"""How many rows of a table that may be: as long, since its columns are read at once."""
_NEWER = 0.2
"""What the latest rows count in how long a row takes."""
_SLOWER = 2.0
"""How many times as long as expected they count at most."""


class Sliced(Protocol):
    """What can be cut into parts of its own kind: a sequence of rows, or a table."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Self: ...


S = TypeVar("S", bound=Sliced)


class Resource:
    """What all models share and requests wait for: the event loop, or the thread that explains."""

    def __init__(self, settings: Settings) -> None:
        """Let requests wait and take as long as `settings` say."""
        self.most_rows = settings.max_rows
        self.most_wait = settings.max_wait_ms / 1e3
        self.longest = settings.max_answer_seconds
        self.seconds = 0.0
        """Of all the work that was let in and is not done."""
        self.turns = 0.0
        """Of one turn of each request in it."""


class Waiting:
    """How many rows of one kind wait or are worked on."""

    def __init__(self, gauge: Gauge | None = None) -> None:
        """Count none yet; `gauge` tells how many there were at the last `show`, or that there are none."""
        self._gauge = gauge
        self.rows = 0

    def show(self) -> None:
        """Set the gauge: once a batch rather than twice a request, since it takes as long as decoding a row."""
        if self._gauge is not None:
            self._gauge.set(self.rows)


class Gate:
    """Lets requests of one kind to one model in; to be used on one event loop.

    The bound is in time, not in rows: what matters to a caller, and to how soon the service is itself again after an
    overload, is the same for models that explain a hundred rows a second and for those that explain ten thousand.
    Requests take turns, so a small one waits for a turn of each before it, and a large one for all of them.
    """

    def __init__(
        self, resource: Resource, seconds_a_row: float, waiting: Waiting | None = None, most_rows: int = _TURN_ROWS
    ) -> None:
        """Share `resource`, at `seconds_a_row` until `took` knows better.

        Args:
            resource: what the work takes time of.
            seconds_a_row: how long a row takes.
            waiting: counts the rows, with those of other gates.
            most_rows: how many rows a turn may have at most.
        """
        self._resource = resource
        self._most_rows = most_rows
        self.waiting = Waiting() if waiting is None else waiting
        self.part = 1
        """The one definition of a turn: how many rows may be worked on until others have theirs."""
        self._set(seconds_a_row)

    def _set(self, seconds_a_row: float) -> None:
        self._seconds_a_row = seconds_a_row
        self.part = max(1, min(self._most_rows, int(_TURN_SECONDS / seconds_a_row)))

    async def turns(self, items: S) -> AsyncIterator[S]:
        """The items of a request in parts of a turn each; others have theirs between two of them."""
        first = 0
        while part := items[first : first + self.part]:
            if first:
                await asyncio.sleep(0)
            first += len(part)
            yield part

    def demand_room(self, rows: int = 1) -> None:
        """Refuse so many rows if they would have to wait or would take too long.

        Raises:
            Overloaded: there is too much before them.
            RequestTooLarge: they are more than a request may have, or would take too long by themselves.
        """
        resource = self._resource
        if rows > resource.most_rows:
            raise RequestTooLarge(
                f"{rows} rows are above the limit of {resource.most_rows} rows a request; send them in parts."
            )
        wait = resource.seconds if rows > self.part else resource.turns
        if wait > resource.most_wait:
            raise Overloaded(
                f"Requests that came before would take {wait:.1f} seconds. Send this one again after that.",
                math.ceil(wait),
            )
        if rows * self._seconds_a_row > resource.longest:
            most = int(resource.longest / self._seconds_a_row)
            raise RequestTooLarge(
                f"{rows} rows would take more than {resource.longest} seconds; send parts of at most {most} rows."
            )

    def admit(self, rows: int) -> AbstractContextManager[None]:
        """Let a request in while its rows are worked on; raises as `demand_room` does."""
        self.demand_room(rows)
        return self.counted(rows)

    @contextlib.contextmanager
    def counted(self, rows: int) -> Iterator[None]:
        """Have rows that were let in elsewhere counted while they are worked on."""
        resource, seconds = self._resource, rows * self._seconds_a_row
        turn = min(seconds, self.part * self._seconds_a_row)
        self.waiting.rows += rows
        resource.seconds += seconds
        resource.turns += turn
        try:
            yield
        finally:
            self.waiting.rows -= rows
            resource.seconds -= seconds
            resource.turns -= turn
            if not self.waiting.rows:
                self.waiting.show()

    def took(self, rows: int, seconds: float) -> None:
        """Learn how long the work on so many rows took; one pause of the machine must not count as slow rows."""
        latest = min(seconds / rows, _SLOWER * self._seconds_a_row)
        self._set(self._seconds_a_row + _NEWER * (latest - self._seconds_a_row))
