"""What the control plane knows: services, their revisions, operations."""

import re
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from google.cloud import run_v2
from google.iam.v1 import policy_pb2
from google.longrunning import operations_pb2
from google.rpc import status_pb2

from tests.deploy.standin.balance import Backend
from tests.deploy.standin.processes import Process
from tests.deploy.standin.routing import Routes
from tests.deploy.standin.rules import not_found

_SERVICE = re.compile(r"(projects/[^/]+/locations/[^/]+)/services/([^/]+)")


@dataclass(eq=False)
class Revision:
    """A revision.

    Attributes:
        process: what runs for it, if anything does, with what the splitter knows of it.
        holds: operations that need it; while there are any it is not ended.
        failure: why it never became ready.
    """

    message: run_v2.Revision
    template: run_v2.RevisionTemplate
    process: tuple[Process, Backend] | None = None
    holds: int = 0
    failure: str = ""
    starting: threading.Lock = field(default_factory=threading.Lock)


@dataclass(eq=False)
class Service:
    """A service. `changes` counts those that are not carried out yet; `routing` is held while its traffic is set."""

    message: run_v2.Service
    routes: Routes
    revisions: dict[str, Revision] = field(default_factory=dict)
    policy: policy_pb2.Policy = field(default_factory=lambda: policy_pb2.Policy(etag=b"1"))
    changes: int = 0
    routing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """The short name."""
        return str(self.message.name.rsplit("/", 1)[1])

    def became_ready(self, revision: str) -> None:
        """A revision is ready: the latest that is, unless a later one is too."""
        order = list(self.revisions)
        before = self.message.latest_ready_revision.rsplit("/", 1)[-1]
        if before not in order or order.index(before) <= order.index(revision):
            self.message.latest_ready_revision = self.revisions[revision].message.name

    def targets(self) -> list[run_v2.TrafficTarget]:
        """The split that is wanted, with the default where none was given."""
        latest = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
        return list(self.message.traffic) or [run_v2.TrafficTarget(type_=latest, percent=100)]


class State:
    """Everything, behind one lock that is held for moments only."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.services: dict[str, Service] = {}
        self.operations: dict[str, operations_pb2.Operation] = {}

    def service(self, name: str) -> Service:
        """The service of this full name; refuses others."""
        if name not in self.services:
            raise not_found(name)
        return self.services[name]

    def revision(self, name: str) -> tuple[Service, Revision]:
        """The revision of this full name and its service; refuses others."""
        service, _, short = name.rpartition("/revisions/")
        if service not in self.services or short not in self.services[service].revisions:
            raise not_found(name)
        return self.services[service], self.services[service].revisions[short]

    def begin(self, name: str, about: Any) -> operations_pb2.Operation:
        """A new operation that is pending, in the location of a resource."""
        location = name.split("/services/", maxsplit=1)[0]
        operation = operations_pb2.Operation(name=f"{location}/operations/{uuid.uuid4()}")
        operation.metadata.Pack(type(about).pb(about))
        self.operations[operation.name] = operation
        return self.copy(operation)

    def end(self, name: str, result: Any, failure: status_pb2.Status | None = None) -> None:
        """Let an operation end with a resource, or with an error."""
        operation = self.operations[name]
        operation.done = True
        operation.metadata.Pack(type(result).pb(result))
        if failure is not None:
            operation.error.CopyFrom(failure)
        else:
            operation.response.Pack(type(result).pb(result))

    @staticmethod
    def copy(operation: operations_pb2.Operation) -> operations_pb2.Operation:
        """One that does not change while it is sent."""
        copied = operations_pb2.Operation()
        copied.CopyFrom(operation)
        return copied


def split(name: str) -> tuple[str, str]:
    """Location and short name of a service's full name; refuses what is none."""
    if not (found := _SERVICE.fullmatch(name)):
        raise not_found(name)
    return found[1], found[2]
