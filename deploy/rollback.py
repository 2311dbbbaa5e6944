"""All traffic goes back to where it was, at once: of a rollout that is running, or of one that is done."""

import datetime
import functools
from collections.abc import Callable, Mapping

import msgspec
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
    leases = _leases(cloud, present, to, Lease.new(by, "rollback", ""))
    for name, mine in leases.items():
        for revision in mine.before or {}:
            revisions.await_ready(cloud, name, revision, 0)
        _give(cloud, name, mine)
        say(f"{name}: {_text(mine.before or {})}, it was {_text(mine.was)}")
    known = {
        revision: cloud.revision(name, revision)
        for name, mine in leases.items()
        for revision in {**mine.was, **(mine.before or {})}
    }
    before, after = ({name: getattr(mine, which) for name, mine in leases.items()} for which in ("was", "before"))
    facts = {revision: revisions.facts(one) for revision, one in known.items()}
    [first, *_] = leases.values()
    Ledger(config.ledger).append(
        Entry(first.id, datetime.datetime.now(datetime.UTC), first.by, "rollback", before, after, facts, why)
    )
    serving = [known[revision] for shares in after.values() for revision in shares]
    registry.follow(
        config.registry, {model: one for made in serving if made for model, (_, one) in revisions.models(made).items()}
    )
    for name, mine in leases.items():
        cloud.change(name, functools.partial(lease.leave, mine), lambda _: True)


def _leases(cloud: CloudRun, present: Mapping[str, run_v2.Service], to: str, new: Lease) -> dict[str, Lease]:
    """What is to be done with each service: its way back, or that of a rollback that was cut off."""
    others = {name: lease.of(service) for name, service in present.items()}
    cut_off = {name: other for name, other in others.items() if other and other.what == new.what and not to}
    new = msgspec.structs.replace(new, id=next((other.id for other in cut_off.values()), new.id))
    leases = {name: msgspec.structs.replace(other, token=new.token) for name, other in cut_off.items()}
    for name, service in present.items():
        if name not in leases and (target := _target(cloud, service, to)):
            leases[name] = msgspec.structs.replace(new, before=target, was=traffic.split(service))
    if not leases:
        raise ConfigError("No service has anything to go back to. `status` lists what there is; say which with --to.")
    return leases


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


def _give(cloud: CloudRun, name: str, mine: Lease) -> None:
    """Take a service, from whomever has it, and set its split."""
    shares = dict(mine.before or {})

    def edit(found: run_v2.Service) -> None:
        lease.write(found, mine)  # whoever had it finds another's, and stops
        stable = traffic.main(shares)
        traffic.put(found, shares, {SERVING: stable} if stable else {})

    # what else Cloud Run is at, such as the start of a new revision, is not waited for
    service = cloud.change(name, edit, lambda found: traffic.observed(found) == shares)
    if traffic.observed(service) != shares:
        raise CloudError(f"{name} serves {traffic.observed(service)} where {shares} was asked for. Run it again.")


def _text(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{revision} {percent} %" for revision, percent in shares.items())
