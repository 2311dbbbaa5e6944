"""Who may change the services: a lease in their annotations, which every change checks and renews.

Cloud Run refuses a change of a service that somebody changed since it was read (its etag). So a process that finds
another's token in the lease knows that it was taken over, and one that crashed leaves there what the next one needs.
"""

import datetime
import secrets
from collections.abc import Mapping

import msgspec
from google.cloud import run_v2

from deploy.errors import Busy, Fenced

_NOTE = "boxwood.dev/release"
_SECONDS = 600
"""A rollout counts as dead after so long without a change, in addition to the time that it means to wait."""


class Lease(msgspec.Struct, frozen=True):
    """A rollout or rollback in progress.

    Attributes:
        id: its id in the ledger, kept by a process that continues it.
        token: identifies the process that may change the services.
        by: who began it; what: what it does, in a word; image: what is rolled out.
        until: when it counts as dead, unless it is renewed.
        before: the split to go back to; None if there was no service. was: the split that a rollback ends.
        tags: the tags at the time of `before`. seconds: for how long it is renewed.
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
        """A new lease, for work that waits up to `waits` seconds between changes; ids sort by time."""
        began = _now()
        name, seconds = f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", _SECONDS + waits
        return cls(name, secrets.token_hex(8), by, what, image, began, seconds=seconds)

    @property
    def dead(self) -> bool:
        """Whether it has expired."""
        return _now() > self.until

    def renewed(self) -> "Lease":
        """A copy with a new expiry."""
        return msgspec.structs.replace(self, until=_now() + datetime.timedelta(seconds=self.seconds))

    def same(self, other: "Lease") -> bool:
        """Whether the other is for the same action and image, so that this one continues it."""
        return (self.what, self.image) == (other.what, other.image)

    def continuing(self, other: "Lease") -> "Lease":
        """A copy with the other's split and tags to go back to, and its `id` if it is the same action."""
        name = other.id if self.same(other) else self.id
        return msgspec.structs.replace(self, id=name, before=other.before, tags=other.tags)


def of(service: run_v2.Service) -> Lease | None:
    """The lease on a service; None if there is none."""
    note = service.annotations.get(_NOTE)
    return msgspec.json.decode(note, type=Lease) if note else None


def write(service: run_v2.Service, lease: Lease) -> None:
    """Write the lease on a service, renewed."""
    service.annotations[_NOTE] = msgspec.json.encode(lease.renewed()).decode()


def leave(mine: Lease, service: run_v2.Service) -> None:
    """Remove the lease from a service, if there is any; raises Fenced if it is somebody else's."""
    if of(service) is not None:
        demand_mine(service, mine)
        del service.annotations[_NOTE]


def leave_if_mine(mine: Lease, service: run_v2.Service) -> None:
    """Remove the lease from a service, if it is this one."""
    holder = of(service)
    if holder is not None and holder.token == mine.token:
        del service.annotations[_NOTE]


def demand_mine(service: run_v2.Service, lease: Lease) -> None:
    """Raise Fenced unless the lease on the service is this one."""
    holder = of(service)
    if holder is None or holder.token != lease.token:
        who = f"{holder.by} ({holder.what})" if holder else "somebody who is done already"
        raise Fenced(f"{service.name.rsplit('/', 1)[-1]} was taken over by {who}. Nothing more is changed here.")


def demand_free(service: run_v2.Service, lease: Lease) -> None:
    """Raise Busy if somebody else's rollout is running; one of the same image is continued."""
    holder = of(service)
    if holder is not None and not holder.dead and not lease.same(holder):
        raise Busy(
            f"{holder.by} began a {holder.what} of {holder.image} that is running, or stopped without a word. It "
            f"counts as dead at {holder.until:%Y-%m-%d %H:%M} UTC. `rollback` does not wait for it."
        )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
