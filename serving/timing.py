"""How long work takes."""

import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

_TRIES = 3
"""How often the golden rows are timed at the start; the fastest counts, since a new process is often interrupted."""
P = ParamSpec("P")
T = TypeVar("T")


def seconds_a_row(ask: Callable[[Sequence[object]], object], rows: Sequence[object]) -> float:
    """Seconds that one of these rows takes."""
    return min(timed(ask, rows)[1] for _ in range(_TRIES)) / len(rows)


def timed(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[T, float]:
    """What a piece of work returns, and how many seconds it took."""
    started = time.perf_counter()
    return work(*arguments, **named), time.perf_counter() - started
