"""Who may change the services: a note in their annotations, which every change reads and is made under.

Cloud Run refuses a change of a service that somebody changed since it was read (its etag). So whoever finds another's
token in the note knows that it was overtaken, and one that crashed leaves behind what the next needs to go on.
"""

import datetime
import secrets
from collections.abc import Mapping

import msgspec
from google.cloud import run_v2

from deploy.errors import Busy, Fenced

_NOTE = "boxwood.dev/release"
_SECONDS = 600
"""After so long without a change a rollout counts as dead, beyond what it means to wait."""


class Lease(msgspec.Struct, frozen=True):
    """A rollout or rollback on its way.

    Attributes:
        id: its name in the ledger, the same for whoever goes on with it.
        token: of the process that may change the services.
        by: who began it; what: what it does, in a word; image: what is rolled out.
        until: when it counts as dead, unless it renews this.
        before: the split to go back to; None where there was no service. was: the split that a rollback ends.
        tags: the tags of then. seconds: for how long it is renewed.
    """

    id: str
    token: str
    by: str
    what: str
    image: str
    until: datetime.datetime
    before: Mapping[str, int] | None = None
    tags: Mapping[str, str] = {}
    was: Mapping[str, int] = {}
    seconds: float = _SECONDS

    @classmethod
    def new(cls, by: str, what: str, image: str, waits: float = 0) -> "Lease":
        """A lease that nobody had before, of what `waits` so many seconds between changes; ids sort by time."""
        began = _now()
        name, seconds = f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", _SECONDS + waits
        return cls(name, secrets.token_hex(8), by, what, image, began, seconds=seconds)

    @property
    def dead(self) -> bool:
        """Whether nobody renewed it for long."""
        return _now() > self.until

    def renewed(self) -> "Lease":
        """The same for another while."""
        return msgspec.structs.replace(self, until=_now() + datetime.timedelta(seconds=self.seconds))

    def same(self, other: "Lease") -> bool:
        """Whether another is about the same thing, so that this one goes on where that stopped."""
        return (self.what, self.image) == (other.what, other.image)

    def continuing(self, other: "Lease") -> "Lease":
        """This one with another's way back, and its `id` if it is about the same thing."""
        name = other.id if self.same(other) else self.id
        return msgspec.structs.replace(self, id=name, before=other.before, tags=other.tags)


def of(service: run_v2.Service) -> Lease | None:
    """Who has a service."""
    note = service.annotations.get(_NOTE)
    return msgspec.json.decode(note, type=Lease) if note else None


def write(service: run_v2.Service, lease: Lease) -> None:
    """Take a service, or keep it."""
    service.annotations[_NOTE] = msgspec.json.encode(lease.renewed()).decode()


def leave(mine: Lease, service: run_v2.Service) -> None:
    """Leave a service to others, unless nobody has it; raises Fenced if somebody else does."""
    if of(service) is not None:
        demand_mine(service, mine)
        del service.annotations[_NOTE]


def leave_if_mine(mine: Lease, service: run_v2.Service) -> None:
    """Leave a service, if it was taken."""
    found = of(service)
    if found is not None and found.token == mine.token:
        del service.annotations[_NOTE]


def demand_mine(service: run_v2.Service, lease: Lease) -> None:
    """Raise Fenced if somebody else has the service, or took it and is done."""
    found = of(service)
    if found is None or found.token != lease.token:
        who = f"{found.by} ({found.what})" if found else "somebody who is done already"
        raise Fenced(f"{service.name.rsplit('/', 1)[-1]} was taken over by {who}. Nothing more is changed here.")


def demand_free(service: run_v2.Service, lease: Lease) -> None:
    """Raise Busy if somebody else's rollout is running; one of the same image is continued."""
    found = of(service)
    if found is not None and not found.dead and not lease.same(found):
        raise Busy(
            f"{found.by} began a {found.what} of {found.image} that is running, or stopped without a word. It counts "
            f"as dead at {found.until:%Y-%m-%d %H:%M} UTC. `rollback` does not wait for it."
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
