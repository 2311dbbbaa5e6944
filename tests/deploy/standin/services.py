"""The methods of the API, on messages; refusals are raised. What they decide is carried out in the background."""

import copy
import functools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning.operations_pb2 import GetOperationRequest, Operation

from tests.deploy.standin import rules
from tests.deploy.standin.monitoring import Monitoring
from tests.deploy.standin.reconciler import Reconciler
from tests.deploy.standin.routing import Loop, Routes
from tests.deploy.standin.state import Revision, Service, State, split

Methods = dict[str, tuple[Callable[[Any], Any], Any, Any]]
"""By name: what does it, what reads its request, what writes its answer."""


class Services:
    """google.cloud.run.v2.Services and .Revisions, and the operations that they begin."""

    def __init__(self, state: State, reconciler: Reconciler, loop: Loop, monitoring: Monitoring) -> None:
        self._state = state
        self._monitoring = monitoring
        self._reconciler = reconciler
        self._loop = loop

    def create_service(self, request: run_v2.CreateServiceRequest) -> Operation:
        """A service that is not there yet."""
        return self._create(f"{request.parent}/services/{request.service_id}", request.service, request.validate_only)

    def update_service(self, request: run_v2.UpdateServiceRequest) -> Operation:
        """Another state of a service."""
        name = request.service.name
        if request.allow_missing and name not in self._state.services:
            return self._create(name, request.service, request.validate_only)
        service = self._state.service(name)
        rules.check_etag(service.id, request.service.etag, service.message.etag)
        wanted = rules.updated(service.message, request)
        rules.check_service(service.id, wanted)
        revision = rules.next_revision(service.id, wanted, service.message, self._templates(service))
        if request.validate_only:
            return self._done(name, wanted)
        service.message = wanted
        return self._begin(service, revision)

    def delete_service(self, request: run_v2.DeleteServiceRequest) -> Operation:
        """No service any more."""
        service = self._state.service(request.name)
        rules.check_etag(service.id, request.etag, service.message.etag)
        if request.validate_only:
            return self._done(request.name, service.message)
        del self._state.services[request.name]
        service.message.delete_time = datetime.now(UTC)
        operation = self._state.begin(request.name, service.message)
        self._reconciler.remove(service, operation.name)
        return operation

    def get_service(self, request: run_v2.GetServiceRequest) -> run_v2.Service:
        """A service as it is."""
        return copy.deepcopy(self._state.service(request.name).message)

    def list_services(self, request: run_v2.ListServicesRequest) -> run_v2.ListServicesResponse:
        """Those of a location, by name."""
        prefix = f"{request.parent}/services/"
        names = sorted(name for name in self._state.services if name.startswith(prefix))
        page, following = _page(names, request)
        return run_v2.ListServicesResponse(
            services=[copy.deepcopy(self._state.services[name].message) for name in page], next_page_token=following
        )

    def get_iam_policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        """Who may do what with a service."""
        return _copied(self._state.service(request.resource).policy)

    def set_iam_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        """The same, from now on. It is kept and not enforced."""
        service = self._state.service(request.resource)
        if request.policy.etag and request.policy.etag != service.policy.etag:
            raise rules.Refused(grpc.StatusCode.ABORTED, "There were concurrent policy changes; read it again.")
        etag = str(int(service.policy.etag) + 1).encode()
        service.policy = _copied(request.policy)
        service.policy.etag = etag
        return _copied(service.policy)

    def get_revision(self, request: run_v2.GetRevisionRequest) -> run_v2.Revision:
        """A revision as it is."""
        return copy.deepcopy(self._state.revision(request.name)[1].message)

    def list_revisions(self, request: run_v2.ListRevisionsRequest) -> run_v2.ListRevisionsResponse:
        """Those of a service, the latest first."""
        revisions = self._state.service(request.parent).revisions
        page, following = _page(list(reversed(revisions)), request)
        return run_v2.ListRevisionsResponse(
            revisions=[copy.deepcopy(revisions[name].message) for name in page], next_page_token=following
        )

    def delete_revision(self, request: run_v2.DeleteRevisionRequest) -> Operation:
        """A revision less."""
        service, revision = self._state.revision(request.name)
        name = request.name.rsplit("/", 1)[1]
        rules.check_etag(name, request.etag, revision.message.etag)
        latest = (service.message.latest_created_revision, service.message.latest_ready_revision)
        rules.check_deletable(
            name, [full.rsplit("/", 1)[-1] for full in latest], [*service.message.traffic_statuses, *service.targets()]
        )
        if not request.validate_only:
            del service.revisions[name]
        return self._done(request.name, revision.message)

    def get_operation(self, request: GetOperationRequest) -> Operation:
        """How far an operation is."""
        if request.name not in self._state.operations:
            raise rules.not_found(request.name)
        return _copied(self._state.operations[request.name])

    def _create(self, name: str, given: run_v2.Service, validate_only: bool) -> Operation:
        _, short = split(name)
        if name in self._state.services:
            raise rules.Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource '{short}' already exists.")
        wanted = rules.updated(run_v2.Service(name=name), run_v2.UpdateServiceRequest(service=given))
        rules.check_service(short, wanted)
        revision = rules.next_revision(short, wanted, None, {})
        if validate_only:
            return self._done(name, wanted)
        ports = rules.ingress(wanted.template).ports
        over_grpc = bool(ports) and ports[0].name == "h2c"
        service = Service(wanted, Routes(self._loop, over_grpc, functools.partial(self._monitoring.count, short)))
        wanted.uid, wanted.create_time, wanted.uri = str(uuid.uuid4()), datetime.now(UTC), service.routes.uri()
        wanted.urls = [wanted.uri]
        self._state.services[name] = service
        return self._begin(service, revision)

    def _begin(self, service: Service, name: str | None) -> Operation:
        message = service.message
        message.generation += 1
        message.etag, message.update_time, message.reconciling = f'"{message.generation}"', datetime.now(UTC), True
        message.terminal_condition = run_v2.Condition(type_="Ready", state=run_v2.Condition.State.CONDITION_RECONCILING)
        revision = self._revision(service, name) if name is not None else None
        if latest := name or message.template.revision:
            message.latest_created_revision = f"{message.name}/revisions/{latest}"
        operation = self._state.begin(message.name, message)
        self._reconciler.change(service, operation.name, revision)
        return operation

    def _revision(self, service: Service, name: str) -> Revision:
        template = copy.deepcopy(service.message.template)
        message = run_v2.Revision(
            name=f"{service.message.name}/revisions/{name}",
            uid=str(uuid.uuid4()),
            generation=1,
            service=service.id,
            labels=dict(template.labels),
            annotations=dict(template.annotations),
            create_time=datetime.now(UTC),
            scaling=template.scaling,
            timeout=template.timeout,
            service_account=template.service_account,
            containers=list(template.containers),
            volumes=list(template.volumes),
            max_instance_request_concurrency=template.max_instance_request_concurrency,
            reconciling=True,
            etag='"1"',
        )
        service.revisions[name] = Revision(message, template)
        return service.revisions[name]

    def _templates(self, service: Service) -> dict[str, run_v2.RevisionTemplate]:
        return {name: revision.template for name, revision in service.revisions.items()}

    def _done(self, name: str, message: Any) -> Operation:
        operation = self._state.begin(name, message)
        self._state.end(operation.name, message)
        return _copied(self._state.operations[operation.name])


