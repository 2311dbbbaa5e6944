"""Who gets how much: splits between revisions and the tags that give them URLs of their own."""

from collections.abc import Iterable, Mapping

from google.cloud import run_v2

from deploy.release.cloud_run import TAKES_TRAFFIC

Split = Mapping[str, int]
"""Percent by revision; they sum to 100."""
CANDIDATE, SERVING, PREVIOUS = "candidate", "serving", "previous"
"""Tags: what a rollout is about, what gets the traffic, and what a rollback goes back to."""


def short(name: str) -> str:
    """A resource's name without its path."""
    return name.rsplit("/", 1)[-1]


def split(service: run_v2.Service) -> dict[str, int]:
    """What was asked for, by revision; "the latest" is written out, so that later ones change nothing."""
    latest = short(service.latest_ready_revision)
    if not service.traffic:
        return {latest: 100} if latest else {}
    return _shares(service.traffic, latest)


def observed(service: run_v2.Service) -> dict[str, int]:
    """The same, as Cloud Run serves it now."""
    return _shares(service.traffic_statuses, short(service.latest_ready_revision))


def _shares(targets: Iterable[run_v2.TrafficTarget | run_v2.TrafficTargetStatus], latest: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for target in targets:
        revision = target.revision or latest
        if target.percent and revision:
            found[revision] = found.get(revision, 0) + target.percent
    return found


def tags(service: run_v2.Service) -> dict[str, str]:
    """Revisions by their tag."""
    return {target.tag: target.revision for target in service.traffic if target.tag and target.revision}


def ours(tagged: Mapping[str, str]) -> dict[str, str]:
    """Those of the tags that releases use."""
    return {tag: revision for tag, revision in tagged.items() if tag in (CANDIDATE, SERVING, PREVIOUS)}


def uri(service: run_v2.Service, tag: str) -> str:
    """Where what has that tag is asked; the service's own URL if nothing has it."""
    found: str = next((target.uri for target in service.traffic_statuses if target.tag == tag), service.uri)
    return found


def put(service: run_v2.Service, shares: Split, tagged: Mapping[str, str]) -> None:
    """Write a split and our tags (revisions by tag) into a service, each explicitly; others' tags stay."""
    kept = [
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
    targets += kept
    if targets != list(service.traffic):
        service.traffic = targets


def main(shares: Split) -> str | None:
    """Who gets the most; None of an empty split."""
    return max(shares, key=lambda revision: shares[revision], default=None)


def beside(revision: str, percent: int, others: Split) -> dict[str, int]:
    """`percent` for a revision, and the rest for the others as they shared it.

    The largest remainders are rounded up, so that the sum stays 100.
    """
    rest = {name: share for name, share in others.items() if name != revision}
    total, left = sum(rest.values()), 100 - percent
    if not total or not left:
        return {revision: 100}
    exact = {name: left * share / total for name, share in rest.items()}
    found = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: found[name] - exact[name])[: left - sum(found.values())]:
        found[name] += 1
    return {revision: percent, **{name: share for name, share in found.items() if share}}
