"""Who is let in: a queue that cannot grow, since what waits longest is answered when nobody wants it any more."""

import contextlib
import math
from collections.abc import Iterator

from prometheus_client import Gauge

from validation.errors import Overloaded, RequestTooLarge

_NEWER = 0.2
"""What the latest rows count in how long a row takes."""


def demand_fits(rows: int, most: int) -> None:
    """Raise RequestTooLarge for a request of more rows than the limit."""
    if rows > most:
        raise RequestTooLarge(f"{rows} rows are above the limit of {most} rows a request; send them in parts.")


class Gate:
    """Knows how long a request would wait for those before it; to be used on one event loop.

    The bound is in time, not in rows: what matters to a caller, and to how soon the service is itself again after an
    overload, is the same for models that explain a hundred rows a second and for those that explain ten thousand.
    """

    def __init__(self, most_seconds: float, seconds_a_row: float, gauge: Gauge | None = None) -> None:
        """Let requests wait for `most_seconds`, at `seconds_a_row` until `took` knows better.

        `gauge` tells how many rows waited at the last `show`, or that none does.
        """
        self._most = most_seconds
        self._seconds_a_row = seconds_a_row
        self._gauge = gauge
        self.rows = 0
        """How many wait or are worked on now."""

    def demand_room(self) -> None:
        """Raise Overloaded if a request would have to wait too long."""
        seconds = self.rows * self._seconds_a_row
        if seconds > self._most:
            raise Overloaded(
                f"{self.rows} rows are waiting, which takes {seconds:.1f} seconds. Send the request again after that.",
                math.ceil(seconds),
            )

    @contextlib.contextmanager
    def admit(self, rows: int) -> Iterator[None]:
        """Let a request in while its rows are worked on; raises Overloaded at once if it would wait too long."""
        self.demand_room()
        self.rows += rows
        try:
            yield
        finally:
            self.rows -= rows
            if not self.rows:
                self.show()

    def took(self, rows: int, seconds: float) -> None:
        """Learn how long so many rows took."""
        self._seconds_a_row += _NEWER * (seconds / rows - self._seconds_a_row)

    def show(self) -> None:
        """Set the gauge: once a batch rather than twice a request, since it takes as long as decoding a row."""
        if self._gauge is not None:
            self._gauge.set(self.rows)
