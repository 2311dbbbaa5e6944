"""The stand-in as tests see it."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType

from tests.deploy.standin.faults import Faults
from tests.deploy.standin.images import Image
from tests.deploy.standin.record import Call, Event, Record


class StandIn(contextlib.AbstractContextManager["StandIn"]):
    """Cloud Run on loopback, from entering the context until leaving it, which ends every process.

    Attributes:
        faults: what goes wrong, set by the test at any time.
        address: host and port of the API, for an insecure channel.
    """

    def __init__(self, images: Mapping[str, Image], delay: float = 0.05, start_timeout: float = 60) -> None:
        """Images by their reference; how many seconds an operation is pending at least, a start may take at most."""
        self.faults = Faults()
        self.address = ""
        self._record = Record()

    @property
    def calls(self) -> list[Call]:
        """Every call of the API so far, operations' included."""
        return self._record.calls

    @property
    def events(self) -> list[Event]:
        """What became of revisions and traffic so far."""
        return self._record.events

    def wait(self, until: Callable[[list[Event]], bool], timeout: float = 60) -> list[Event]:
        """The events, once `until` holds for them; AssertionError if it does not in time."""
        return self._record.wait(until, timeout)

    def requests(self, service: str, tag: str = "") -> dict[str, Counter[str]]:
        """How the requests to a service's URL, or to that of a tag, ended: by revision, status ("200", "OK") to count."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
