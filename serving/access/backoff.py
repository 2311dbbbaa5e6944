"""Who was refused by a quota and asks again too soon is refused unread: reading a body takes longer than refusing it.

What a body has in rows is known only once it is read. So the size in bytes of one that was refused stands for its rows:
until they would be there, bodies of that size and larger ones of the same kind are not read. Smaller ones are, since
they may have fewer rows.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from validation.errors import QuotaExceeded

LONGEST = 1.0
"""Seconds after which a body is read again in any case: it may have fewer rows than its size suggests."""
_MOST_SIZES = 8
_MOST_KINDS = 256

Kind = tuple[str, ...]
"""What sizes can be compared: an endpoint, and how its bodies are encoded."""


class _Refused(NamedTuple):
    """A body that was read and refused: its size in bytes, from when until when others are not read, and why."""

    size: int
    since: float
    until: float
    error: QuotaExceeded


class Backoff:
    """What one caller was refused lately; to be used on the event loop."""

    __slots__ = ("_by_kind", "_clock")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Have refused nothing; `clock` is seconds that do not jump."""
        self._clock = clock
        self._by_kind: dict[Kind, list[_Refused]] = {}

    def refused(self, kind: Kind, size: int, error: QuotaExceeded) -> None:
        """Remember that a body of so many bytes was refused."""
        now = self._clock()
        new = _Refused(size, now, now + min(error.wait, LONGEST), error)
        if kind not in self._by_kind and len(self._by_kind) >= _MOST_KINDS:
            self._by_kind.clear()
        known = [
            one
            for one in self._by_kind.get(kind, ())
            if one.until > now and (one.size < new.size or one.until > new.until)
        ]
        known.append(new)
        if len(known) > _MOST_SIZES:
            known.remove(min(known, key=lambda one: one.until))
        self._by_kind[kind] = known

    def again(self, kind: Kind, size: int) -> QuotaExceeded | None:
        """Why a body of so many bytes is not to be read; None if it is."""
        if not self._by_kind:
            return None
        now = self._clock()
        last = max(
            (one for one in self._by_kind.get(kind, ()) if one.size <= size and one.until > now),
            key=lambda one: one.since + one.error.wait,
            default=None,
        )
        return None if last is None else last.error.after(now - last.since)
