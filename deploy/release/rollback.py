"""Rollback: all traffic goes back at once, whether a rollout is running or done."""

import datetime
import functools
from collections.abc import Callable, Mapping

import msgspec
from google.cloud import run_v2

from deploy.config import Config
from deploy.errors import CloudError, ConfigError
from deploy.release import lease, registry, revisions, traffic
from deploy.release.cloud_run import CloudRun
from deploy.release.lease import Lease
from deploy.release.ledger import Entry, Ledger
from deploy.release.traffic import PREVIOUS, SERVING

Say = Callable[[str], None]


def rollback(config: Config, cloud: CloudRun, to: str, by: str, why: str, say: Say) -> None:
    """Give all traffic to what `to` names (a revision, an image, or a part of either), or to what served before.

    A running rollout notices that it was taken over, and changes nothing more.

    Raises:
        ConfigError: there is nothing to go back to.
        Unhealthy: what served before is not ready.
        CloudError: the API failed; run it again.
    """
    services = {service.name: cloud.service(service.name) for service in config.services}
    present = {name: service for name, service in services.items() if service is not None}
    targets = _named_targets(cloud, present, to) if to else _previous_targets(present, say)
    leases = _leases(present, targets, Lease.new(by, "rollback", ""))
    for name, mine in leases.items():
        for revision in mine.before or {}:
            revisions.await_ready(cloud, name, revision, 0)
        _move_traffic(cloud, name, mine)
        say(f"{name}: {_text(mine.before or {})}, it was {_text(mine.was)}")
    by_name = {
        revision: cloud.revision(name, revision)
        for name, mine in leases.items()
        for revision in {**mine.was, **(mine.before or {})}
    }
    before, after = ({name: getattr(mine, which) for name, mine in leases.items()} for which in ("was", "before"))
    facts = {name: revisions.facts(revision) for name, revision in by_name.items()}
    [first, *_] = leases.values()
    Ledger(config.ledger).append(
        Entry(first.id, datetime.datetime.now(datetime.UTC), first.by, "rollback", before, after, facts, why)
    )
    for name, mine in leases.items():
        cloud.change(name, functools.partial(lease.leave, mine), lambda _: True)
    serving = [by_name[name] for shares in after.values() for name in shares]
    models = [revisions.models(revision) for revision in serving if revision]
    versions = {model: version for served in models for model, (_, version) in served.items()}
    registry.follow(config.registry, versions)


def _leases(present: Mapping[str, run_v2.Service], targets: Mapping[str, Lease], new: Lease) -> dict[str, Lease]:
    """The targets as leases of this process; an interrupted rollback that is continued keeps its id in the ledger."""
    if not targets:
        raise ConfigError("No service has anything to go back to. `status` lists what there is; say which with --to.")
    name = next((target.id for target in targets.values() if target.id and target.what == new.what), new.id)
    return {
        service: msgspec.structs.replace(
            new, id=name, before=target.before, tags=target.tags, was=target.was or traffic.split(present[service])
        )
        for service, target in targets.items()
    }


def _previous_targets(present: Mapping[str, run_v2.Service], say: Say) -> dict[str, Lease]:
    """What each service served before: from the lease of a running rollout, else from its tag."""
    targets: dict[str, Lease] = {}
    running = {name: holder for name, service in present.items() if (holder := lease.of(service)) is not None}
    image = next((holder.image for holder in running.values() if holder.image), "")
    for name, service in present.items():
        previous, serving = traffic.tags(service).get(PREVIOUS), traffic.main(traffic.split(service))
        if name in running:
            if running[name].before:
                targets[name] = running[name]
            else:
                say(f"{name}: it is rolled out for the first time, there is nothing to go back to")
        elif image and revisions.digest(image) not in (serving or ""):
            say(f"{name}: what is rolled out has not reached it")
        elif previous:
            targets[name] = _all_traffic(previous)
        else:
            say(f"{name}: back already")
    return targets


def _named_targets(cloud: CloudRun, present: Mapping[str, run_v2.Service], to: str) -> dict[str, Lease]:
    """The newest revision of each service with the one image that matches `to`."""
    by_service = {name: cloud.revisions(name) for name in present}
    images = {
        revisions.image_of(revision)
        for service_revisions in by_service.values()
        for revision in service_revisions
        if to in traffic.short(revision.name) or to in revisions.image_of(revision)
    }
    if len(images) != 1:
        means = f"means {len(images)} images: {', '.join(sorted(images))}" if images else "is in no revision or image"
        raise ConfigError(f"{to!r} {means}. `status` and `history` list what there was.")
    [image] = images
    targets = {}
    for name, service_revisions in by_service.items():
        matches = [candidate for candidate in service_revisions if revisions.image_of(candidate) == image]
        if not matches:
            raise ConfigError(f"{name} has no revision of {image}.")
        targets[name] = _all_traffic(traffic.short(matches[0].name))
    return targets


def _all_traffic(revision: str) -> Lease:
    """A target that gives all traffic to one revision."""
    return msgspec.structs.replace(Lease.new("", "", ""), id="", before={revision: 100}, tags={SERVING: revision})


def _move_traffic(cloud: CloudRun, name: str, mine: Lease) -> None:
    """Take over a service, whoever has its lease, and set its split."""
    shares = dict(mine.before or {})

    def edit(current: run_v2.Service) -> None:
        lease.write(current, mine)  # a running rollout finds this lease instead of its own, and stops
        traffic.put(current, shares, mine.tags)

    # other work of Cloud Run, such as the start of a new revision, is not waited for
    service = cloud.change(name, edit, lambda current: traffic.observed(current) == shares)
    if traffic.observed(service) != shares:
        raise CloudError(f"{name} serves {traffic.observed(service)} where {shares} was asked for. Run it again.")


def _text(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{revision} {percent} %" for revision, percent in shares.items())
