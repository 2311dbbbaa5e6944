"""What a test lets go wrong: calls of the API, and the way to revisions of an image."""

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from tests.deploy.standin.record import Call


class How(enum.Enum):
    """How a call of the API fails."""

    REFUSED = "an error instead of doing it"
    LOST = "an error after doing it"
    HANGS = "not done, and no answer until the client's deadline"
    HANGS_AFTER = "done, and no answer until the client's deadline"


@dataclass
class ApiFault:
    """A fault of the API: which calls it meets, and how they fail. `seen` counts those that it could have met."""

    how: How
    method: str | None
    nth: int | None
    code: grpc.StatusCode
    seen: int = 0

    def meets(self, call: Call) -> bool:
        """Whether this call fails."""
        if self.method not in (None, call.method):
            return False
        self.seen += 1
        return self.nth in (None, self.seen)


@dataclass(frozen=True)
class NetworkFault:
    """A fault in front of every revision of an image.

    Attributes:
        latency: seconds added to each request.
        error_share: the share of requests, evenly spread, that get 500 (gRPC: UNAVAILABLE) without reaching it.
        alter: makes another answer of one; called with the path and the body (gRPC: the message).
        from_percent: the fault is there while the revision has at least this share of its service's traffic.
    """

    latency: float = 0.0
    error_share: float = 0.0
    alter: Callable[[str, bytes], bytes] | None = None
    from_percent: int = 0


class Faults:
    """The faults of one stand-in, to be set and cleared at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._api: list[ApiFault] = []
        self._hooks: list[tuple[ApiFault, Callable[[Call], object]]] = []
        self._network: dict[str, NetworkFault] = {}

    def api(
        self,
        how: How,
        method: str | None = None,
        nth: int | None = 1,
        code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE,
    ) -> None:
        """Let the nth call from now fail, of a method ("UpdateService") or of all; every one with None for `nth`."""
        with self._lock:
            self._api.append(ApiFault(how, method, nth, code))

    def when(self, do: Callable[[Call], object], method: str | None = None, nth: int | None = 1) -> None:
        """Do something in the middle of the nth call from now, before it is done; its client waits for the end."""
        with self._lock:
            self._hooks.append((ApiFault(How.REFUSED, method, nth, grpc.StatusCode.OK), do))

    def network(self, image: str, fault: NetworkFault) -> None:
        """Put a fault in front of an image, in place of any that is there."""
        with self._lock:
            self._network[image] = fault

    def clear(self) -> None:
        """From now on all is well."""
        with self._lock:
            self._api.clear()
            self._hooks.clear()
            self._network.clear()

    def of_call(self, call: Call) -> ApiFault | None:
        """The first fault that meets this call, once what was to be done in its middle is done."""
        with self._lock:
            hooks = [do for fault, do in self._hooks if fault.meets(call)]
            met = [fault for fault in self._api if fault.meets(call)]
        for do in hooks:
            do(call)
        return met[0] if met else None

    def of_image(self, image: str, percent: int) -> NetworkFault:
        """What a request to a revision of this image meets while the revision has this share of the traffic."""
        with self._lock:
            fault = self._network.get(image)
        return fault if fault is not None and percent >= fault.from_percent else NetworkFault()
