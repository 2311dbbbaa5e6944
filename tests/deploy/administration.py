"""Google's own clients of a stand-in, with operations that are asked after more often than by default."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.api_core.future.polling import _OperationNotComplete
from google.api_core.retry import Retry, if_exception_type
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

LOCATION = "projects/boxwood/locations/europe-west1"
_OFTEN = Retry(predicate=if_exception_type(_OperationNotComplete), initial=0.01, maximum=0.05, timeout=60)
_ByName = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
_Latest = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST


def name_of(service: str) -> str:
    """The full name of a service."""
    return f"{LOCATION}/services/{service}"


def target(revision: str = "", percent: int = 0, tag: str = "") -> run_v2.TrafficTarget:
    """A traffic target: of a revision, or of the latest."""
    return run_v2.TrafficTarget(type_=_ByName if revision else _Latest, revision=revision, percent=percent, tag=tag)


def template(image: str, revision: str = "", **variables: str) -> run_v2.RevisionTemplate:
    """A template over HTTP, or over gRPC where the image's name ends with grpc; ready once the server says so."""
    over_grpc = image.endswith("grpc")
    probe = {"grpc": run_v2.GRPCAction()} if over_grpc else {"http_get": run_v2.HTTPGetAction(path="/readyz")}
    container = run_v2.Container(
        image=image,
        env=[run_v2.EnvVar(name=name, value=value) for name, value in variables.items()],
        ports=[run_v2.ContainerPort(name="h2c" if over_grpc else "http1", container_port=8080)],
        startup_probe=run_v2.Probe(**probe),
    )
    return run_v2.RevisionTemplate(revision=revision, containers=[container])


@dataclass(frozen=True)
class Administration:
    """The clients of one stand-in."""

    services: run_v2.ServicesClient
    revisions: run_v2.RevisionsClient

    @classmethod
    @contextlib.contextmanager
    def of(cls, address: str) -> Iterator["Administration"]:
        """Connected until the end of the context."""
        with grpc.insecure_channel(address) as channel:
            yield cls(
                run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
                run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
            )

    def get(self, service: str) -> run_v2.Service:
        """A service as it is now."""
        return self.services.get_service(name=name_of(service))

    def create(self, service: str, made_of: run_v2.RevisionTemplate, *traffic: run_v2.TrafficTarget) -> run_v2.Service:
        """A service, once it serves."""
        given = run_v2.Service(template=made_of, traffic=list(traffic))
        return done(self.services.create_service(parent=LOCATION, service_id=service, service=given))

    def begin(self, service: str, **fields: Any) -> Any:
        """The operation of an update of these fields and no others."""
        given = run_v2.Service(name=name_of(service), **fields)
        paths: Mapping[str, Any] = {"paths": [field for field in fields if field != "etag"]}
        return self.services.update_service(run_v2.UpdateServiceRequest(service=given, update_mask=paths))

    def update(self, service: str, **fields: Any) -> run_v2.Service:
        """The service after such an update."""
        return done(self.begin(service, **fields))

    def names(self, service: str) -> list[str]:
        """The revisions of a service, the latest first."""
        found = self.revisions.list_revisions(parent=name_of(service))
        return [revision.name.rsplit("/", 1)[1] for revision in found]


def done(operation: Any) -> run_v2.Service:
    """What an operation ends with; raises its error."""
    service: run_v2.Service = operation.result(polling=_OFTEN)
    return service
