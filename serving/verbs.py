"""What a model does with rows, as transports know it."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from serving.admission import Gate

Ask = Callable[..., Coroutine[Any, Any, Any]]
"""Takes rows or a table, `partial`, and of explanations `classes`; raises Overloaded, and RowsRejected for invalid rows
unless `partial`."""

Soon = Callable[..., None]
"""Takes few rows or a small table, what is to be told of the answer, and `partial`; raises as `Ask` does."""


class Verb(NamedTuple):
    """What a model does with rows."""

    name: str
    ask: Ask
    gate: Gate
    """Admits its requests."""
    watched: bool
    """Whether even one turn takes so long that it is cancelled when the caller disconnects."""
    soon: Soon | None = None
    """Answers few rows in a turn, if the verb can."""
    together: Callable[[Sequence[tuple[Any, Any]]], None] | None = None
    """Answers few rows of several callers, if the verb can: `Few` and what is to be told of the answer, of each."""

    @property
    def cancel_above_rows(self) -> int:
        """A request of more rows is cancelled when its caller disconnects."""
        return 0 if self.watched else self.gate.part
