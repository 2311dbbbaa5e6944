"""Cloud Run's Admin API for a rollout: read a service, change it if nobody else did, and wait for the result."""

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import grpc
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

from deploy.errors import CloudError

EMULATOR = "CLOUD_RUN_EMULATOR_HOST"
"""The variable with the address of an emulator of the API, named as for other Google clients; no credentials."""
TAKES_TRAFFIC = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
_TRANSIENT = (
    exceptions.Aborted,  # somebody changed the service since it was read
    exceptions.AlreadyExists,  # a creation whose answer was lost
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ServiceUnavailable,
    exceptions.TooManyRequests,
)
_CHANGED_FIELDS = ("template", "traffic", "annotations", "scaling", "invoker_iam_disabled")
"""The fields of a service that a release changes."""
_TRIES = 5
_CALL_SECONDS = 10
_PAUSE_SECONDS = 0.2
_SETTLE_SECONDS = 300
T = TypeVar("T")
Edit = Callable[[run_v2.Service], None]


class CloudRun:
    """The services of one project and region."""

    def __init__(self, parent: str) -> None:
        """Connect to the API with Application Default Credentials; raises CloudError."""
        self._parent = parent
        address = os.environ.get(EMULATOR)
        if address:
            channel = grpc.insecure_channel(address)
            self._services = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
            self._revisions = run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel))
        else:
            try:
                self._services, self._revisions = run_v2.ServicesClient(), run_v2.RevisionsClient()
            except GoogleAuthError as error:
                raise CloudError(f"Google Cloud cannot be asked: {error}") from error

    def service(self, name: str) -> run_v2.Service | None:
        """A service as it is now; None if there is none. Raises CloudError."""
        try:
            return _retry(lambda: self._services.get_service(name=self._path(name), retry=None, timeout=_CALL_SECONDS))
        except exceptions.NotFound:
            return None

    def settled(self, name: str, done: Callable[[run_v2.Service], bool] = lambda _: False) -> run_v2.Service | None:
        """Wait until Cloud Run has applied the last change or given it up, or until `done`; returns the service.

        Raises CloudError if that takes too long.
        """
        end = time.monotonic() + _SETTLE_SECONDS
        while (service := self.service(name)) is not None and service.reconciling and not done(service):
            if time.monotonic() > end:
                raise CloudError(f"Cloud Run has worked on {name} for {_SETTLE_SECONDS} s and is not done.")
            time.sleep(_PAUSE_SECONDS)
        return service

    def change(self, name: str, edit: Edit, done: Callable[[run_v2.Service], bool] = lambda _: False) -> run_v2.Service:
        """Apply `edit` to the current service, and retry if somebody else changes it at the same time.

        `edit` gets an empty service if there is none, may raise an error to stop, and must be idempotent, so that a
        lost response does no harm.

        Returns:
            The service, once it is `done` or settled, whichever is sooner.

        Raises:
            CloudError: the API failed in every retry.
        """
        _retry(lambda: self._change(name, edit))
        service = self.settled(name, done)
        if service is None:
            raise CloudError(f"{name} was deleted while it was changed.")
        return service

    def _change(self, name: str, edit: Edit) -> None:
        before = self.service(name)
        edited = run_v2.Service(before or {})  # a copy
        edit(edited)
        if before is None:
            self._services.create_service(
                parent=self._parent, service=edited, service_id=name, retry=None, timeout=_CALL_SECONDS
            )
            return
        # Only the changed fields: a template that is written back with its revision's name would be a second revision
        # of that name. The etag is that of `before`, so the update is refused if somebody made a change in between.
        changed = [field for field in _CHANGED_FIELDS if getattr(edited, field) != getattr(before, field)]
        if changed:
            request = run_v2.UpdateServiceRequest(service=edited, update_mask={"paths": changed})
            self._services.update_service(request, retry=None, timeout=_CALL_SECONDS)

    def delete(self, name: str) -> None:
        """Remove a service, if it is there. Raises CloudError."""
        try:
            _retry(lambda: self._services.delete_service(name=self._path(name), retry=None, timeout=_CALL_SECONDS))
        except exceptions.NotFound:
            return
        end = time.monotonic() + _SETTLE_SECONDS
        while self.service(name) is not None and time.monotonic() < end:
            time.sleep(_PAUSE_SECONDS)

    def revision(self, service: str, name: str) -> run_v2.Revision | None:
        """A revision by its short name; None if there is none. Raises CloudError."""
        path = f"{self._path(service)}/revisions/{name}"
        try:
            return _retry(lambda: self._revisions.get_revision(name=path, retry=None, timeout=_CALL_SECONDS))
        except exceptions.NotFound:
            return None

    def revisions(self, service: str) -> Sequence[run_v2.Revision]:
        """All revisions of a service, the newest first. Raises CloudError."""
        path = self._path(service)
        listed = _retry(lambda: list(self._revisions.list_revisions(parent=path, retry=None, timeout=_CALL_SECONDS)))
        return sorted(listed, key=lambda revision: revision.create_time, reverse=True)

    def _path(self, name: str) -> str:
        return f"{self._parent}/services/{name}"


def _retry(call: Callable[[], T]) -> T:
    """Retry after transient errors; raises CloudError if they persist, and at once for other errors than NotFound."""
    for attempt in range(_TRIES):
        try:
            return call()
        except _TRANSIENT as error:
            failure = error
            if attempt < _TRIES - 1:
                time.sleep(_PAUSE_SECONDS * 2**attempt)
        except exceptions.NotFound:
            raise
        except exceptions.GoogleAPICallError as error:
            raise CloudError(f"Cloud Run refused: {error.message}") from error
        except GoogleAuthError as error:
            raise CloudError(f"Google Cloud cannot be asked: {error}") from error
    raise CloudError(f"Cloud Run failed {_TRIES} times in a row: {failure.message}") from failure