def _copied(message: Any) -> Any:
    other = type(message)()
    other.CopyFrom(message)
    return other


def _page(names: list[str], request: Any) -> tuple[list[str], str]:
    start = int(request.page_token or 0)
    end = start + (request.page_size or 100)
    return names[start:end], str(end) if end < len(names) else ""


def methods(services: Services) -> dict[str, Methods]:
    """What is served, by service."""
    run, operation = run_v2, Operation.SerializeToString
    policy, policies = policy_pb2.Policy.SerializeToString, iam_policy_pb2
    of_services: Methods = {
        "CreateService": (services.create_service, run.CreateServiceRequest.deserialize, operation),
        "UpdateService": (services.update_service, run.UpdateServiceRequest.deserialize, operation),
        "DeleteService": (services.delete_service, run.DeleteServiceRequest.deserialize, operation),
        "GetService": (services.get_service, run.GetServiceRequest.deserialize, run.Service.serialize),
        "ListServices": (
            services.list_services,
            run.ListServicesRequest.deserialize,
            run.ListServicesResponse.serialize,
        ),
        "GetIamPolicy": (services.get_iam_policy, policies.GetIamPolicyRequest.FromString, policy),
        "SetIamPolicy": (services.set_iam_policy, policies.SetIamPolicyRequest.FromString, policy),
    }
    of_revisions: Methods = {
        "GetRevision": (services.get_revision, run.GetRevisionRequest.deserialize, run.Revision.serialize),
        "ListRevisions": (
            services.list_revisions,
            run.ListRevisionsRequest.deserialize,
            run.ListRevisionsResponse.serialize,
        ),
        "DeleteRevision": (services.delete_revision, run.DeleteRevisionRequest.deserialize, operation),
    }
    of_operations: Methods = {"GetOperation": (services.get_operation, GetOperationRequest.FromString, operation)}
    return {
        "google.cloud.run.v2.Services": of_services,
        "google.cloud.run.v2.Revisions": of_revisions,
        "google.longrunning.Operations": of_operations,
    }
