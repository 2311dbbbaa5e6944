"""The budget for request bodies that are arriving: senders that never finish must not use up a worker's memory."""

import contextlib
import os
from pathlib import Path

from serving.settings import Settings
from validation.errors import Overloaded, RequestTooLarge

SMALL = 2**16
"""Bodies up to this size are not limited; uvicorn buffers as much for each connection anyway."""
_SHARE = 16
"""The bodies of all workers may take this fraction (1/16) of the memory; joining, parsing and answering take more."""
_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""The files with a container's limit: of cgroup version 2, and of version 1."""


def memory(cgroup: Path = _CGROUP) -> int:
    """The memory of this container in bytes, or of the machine where there is no limit."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            limits.append(int((cgroup / name).read_text()))
    return min(limits)


def budget(settings: Settings) -> int:
    """The bytes of arriving bodies that a worker may hold; never less than one body of the largest size."""
    return max(settings.max_body_bytes, settings.max_reading_bytes or memory() // _SHARE // settings.workers)


class Bodies:
    """The bodies that arrive at one worker."""

    def __init__(self, settings: Settings) -> None:
        """Have limits as `settings` say."""
        self.limit = settings.max_body_bytes
        """The largest body, in bytes."""
        self._most = budget(settings)
        self._held = 0

    def reading(self) -> "Reading":
        """A context manager that counts the bytes of one body until it is left."""
        return Reading(self)

    def hold(self, count: int, size: int) -> None:
        """Count `count` more bytes of a body that has `size` bytes with them; raises as `Reading.add`."""
        if size > self.limit:
            raise RequestTooLarge(f"The body is above the limit of {self.limit} bytes.")
        if size > SMALL and self._held + count > self._most:
            raise Overloaded(
                f"{self._held + count - size} bytes of other requests are arriving, and the limit is {self._most} "
                "bytes. Send this one again in a second or two, or its rows in parts."
            )
        self._held += count

    def release(self, size: int) -> None:
        """Forget a body of so many bytes."""
        self._held -= size


class Reading:
    """One body that arrives. A class, since a generator-based context manager would cost small requests more."""

    __slots__ = ("_bodies", "_size")

    def __init__(self, bodies: Bodies) -> None:
        """Be one of these bodies."""
        self._bodies = bodies
        self._size = 0

    def __enter__(self) -> "Reading":
        """Begin."""
        return self

    def add(self, count: int) -> None:
        """Count a part of so many bytes; raises RequestTooLarge, and Overloaded where too much arrives already."""
        self._bodies.hold(count, self._size + count)
        self._size += count

    def __exit__(self, *_: object) -> None:
        """The body was read, or is given up."""
        self._bodies.release(self._size)
