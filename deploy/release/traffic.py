"""Traffic splits between revisions, and the tags that give revisions their own URLs."""

from collections.abc import Iterable, Mapping

from google.cloud import run_v2

from deploy.release.cloud_run import TAKES_TRAFFIC

Split = Mapping[str, int]
"""Percent by revision; they sum to 100."""
CANDIDATE, SERVING, PREVIOUS = "candidate", "serving", "previous"
"""Tags: the revision being rolled out, the one with the traffic, and the one that a rollback goes back to."""


def short(name: str) -> str:
    """A resource's name without its path."""
    return name.rsplit("/", 1)[-1]


def split(service: run_v2.Service) -> dict[str, int]:
    """The requested split; "latest" is resolved to its revision, so that a new revision does not change it."""
    latest = short(service.latest_ready_revision)
    if not service.traffic:
        return {latest: 100} if latest else {}
    return _shares(service.traffic, latest)


def observed(service: run_v2.Service) -> dict[str, int]:
    """The split that Cloud Run serves now."""
    return _shares(service.traffic_statuses, short(service.latest_ready_revision))


def _shares(targets: Iterable[run_v2.TrafficTarget | run_v2.TrafficTargetStatus], latest: str) -> dict[str, int]:
    shares: dict[str, int] = {}
    for target in targets:
        revision = target.revision or latest
        if target.percent and revision:
            shares[revision] = shares.get(revision, 0) + target.percent
    return shares


def tags(service: run_v2.Service) -> dict[str, str]:
    """Revisions by their tag."""
    return {target.tag: target.revision for target in service.traffic if target.tag and target.revision}


def ours(tagged: Mapping[str, str]) -> dict[str, str]:
    """The tags that releases use."""
    return {tag: revision for tag, revision in tagged.items() if tag in (CANDIDATE, SERVING, PREVIOUS)}


def uri(service: run_v2.Service, tag: str) -> str:
    """The URL of the revision with that tag; the service's own URL if there is none."""
    address: str = next((target.uri for target in service.traffic_statuses if target.tag == tag), service.uri)
    return address


def put(service: run_v2.Service, shares: Split, tagged: Mapping[str, str]) -> None:
    """Write a split and our tags (revisions by tag) into a service; tags that are not ours stay."""
    foreign = [
        run_v2.TrafficTarget(type_=target.type_, revision=target.revision, tag=target.tag)
        for target in service.traffic
        if target.tag and not ours({target.tag: target.revision})
    ]
    targets = [
        run_v2.TrafficTarget(type_=TAKES_TRAFFIC, revision=revision, percent=percent)
        for revision, percent in shares.items()
        if percent
    ]
    targets += [
        run_v2.TrafficTarget(type_=TAKES_TRAFFIC, revision=revision, tag=tag) for tag, revision in tagged.items()
    ]
    targets += foreign
    if targets != list(service.traffic):
        service.traffic = targets


def main(shares: Split) -> str | None:
    """The revision with the largest share; None for an empty split."""
    return max(shares, key=lambda revision: shares[revision], default=None)


def beside(revision: str, percent: int, others: Split) -> dict[str, int]:
    """A split of `percent` for a revision; the others share the rest in their old proportions.

    The largest remainders are rounded up, so that the sum stays 100.
    """
    rest = {name: share for name, share in others.items() if name != revision}
    total, remaining = sum(rest.values()), 100 - percent
    if not total or not remaining:
        return {revision: 100}
    exact = {name: remaining * share / total for name, share in rest.items()}
    rounded = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: rounded[name] - exact[name])[: remaining - sum(rounded.values())]:
        rounded[name] += 1
    return {revision: percent, **{name: share for name, share in rounded.items() if share}}
