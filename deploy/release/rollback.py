"""All traffic goes back to where it was, at once: of a rollout that is running, or of one that is done."""

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

    A rollout that is running finds itself overtaken and changes nothing more.

    Raises:
        ConfigError: there is nothing to go back to.
        Unhealthy: what served before is not ready.
        CloudError: the API failed; run it again.
    """
    found = {service.name: cloud.service(service.name) for service in config.services}
    present = {name: service for name, service in found.items() if service is not None}
    targets = _to(cloud, present, to) if to else _back(present, say)
    leases = _leases(present, targets, Lease.new(by, "rollback", ""))
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
    for name, mine in leases.items():
        cloud.change(name, functools.partial(lease.leave, mine), lambda _: True)
    serving = [known[revision] for shares in after.values() for revision in shares]
    registry.follow(
        config.registry, {model: one for made in serving if made for model, (_, one) in revisions.models(made).items()}
    )


def _leases(present: Mapping[str, run_v2.Service], targets: Mapping[str, Lease], new: Lease) -> dict[str, Lease]:
    """The targets as leases of this process; those of a rollback that was cut off keep its name in the ledger."""
    if not targets:
        raise ConfigError("No service has anything to go back to. `status` lists what there is; say which with --to.")
    name = next((target.id for target in targets.values() if target.id and target.what == new.what), new.id)
    return {
        service: msgspec.structs.replace(
            new, id=name, before=target.before, tags=target.tags, was=target.was or traffic.split(present[service])
        )
        for service, target in targets.items()
    }


def _back(present: Mapping[str, run_v2.Service], say: Say) -> dict[str, Lease]:
    """What each service served before: by the lease of whoever is at work, else by its tag."""
    found: dict[str, Lease] = {}
    running = {name: other for name, service in present.items() if (other := lease.of(service)) is not None}
    image = next((other.image for other in running.values() if other.image), "")
    for name, service in present.items():
        previous, serving = traffic.tags(service).get(PREVIOUS), traffic.main(traffic.split(service))
        if name in running:
            if running[name].before:
                found[name] = running[name]
            else:
                say(f"{name}: it is rolled out for the first time, there is nothing to go back to")
        elif image and revisions.digest(image) not in (serving or ""):
            say(f"{name}: what is rolled out has not reached it")
        elif previous:
            found[name] = _whole(previous)
        else:
            say(f"{name}: back already")
    return found


def _to(cloud: CloudRun, present: Mapping[str, run_v2.Service], to: str) -> dict[str, Lease]:
    """In each service the newest revision of the one image that `to` means."""
    known = {name: cloud.revisions(name) for name in present}
    images = {
        container.image
        for made in known.values()
        for revision in made
        for container in revision.containers
        if to in traffic.short(revision.name) or to in container.image
    }
    if len(images) != 1:
        means = f"means {len(images)} images: {', '.join(sorted(images))}" if images else "is in no revision or image"
        raise ConfigError(f"{to!r} {means}. `status` and `history` list what there was.")
    [image] = images
    found = {}
    for name, made in known.items():
        of_it = [one for one in made if any(container.image == image for container in one.containers)]
        if not of_it:
            raise ConfigError(f"{name} has no revision of {image}.")
        found[name] = _whole(traffic.short(of_it[0].name))
    return found


def _whole(revision: str) -> Lease:
    """All traffic for one revision."""
    return msgspec.structs.replace(Lease.new("", "", ""), id="", before={revision: 100}, tags={SERVING: revision})


def _give(cloud: CloudRun, name: str, mine: Lease) -> None:
    """Take a service, from whomever has it, and set its split."""
    shares = dict(mine.before or {})

    def edit(found: run_v2.Service) -> None:
        lease.write(found, mine)  # whoever had it finds another's, and stops
        traffic.put(found, shares, mine.tags)

    # what else Cloud Run is at, such as the start of a new revision, is not waited for
    service = cloud.change(name, edit, lambda found: traffic.observed(found) == shares)
    if traffic.observed(service) != shares:
        raise CloudError(f"{name} serves {traffic.observed(service)} where {shares} was asked for. Run it again.")


def _text(shares: Mapping[str, int]) -> str:
    return ", ".join(f"{revision} {percent} %" for revision, percent in shares.items())
