"""Makes the world what services say: starts revisions, sets traffic, ends what nothing leads to. A thread a change."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import grpc
from google.cloud import run_v2
from google.rpc import status_pb2

from tests.deploy.standin.balance import Backend
from tests.deploy.standin.faults import Faults
from tests.deploy.standin.images import Image
from tests.deploy.standin.processes import NeverReady, Process
from tests.deploy.standin.record import Record
from tests.deploy.standin.rules import ByName, ingress
from tests.deploy.standin.state import Revision, Service, State

_State = run_v2.Condition.State


class _Failed(Exception):
    """A change that cannot be brought about."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status_pb2.Status(code=code.value[0], message=message)


class Reconciler:
    """Carries out changes, each in the background."""

    def __init__(
        self,
        state: State,
        record: Record,
        faults: Faults,
        images: Mapping[str, Image],
        folder: Path,
        delay: float,
        start_timeout: float,
    ) -> None:
        self._state = state
        self._record = record
        self._faults = faults
        self._images = images
        self._folder = folder
        self._delay = delay
        self._start_timeout = start_timeout
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._removed: list[Service] = []

    def change(self, service: Service, operation: str, revision: Revision | None) -> None:
        """Bring about the service's state as it is from now on. The state's lock must be held."""
        service.changes += 1
        if revision is not None:
            revision.holds += 1
        self._begin(lambda: self._carry_out(service, operation, revision))

    def remove(self, service: Service, operation: str) -> None:
        """End a service that was taken out of the state. The state's lock must be held."""
        self._removed.append(service)
        self._begin(lambda: self._carry_off(service, operation))

    def close(self) -> None:
        """End everything and wait for it."""
        self._stopping.set()
        with self._state.lock:
            services = [*self._state.services.values(), *self._removed]
        for service in services:
            service.routes.close()  # what is in flight must not keep anything waiting
        self._join()
        for service in services:
            service.routes.close()
            for name in list(service.revisions):
                self._retire(service, name)
        self._join()

    def _join(self) -> None:
        while self._threads:
            self._threads.pop().join()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="reconciler", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _carry_out(self, service: Service, operation: str, revision: Revision | None) -> None:
        self._stopping.wait(self._delay)
        failure = None
        try:
            if revision is not None:
                self._run(service, revision)
        except _Failed as failed:
            failure = failed.status
        try:
            self._route(service)
        except _Failed as failed:
            failure = failure or failed.status
        with self._state.lock:
            if revision is not None:
                revision.holds -= 1
            service.changes -= 1
            failure = failure or self._standing(service)
            if not service.changes:
                self._conclude(service, failure)
            self._state.end(operation, service.message, failure)
        self._retire_unreached(service)

    def _carry_off(self, service: Service, operation: str) -> None:
        self._stopping.wait(self._delay)
        with service.routing:
            service.routes.close()
        with self._state.lock:
            self._state.end(operation, service.message)
            names = list(service.revisions)
        for name in names:
            self._retire(service, name)

    def _run(self, service: Service, revision: Revision) -> Backend:
        """The revision's running process; starts one and waits for it where there is none."""
        name = str(revision.message.name.rsplit("/", 1)[1])
        with revision.starting:
            if revision.failure:
                raise _Failed(grpc.StatusCode.FAILED_PRECONDITION, revision.failure)
            if revision.process is not None and revision.process[0].alive:
                return revision.process[1]
            try:
                process = self._start(service, revision, name)
            except (NeverReady, OSError) as reason:
                revision.failure = f"Revision '{name}' is not ready and cannot serve traffic. {reason}"
                self._condition(revision, _State.CONDITION_FAILED, revision.failure)
                self._record.event("failed", service.id, name, message=revision.failure)
                raise _Failed(grpc.StatusCode.FAILED_PRECONDITION, revision.failure) from None
            backend = Backend(name, ingress(revision.template).image, process.port, self._faults)
            revision.process = (process, backend)
            self._condition(revision, _State.CONDITION_SUCCEEDED, "")
            with self._state.lock:
                service.became_ready(name)
            self._record.event("ready", service.id, name)
            return backend

    def _start(self, service: Service, revision: Revision, name: str) -> Process:
        reference = ingress(revision.template).image
        if reference not in self._images:
            raise NeverReady(f"Image '{reference}' not found.")
        platform = {"K_SERVICE": service.id, "K_REVISION": name, "K_CONFIGURATION": service.id}
        log = self._folder / f"{name}-{len(list(self._folder.iterdir()))}.log"
        process = Process(self._images[reference], revision.template, platform, log)
        self._record.event("started", service.id, name, port=process.port, pid=process.pid, log=log)
        try:
            process.wait_until_ready(self._start_timeout, self._stopping)
        except NeverReady:
            process.terminate()
            self._record.event("exit", service.id, name, code=process.wait())
            raise
        return process

    def _route(self, service: Service) -> None:
        """Set the traffic that is wanted, once whoever gets any is there; again if by then another is wanted."""
        while True:
            with self._state.lock:
                generation = service.message.generation
                targets, held = self._targets(service)
                for revision in held:
                    revision.holds += 1
            try:
                backends = [self._run(service, revision) for revision in held]
                with service.routing:
                    if generation == service.message.generation:
                        self._switch(service, targets, backends)
                        return
            finally:
                with self._state.lock:
                    for revision in held:
                        revision.holds -= 1

    def _targets(self, service: Service) -> tuple[list[run_v2.TrafficTarget], list[Revision]]:
        targets = service.targets()
        latest = str(service.message.latest_ready_revision.rsplit("/", 1)[-1])
        names = [target.revision if target.type_ == ByName else latest for target in targets]
        if not all(names):
            return [], []  # nothing was ever ready
        if missing := [name for name in names if name not in service.revisions]:
            raise _Failed(
                grpc.StatusCode.INTERNAL,
                f"Revision '{missing[0]}' does not exist or is deleted. "
                "Update all traffic to route to currently available revisions.",
            )
        return targets, [service.revisions[name] for name in names]

    def _switch(self, service: Service, targets: list[run_v2.TrafficTarget], backends: list[Backend]) -> None:
        shares: dict[Backend, int] = {}
        for target, backend in zip(targets, backends, strict=True):
            shares[backend] = shares.get(backend, 0) + target.percent
        tags = {target.tag: backend for target, backend in zip(targets, backends, strict=True) if target.tag}
        left = service.routes.switch(shares, tags)
        self._record.event(
            "traffic",
            service.id,
            percent={backend.revision: share for backend, share in shares.items()},
            tags={tag: backend.revision for tag, backend in tags.items()},
        )
        for backend in left:
            self._record.event("unrouted", service.id, backend.revision)
        with self._state.lock:
            service.message.traffic_statuses = [
                run_v2.TrafficTargetStatus(
                    type_=target.type_,
                    revision=backend.revision,
                    percent=target.percent,
                    tag=target.tag,
                    uri=service.routes.uri(target.tag) if target.tag else "",
                )
                for target, backend in zip(targets, backends, strict=True)
            ]

    def _standing(self, service: Service) -> status_pb2.Status | None:
        """What is wrong with the service whatever its traffic: its latest revision never became ready."""
        latest = service.revisions.get(service.message.latest_created_revision.rsplit("/", 1)[-1])
        if latest is None or not latest.failure:
            return None
        return status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message=latest.failure)

    def _conclude(self, service: Service, failure: status_pb2.Status | None) -> None:
        message = service.message
        message.reconciling = False
        message.terminal_condition = run_v2.Condition(
            type_="Ready",
            state=_State.CONDITION_FAILED if failure else _State.CONDITION_SUCCEEDED,
            message=failure.message if failure else "",
            last_transition_time=datetime.now(UTC),
        )
        if not failure:
            message.observed_generation = message.generation

    def _condition(self, revision: Revision, state: int, message: str) -> None:
        with self._state.lock:
            revision.message.reconciling = False
            revision.message.conditions = [run_v2.Condition(type_="Ready", state=state, message=message)]

    def _retire_unreached(self, service: Service) -> None:
        with self._state.lock:
            reached = {status.revision for status in service.message.traffic_statuses}
            unreached = [name for name in service.revisions if name not in reached]
        for name in unreached:
            self._retire(service, name)

    def _retire(self, service: Service, name: str) -> None:
        """End a revision's process, if it has one that no operation needs, in the background."""
        with self._state.lock:
            revision = service.revisions.get(name)
            if revision is None or revision.holds or revision.process is None:
                return
            (process, backend), revision.process = revision.process, None
        self._begin(lambda: self._end(service, name, process, backend))

    def _end(self, service: Service, name: str, process: Process, backend: Backend) -> None:
        backend.drain()
        self._record.event("drained", service.id, name)
        process.terminate()
        self._record.event("sigterm", service.id, name)
        self._record.event("exit", service.id, name, code=process.wait())
