"""What the API refuses, and what it makes of an update: functions of messages alone."""

import re
from collections.abc import Collection, Iterable

import grpc
from google.cloud import run_v2
from google.protobuf import field_mask_pb2

Latest = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
ByName = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
Target = run_v2.TrafficTarget | run_v2.TrafficTargetStatus
_ID = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_TAG = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_RESERVED = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_OUTPUT_ONLY = (
    *("name", "uid", "generation", "create_time", "update_time", "delete_time", "expire_time", "creator"),
    *("last_modifier", "urls", "observed_generation", "terminal_condition", "conditions", "latest_ready_revision"),
    *("latest_created_revision", "traffic_statuses", "uri", "satisfies_pzs", "threat_detection_enabled"),
    *("reconciling", "etag"),
)


class Refused(Exception):
    """A call that the API does not do, with the status that it answers."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    """The refusal of what could never be right."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(what: str) -> Refused:
    """The refusal of a name that nothing has."""
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource '{what}' was not found.")


def check_etag(kind: str, given: str, current: str) -> None:
    """Refuse a change of something that was changed since it was read; without an etag nobody asks."""
    if given and given != current:
        raise Refused(
            grpc.StatusCode.ABORTED,
            f"Conflict for resource '{kind}': version '{given}' was specified but current version is '{current}'.",
        )


def updated(current: run_v2.Service, request: run_v2.UpdateServiceRequest) -> run_v2.Service:
    """What the service is to be: the fields of the mask, or all where there is none; what is output only stays."""
    wanted, given = run_v2.Service(), run_v2.Service.pb(request.service)
    paths = [path for path in request.update_mask.paths if path != "*"]
    target = run_v2.Service.pb(wanted)
    if paths:
        mask = field_mask_pb2.FieldMask(paths=paths)
        if not mask.IsValidForDescriptor(target.DESCRIPTOR):
            raise invalid(f"update_mask has paths that a Service does not have: {', '.join(paths)}.")
        target.CopyFrom(run_v2.Service.pb(current))
        mask.MergeMessage(given, target, True, True)
    else:
        target.CopyFrom(given)
    kept = field_mask_pb2.FieldMask(paths=_OUTPUT_ONLY)
    kept.MergeMessage(run_v2.Service.pb(current), target, True, True)
    return wanted


def check_service(name: str, service: run_v2.Service) -> None:
    """Refuse a service that could not be, whatever there is already. `name` is the short one."""
    if not _ID.fullmatch(name):
        raise invalid(f"'{name}' is no name for a service: lower case letters, digits and hyphens, less than 50.")
    template = service.template
    check_containers(template)
    revision = template.revision
    if revision and not (revision.startswith(f"{name}-") and _ID.fullmatch(revision.replace(f"{name}-", "r", 1))):
        raise invalid(f"template.revision is '{revision}'; it must be '{name}-' and then letters, digits, hyphens.")
    check_traffic(name, service.traffic)


def check_containers(template: run_v2.RevisionTemplate) -> None:
    """Refuse containers that could not run side by side: exactly one of several takes requests."""
    containers = template.containers
    if not containers or not all(container.image for container in containers):
        raise invalid("template.containers must have a container, and each an image.")
    if len(containers) > 1 and sum(bool(container.ports) for container in containers) != 1:
        raise invalid("Revision template should contain exactly one container with an exposed port.")
    if len(ingress(template).ports) > 1:
        raise invalid("template.containers[0].ports must have at most one port.")
    names = [container.name for container in containers if container.name]
    if len(set(names)) < len(names):
        raise invalid("template.containers: names must be unique.")
    volumes = {volume.name for volume in template.volumes}
    for container in containers:
        if taken := sorted(_RESERVED.intersection(variable.name for variable in container.env)):
            raise invalid(
                f"The following reserved env names were provided: {', '.join(taken)}. "
                "These values are automatically set by the system."
            )
        if missing := {*container.depends_on} - {*names} | {mount.name for mount in container.volume_mounts} - volumes:
            raise invalid(f"template.containers: there is no {', '.join(sorted(missing))}.")


def ingress(template: run_v2.RevisionTemplate) -> run_v2.Container:
    """The container that requests go to."""
    return next((container for container in template.containers if container.ports), template.containers[0])


def check_traffic(name: str, traffic: Collection[run_v2.TrafficTarget]) -> None:
    """Refuse a split that could not be; whether its revisions exist is seen when it is set."""
    for target in traffic:
        if (target.type_ == ByName) != bool(target.revision) or target.type_ not in (ByName, Latest):
            raise invalid("traffic: a target has either the type REVISION and a revision, or the type LATEST and none.")
        if not 0 <= target.percent <= 100:
            raise invalid(f"traffic: percent is {target.percent}; it must be between 0 and 100.")
        if target.tag and not (_TAG.fullmatch(target.tag) and len(f"{target.tag}---{name}") <= 63):
            raise invalid(f"traffic: '{target.tag}' is no tag: lower case letters, digits, hyphens, and not too long.")
    tags = [target.tag for target in traffic if target.tag]
    if twice := sorted({tag for tag in tags if tags.count(tag) > 1}):
        raise invalid(f"traffic: the tags {', '.join(twice)} are there more than once.")
    if traffic and (total := sum(target.percent for target in traffic)) != 100:
        raise invalid(f"traffic: the percentages must sum to 100 and sum to {total}.")


def next_revision(
    name: str,
    wanted: run_v2.Service,
    current: run_v2.Service | None,
    existing: dict[str, run_v2.RevisionTemplate],
) -> str | None:
    """The name of the revision that this template makes, None if it makes none; refuses one that is taken."""
    template = wanted.template
    if current is not None and template == current.template:
        return None
    if not template.revision:
        generation = current.generation if current is not None else 0
        return f"{name}-{generation + 1:05}-{made_up(generation + 1)}"
    if template.revision not in existing:
        return str(template.revision)
    if existing[template.revision] != template:
        raise Refused(
            grpc.StatusCode.ALREADY_EXISTS,
            f"Revision named '{template.revision}' with different configuration already exists.",
        )
    return None


def made_up(number: int) -> str:
    """Three letters, others for each number, as the end of a generated name."""
    letters = "bcdfghjklmnpqrstvwxz"
    return "".join(letters[(number * 7 + shift * 3 + number // 20**shift) % 20] for shift in range(3))


def check_deletable(name: str, latest: Collection[str], targets: Iterable[Target]) -> None:
    """Refuse to delete the latest revision and those that traffic or a tag may reach."""
    reason = "is the latest of its service" if name in latest else ""
    if any(target.revision == name for target in targets):
        reason = "can receive traffic"
    if reason:
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"Revision '{name}' {reason} and cannot be deleted.")
