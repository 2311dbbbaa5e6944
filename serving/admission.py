"""Admission control: a bounded queue, because a request that waits too long is answered after its caller gave up."""

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
"""About how long one request may be worked on before the next has its turn."""
_TURN_ROWS = 256
"""The most rows of a turn, which limits fast models: a millisecond or two."""
TABLE_ROWS = 512
"""The most rows of a table in a turn: a millisecond or two if they are good, four if each must be judged by itself."""
_NEWER = 0.2
"""The weight of the latest measurement in the moving average of seconds a row."""
_SLOWER = 2.0
"""The latest measurement counts as this multiple of the average at most."""


class Sliced(Protocol):
    """What can be sliced into parts of its own type: a sequence of rows, or a table."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Self: ...


S = TypeVar("S", bound=Sliced)


class Resource:
    """What all models share and requests wait for: the event loop, or the thread that computes explanations."""

    def __init__(self, settings: Settings) -> None:
        """Let requests wait and take as long as `settings` say."""
        self.most_rows = settings.max_rows
        self.most_wait = settings.max_wait_ms / 1e3
        self.longest = settings.max_answer_seconds
        self.seconds = 0.0
        """The expected time of all work that was admitted and is not done."""
        self.turns = 0.0
        """The expected time of one turn of each admitted request."""


class Waiting:
    """Counts the rows of one kind that wait or are worked on."""

    def __init__(self, gauge: Gauge | None = None) -> None:
        """Start at 0; `gauge` holds the count of the last `show`, or 0 where no rows are left."""
        self._gauge = gauge
        self.rows = 0

    def show(self) -> None:
        """Set the gauge; called once a batch and not twice a request, since it takes as long as decoding a row."""
        if self._gauge is not None:
            self._gauge.set(self.rows)


class Gate:
    """Admits the requests of one kind to one model; to be used on one event loop.

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
        """The size of a turn: how many rows may be worked on before other requests have theirs."""
        self._set(seconds_a_row)

    def _set(self, seconds_a_row: float) -> None:
        self._seconds_a_row = seconds_a_row
        self.part = max(1, min(self._most_rows, int(_TURN_SECONDS / seconds_a_row)))

    async def turns(self, items: S) -> AsyncIterator[S]:
        """The items of a request in parts of one turn each; other requests have theirs between two parts."""
        first = 0
        while part := items[first : first + self.part]:
            if first:
                await asyncio.sleep(0)
            first += len(part)
            yield part

    def demand_room(self, rows: int = 1, *, as_rows: int = 0) -> None:
        """Refuse so many rows if they would have to wait too long or would take too long.

        Args:
            rows: how many.
            as_rows: how many take as long as these, where it is not the same number.

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
        if (as_rows or rows) * self._seconds_a_row > resource.longest:
            most = int(resource.longest / self._seconds_a_row)
            raise RequestTooLarge(
                f"{rows} rows would take more than {resource.longest} seconds; send parts of at most {most} rows."
            )

    def demand_small(self, rows: int, parts: int) -> None:
        """Raise RequestTooLarge if answers to so many rows have so many parts each that they are too large to write."""
        most = self._resource.most_rows
        if rows * parts > most:
            raise RequestTooLarge(
                f"{rows} rows with {parts} explanations each are above the limit of {most} explanations a request; "
                f"send parts of at most {max(most // parts, 1)} rows, or ask for fewer classes."
            )

    def admit(self, rows: int, *, as_rows: int = 0) -> AbstractContextManager[None]:
        """Admit a request, and count its rows while they are worked on; see `demand_room`."""
        self.demand_room(rows, as_rows=as_rows)
        return self.counted(rows, as_rows=as_rows)

    @contextlib.contextmanager
    def counted(self, rows: int, *, as_rows: int = 0) -> Iterator[None]:
        """Count rows while they are worked on; for rows that were admitted elsewhere."""
        resource, seconds = self._resource, (as_rows or rows) * self._seconds_a_row
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
        """Update the seconds a row from a measurement; a single pause of the machine must not count as slow rows."""
        latest = min(seconds / rows, _SLOWER * self._seconds_a_row)
        self._set(self._seconds_a_row + _NEWER * (latest - self._seconds_a_row))
