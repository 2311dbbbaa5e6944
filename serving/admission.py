"""Who is let in: a queue that cannot grow, since what waits longest is answered when nobody wants it any more."""

import contextlib
from collections.abc import Iterator

from prometheus_client import Gauge

from validation.errors import Overloaded, RequestTooLarge


def demand_fits(rows: int, most: int) -> None:
    """Raise RequestTooLarge for a request of more rows than the limit."""
    if rows > most:
        raise RequestTooLarge(f"{rows} rows are above the limit of {most} rows a request; send them in parts.")


class Gate:
    """Counts the rows that wait; to be used on one event loop."""

    def __init__(self, most_rows: int, gauge: Gauge | None = None) -> None:
        """Let at most `most_rows` wait; `gauge` tells how many did at the last `show`, or that nobody does."""
        self._most = most_rows
        self._gauge = gauge
        self.rows = 0
        """How many wait now."""

    @contextlib.contextmanager
    def admit(self, rows: int) -> Iterator[None]:
        """Let a request in while its rows are worked on; raises Overloaded at once if too many wait already.

        A request that is larger than the limit is let in where nobody waits.
        """
        if self.rows and self.rows + rows > self._most:
            raise Overloaded(
                f"{self.rows} rows are waiting, and {self._most} may. Send the request again in a second or two."
            )
        self.rows += rows
        try:
            yield
        finally:
            self.rows -= rows
            if not self.rows:
                self.show()

    def show(self) -> None:
        """Set the gauge: once a batch rather than twice a request, since it takes as long as decoding a row."""
        if self._gauge is not None:
            self._gauge.set(self.rows)
