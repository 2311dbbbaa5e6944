"""Admission control: a bounded queue, because a request that waits too long is answered after its caller gave up."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Protocol, Self, TypeVar

from prometheus_client import Gauge

from serving.access.caller import ANYONE, Caller
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
_MOST_CALLERS = 10_000
"""So many callers are remembered."""


class Sliced(Protocol):
    """What can be sliced into parts of its own type: a sequence of rows, or a table."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Self: ...


S = TypeVar("S", bound=Sliced)


class Held:
    """The expected time of one caller's requests that were admitted and are not done, in all and of a turn of each."""

    __slots__ = ("requests", "seconds", "turns")

    def __init__(self) -> None:
        self.requests = 0
        self.seconds = self.turns = 0.0


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
        self.held: dict[str, Held] = {}
        """What each caller, by its id, has of both; only of callers that are known."""
        self.waiting = 0
        """How many callers have anything."""

    def longest_wait(self, caller: Caller, *, large: bool) -> tuple[float, float]:
        """How long a caller's next request would wait, and how long it may, in seconds; one that is `large` in full.

        Alone, a caller may fill the queue. Beside others it waits for its own requests only, and has an equal share of
        the queue for them: so who sends much is refused, and who sends little is not. All together wait no longer than
        twice the limit, which others that come while one has filled the queue may need for a moment.
        """
        wait = self.seconds if large else self.turns
        if caller is ANYONE or wait * (self.waiting + 1) <= self.most_wait or wait > 2 * self.most_wait:
            return wait, self.most_wait
        own = self.held.get(caller.id)
        others = self.waiting - (own is not None and own.requests > 0)
        if not others:
            return wait, self.most_wait
        mine = 0.0 if own is None else own.seconds if large else own.turns
        return mine, self.most_wait / (others + 1)

    def holder(self, caller: Caller) -> Held:
        """What a caller has here, nothing yet."""
        self._forget()
        held = self.held[caller.id] = Held()
        return held

    def _forget(self) -> None:
        """Forget callers that have nothing, once there are too many."""
        if len(self.held) >= _MOST_CALLERS:
            self.held = {named: held for named, held in self.held.items() if held.requests}


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


class Counted:
    """A context manager that counts a request while it is worked on; a generator would take three times as long."""

    __slots__ = ("_caller", "_expected", "_held", "_resource", "_rows", "_waiting")

    def __init__(
        self, resource: Resource, waiting: Waiting, rows: int, caller: Caller, expected: tuple[float, float]
    ) -> None:
        """Count `rows` of a caller, for which `expected` seconds are expected: in all, and of a turn."""
        self._resource, self._waiting, self._rows = resource, waiting, rows
        self._caller, self._expected = caller, expected
        self._held: Held | None = None

    def __enter__(self) -> None:
        """Count it."""
        self.begin()

    def __exit__(self, *_: object) -> None:
        """Count it no more."""
        self.end()

    def begin(self) -> None:
        """Count it, until `end`."""
        resource, (seconds, turn) = self._resource, self._expected
        self._waiting.rows += self._rows
        resource.seconds += seconds
        resource.turns += turn
        if self._caller is not ANYONE:
            held = self._held = resource.held.get(self._caller.id) or resource.holder(self._caller)
            if not held.requests:
                resource.waiting += 1
            held.requests += 1
            held.seconds += seconds
            held.turns += turn

    def end(self) -> None:
        """Count it no more."""
        resource, waiting, (seconds, turn) = self._resource, self._waiting, self._expected
        waiting.rows -= self._rows
        resource.seconds -= seconds
        resource.turns -= turn
        held = self._held
        if held is not None:  # here, since calls would take as long as this does
            held.requests -= 1
            held.seconds -= seconds
            held.turns -= turn
            if not held.requests:
                held.seconds = held.turns = 0.0  # without what rounding left
                resource.waiting -= 1
        if not waiting.rows:
            waiting.show()


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
        self._most_rows = min(most_rows, resource.most_rows)
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

    def demand_room(self, rows: int = 1, caller: Caller = ANYONE, *, as_rows: int = 0) -> None:
        """Refuse so many rows if they would have to wait too long or would take too long.

        Args:
            rows: how many.
            caller: whose.
            as_rows: how many take as long as these, where it is not the same number.

        Raises:
            Overloaded: there is too much before them.
            RequestTooLarge: see `demand_possible`.
        """
        resource = self._resource
        if (
            rows <= self.part
            and resource.turns * (resource.waiting + 1) <= resource.most_wait
            and (as_rows or rows) * self._seconds_a_row <= resource.longest
        ):
            return  # as most, whoever asks
        wait, most = resource.longest_wait(caller, large=rows > self.part)
        if wait > most and rows <= resource.most_rows:
            raise Overloaded(
                f"Requests that came before would take {wait:.1f} seconds. Send this one again after that.",
                math.ceil(wait),
            )
        self.demand_possible(rows, as_rows=as_rows)

    def demand_possible(self, rows: int, *, as_rows: int = 0) -> None:
        """Raise RequestTooLarge for more rows than a request may have, or that would take too long by themselves."""
        resource = self._resource
        if rows > resource.most_rows:
            raise RequestTooLarge(
                f"{rows} rows are above the limit of {resource.most_rows} rows a request; send them in parts."
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

    def admit(self, rows: int, caller: Caller = ANYONE, *, as_rows: int = 0) -> Counted:
        """Admit a caller's request, and count its rows while they are worked on; see `demand_room`."""
        self.demand_room(rows, caller, as_rows=as_rows)
        return self.counted(rows, caller, as_rows=as_rows)

    def counted(self, rows: int, caller: Caller = ANYONE, *, as_rows: int = 0) -> Counted:
        """Count rows while they are worked on; for rows that were admitted elsewhere."""
        seconds = (as_rows or rows) * self._seconds_a_row
        turn = min(seconds, self.part * self._seconds_a_row)
        return Counted(self._resource, self.waiting, rows, caller, (seconds, turn))

    def took(self, rows: int, seconds: float) -> None:
        """Update the seconds a row from a measurement; a single pause of the machine must not count as slow rows."""
        latest = min(seconds / rows, _SLOWER * self._seconds_a_row)
        self._set(self._seconds_a_row + _NEWER * (latest - self._seconds_a_row))
