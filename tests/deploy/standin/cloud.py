"""The stand-in as tests see it."""

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from tests.deploy.standin.api import Api
from tests.deploy.standin.faults import Faults
from tests.deploy.standin.images import Image
from tests.deploy.standin.monitoring import Monitoring
from tests.deploy.standin.reconciler import Reconciler
from tests.deploy.standin.record import Call, Event, Record
from tests.deploy.standin.routing import Loop
from tests.deploy.standin.services import Services
from tests.deploy.standin.state import State


class StandIn(contextlib.AbstractContextManager["StandIn"]):
    """Cloud Run on loopback, from its creation until the end of its context, which ends every process.

    Attributes:
        faults: what goes wrong, set by the test at any time.
        address: host and port of the API, for an insecure channel.
        monitoring: what Cloud Monitoring knows of the requests, and its API.
    """

    def __init__(self, images: Mapping[str, Image], delay: float = 0.05, start_timeout: float = 60) -> None:
        """Images by their reference; how many seconds an operation is pending at least, a start may take at most."""
        self.faults = Faults()
        self._record = Record()
        self._state = State()
        self._logs = tempfile.TemporaryDirectory(prefix="boxwood-cloud-")
        self._loop = Loop()
        self._reconciler = Reconciler(
            self._state, self._record, self.faults, images, Path(self._logs.name), delay, start_timeout
        )
        self.monitoring = Monitoring()
        services = Services(self._state, self._reconciler, self._loop, self.monitoring)
        self._api = Api(services, self._state.lock, self._record, self.faults)
        self.address = self._api.address

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
        """How requests to a service's URL, or a tag's, ended: by revision a count of each status ("200", "OK")."""
        with self._state.lock:
            [found] = [known for known in self._state.services.values() if known.id == service]
        return found.routes.ended(tag)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._api.close()
        self.monitoring.close()
        self._reconciler.close()
        self._loop.close()
        self._logs.cleanup()
