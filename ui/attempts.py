"""How often a password may be tried from one address: ten times at once, and then once in ten seconds."""

import ipaddress
import math
import time
from collections.abc import Callable

AT_ONCE = 10
SECONDS = 10.0
"""After so many seconds there is one attempt more."""
_MOST_ADDRESSES = 10_000


def network(address: str) -> str:
    """What counts as one address: of IPv6 the 64 bits that one customer of a provider has at least."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped or ipaddress.ip_network((known, 64), strict=False))
    return str(known)


class Attempts:
    """The attempts of each address, of which only those that fail count; to be used on one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Have seen none; `clock` is seconds that do not jump."""
        self._clock = clock
        self._free_at: dict[str, float] = {}
        """By address, when it will have all its attempts again."""

    def begun(self, address: str) -> int:
        """Count an attempt; returns 0, or after how many seconds there may be one, which is not counted then."""
        now, place = self._clock(), network(address)
        free_at = max(now, self._free_at.get(place, now))
        wait = free_at + SECONDS - now - AT_ONCE * SECONDS
        if wait > 0:
            return math.ceil(wait)
        self._forget(now)
        self._free_at[place] = free_at + SECONDS
        return 0

    def succeeded(self, address: str) -> None:
        """Take back an attempt that was no wrong password."""
        place = network(address)
        if place in self._free_at:
            self._free_at[place] -= SECONDS

    def _forget(self, now: float) -> None:
        """Forget who has all attempts again, once there are too many; and all, where that leaves as many."""
        if len(self._free_at) >= _MOST_ADDRESSES:
            self._free_at = {place: at for place, at in self._free_at.items() if at > now}
        if len(self._free_at) >= _MOST_ADDRESSES:
            self._free_at.clear()
