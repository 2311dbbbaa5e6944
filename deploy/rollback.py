"""All traffic goes back to where it was, at once: of a rollout that is running, or of one that is done."""

import datetime
from collections.abc import Callable, Mapping

from google.cloud import run_v2

from deploy import lease, registry, revisions, traffic
from deploy.cloud_run import CloudRun
from deploy.config import Config
from deploy.errors import CloudError, ConfigError
from deploy.lease import Lease
from deploy.ledger import Entry, Ledger
from deploy.traffic import PREVIOUS, SERVING

Say = Callable[[str], None]


def rollback(config: Config, cloud: CloudRun, to: str, by: str, why: str, say: Say) -> None:
    """Give all traffic to what `to` names (a revision, an image, or a part of either), or to what served before.

    A rollout that is running finds itself overtaken and changes nothing more.

    Raises:
        ConfigError: there is nothing to go back to.
        Unhealthy: what served before is not ready.
        CloudError: the API failed; run it again.
    """
    found = {service.name: cloud.service(service.name) for service in config.services}
    present = {name: service for name, service in found.items() if service is not None}
    targets = {name: _target(cloud, service, to) for name, service in present.items()}
    if not any(target for target in targets.values()):
        raise ConfigError("No service has anything to go back to. `status` lists what there is; say which with --to.")
    mine = Lease.new(by, "rollback", "")
    before, after = {}, {}
    for name, service in present.items():
        shares = targets[name]
        if not shares:
            say(f"{name}: back already")
            continue
        for revision in shares:
            revisions.await_ready(cloud, name, revision, 0)
        before[name], after[name] = traffic.split(service), shares
        _give(cloud, name, shares)
        say(f"{name}: {_text(shares)}, it was {_text(before[name])}")
    known = {revision: cloud.revision(name, revision) for name in after for revision in {**before[name], **after[name]}}
    facts = {revision: revisions.facts(one) for revision, one in known.items()}
    Ledger(config.ledger).append(
        Entry(mine.id, datetime.datetime.now(datetime.UTC), by, "rollback", before, after, facts, why)
    )
    serving = [one for revision, one in known.items() if one and any(revision in shares for shares in after.values())]
    versions = {model: version for one in serving for model, (_, version) in revisions.models(one).items()}
    registry.follow(config.registry, versions)


def _target(cloud: CloudRun, service: run_v2.Service, to: str) -> Mapping[str, int]:
    """The split to go back to; empty if there is none, or it is there."""
    name, running = traffic.short(service.name), lease.of(service)
    if to:
        for revision in cloud.revisions(name):
            if to in traffic.short(revision.name) or any(to in container.image for container in revision.containers):
                return {traffic.short(revision.name): 100}
        raise ConfigError(f"{name} has no revision with {to!r} in its name or its image.")
    if running is not None:
        if not running.before:
            raise ConfigError(f"{name} is being rolled out for the first time: there is nothing to go back to.")
        return running.before
    previous = traffic.tags(service).get(PREVIOUS)
    return {previous: 100} if previous else {}


def _give(cloud: CloudRun, name: str, shares: Mapping[str, int]) -> None:
    def edit(found: run_v2.Service) -> None:
        lease.remove(found)  # whoever had it finds it gone, and stops
        stable = traffic.main(shares)
        traffic.put(found, shares, {SERVING: stable} if stable else {})

    # what else Cloud Run is at, such as the start of a new revision, is not waited for
    service = cloud.change(name, edit, lambda found: traffic.observed(found) == shares)
    if traffic.observed(service) != shares:
        raise CloudError(f"{name} serves {traffic.observed(service)} where {dict(shares)} was asked for. Run it again.")


def _text(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{revision} {percent} %" for revision, percent in shares.items())
