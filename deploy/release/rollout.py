"""A new image gets the traffic step by step, or none of it.

New revisions of all services are created without traffic, and checked with the golden rows under their own URLs. Then
they get 5, 25 and 100 % (the file's `steps`), and are compared to the old revisions at each step: by the golden rows,
and by what callers met where that arrives in time. Any failure restores the split from before. Every step can be
repeated, so an interrupted rollout is finished by running it again.
"""

import contextlib
import datetime
import functools
from collections.abc import Callable, Mapping

import msgspec
from google.cloud import run_v2

from deploy.config import Config, Service
from deploy.errors import CloudError, ConfigError, DeployError, Fenced
from deploy.golden import Bento
from deploy.release import lease, registry, revisions, traffic
from deploy.release.cloud_run import CloudRun
from deploy.release.lease import Lease
from deploy.release.ledger import Entry, Ledger
from deploy.release.proof import Proof
from deploy.release.traffic import CANDIDATE, PREVIOUS, SERVING

Say = Callable[[str], None]


class Rollout:
    """The rollout of one image to all services."""

    def __init__(self, config: Config, cloud: CloudRun, image: str, bento: Bento, by: str, say: Say) -> None:
        """Prepare it; `by` is who does it, `say` hears what happens. Raises ConfigError and CloudError."""
        self._config = config
        self._cloud = cloud
        self._image = image
        self._bento = bento
        self._say = say
        self._ledger = Ledger(config.ledger)
        self._names = {service.name: revisions.name(cloud, config, service, image) for service in config.services}
        self._proof = Proof(config, cloud, bento, say)
        canary = config.canary
        waits = canary.seconds + canary.ready_seconds + canary.callers_seconds * len(config.services)
        new = Lease.new(by, "rollout", image, waits)
        self._leases = {service.name: new for service in config.services}

    def plan(self) -> list[str]:
        """The steps, a sentence each; changes nothing."""
        if self._done():
            return [f"{self._image} has all traffic already: nothing to do."]
        steps = []
        for name, revision in self._names.items():
            service = self._cloud.service(name)
            split = traffic.split(service) if service is not None else {}
            exists = self._cloud.revision(name, revision) is not None
            steps.append(
                f"{name}: {'go on with' if exists else 'make'} {revision} without traffic; now {split or 'nothing'}"
            )
        models = ", ".join(model.model for model in self._bento.models)
        steps.append(f"ask the golden rows of {models} of each" if models else "see that each shows itself")
        steps += [
            f"give it {percent} % everywhere and watch it beside the old one" for percent in self._config.canary.steps
        ]
        return [*steps, "write down what was done, let the registry's alias follow"]

    def run(self) -> None:
        """Roll out; raises DeployError, after restoring the old split if that is possible."""
        if self._done():
            self._say(f"{self._image} has all traffic already: nothing to do.")
        else:
            self._take_all()
            try:
                self._move()
            except Fenced:
                raise
            except (DeployError, KeyboardInterrupt) as error:
                reason = str(error) or "Interrupted."
                self._abort(reason)
                raise type(error)(f"{reason} The split from before is restored.") from error
            except Exception as error:
                self._abort(repr(error))
                raise
            self._finish()
        registry.follow(
            self._config.registry, {golden.model: golden.registry_version for golden in self._bento.answering}
        )

    def _done(self) -> bool:
        """Whether the image has all traffic, and no rollout is running."""
        for name, revision in self._names.items():
            service = self._cloud.settled(name)
            if service is None or lease.of(service) or traffic.split(service) != {revision: 100}:
                return False
            if traffic.tags(service).get(SERVING) != revision:
                return False
        return True

    def _take_all(self) -> None:
        """Take the leases of all services, or of none."""
        try:
            for service in self._config.services:
                self._take(service)
        except (DeployError, KeyboardInterrupt):
            for name, mine in self._leases.items():
                with contextlib.suppress(DeployError):
                    self._cloud.change(name, functools.partial(lease.leave_if_mine, mine))
            raise
        first = self._leases[self._config.services[0].name]
        for name, mine in self._leases.items():  # one id for all, so that the ledger has one rollout
            self._leases[name] = msgspec.structs.replace(mine, id=first.id)

    def _take(self, service: Service) -> None:
        """Take the lease of a service, with the split to go back to."""

        def edit(current: run_v2.Service) -> None:
            lease.demand_free(current, self._leases[service.name])
            self._leases[service.name] = self._way_back(current, self._leases[service.name])
            lease.write(current, self._leases[service.name])

        if self._cloud.service(service.name) is not None:
            self._cloud.change(service.name, edit)

    def _way_back(self, service: run_v2.Service, mine: Lease) -> Lease:
        holder, before, tags = lease.of(service), traffic.split(service), traffic.tags(service)
        # After another's unfinished rollout, the split to go back to is still that rollout's. A revision that has all
        # traffic was checked before it got it, and so is one to go back to.
        if holder is not None and (mine.same(holder) or holder.before is None or len(before) > 1):
            return mine.continuing(holder)
        if not before:
            raise ConfigError(
                f"{traffic.short(service.name)} is there and serves nothing. Delete it, or let it serve first."
            )
        revision = self._names[traffic.short(service.name)]
        if before == {revision: 100} and PREVIOUS in tags:  # the rollout finished this service, but not all others
            before, tags = {tags[PREVIOUS]: 100}, {SERVING: tags[PREVIOUS]}
        return msgspec.structs.replace(mine, before=before, tags=traffic.ours(tags))

    def _move(self) -> None:
        for service in self._config.services:
            self._create(service)
        for service in self._config.services:
            self._proof.alone(service, self._names[service.name])
        reached = min(self._share(name) for name in self._names)
        for percent in self._config.canary.steps:
            if percent >= reached:
                self._shift(percent)
                self._watch(percent)

    def _create(self, service: Service) -> None:
        """Create the revision without traffic; in a new service it gets all."""
        name, revision = service.name, self._names[service.name]
        exists = self._cloud.revision(name, revision) is not None
        mine = self._leases[name]

        def edit(current: run_v2.Service) -> None:
            if current.name:
                lease.demand_mine(current, mine)
            if not exists:
                current.template = revisions.template(self._config, service, revision, self._image, self._bento)
            if not current.name:
                self._apply_service_settings(current)
            shares = traffic.split(current)
            if revision not in shares:
                shares = dict(mine.before or {revision: 100})
            traffic.put(current, shares, self._tags(name))
            lease.write(current, mine)

        self._cloud.change(name, edit)
        revisions.await_ready(self._cloud, name, revision, self._config.canary.ready_seconds)
        self._say(f"{name}: {revision} is ready")

    def _apply_service_settings(self, service: run_v2.Service) -> None:
        """Settings of the service as a whole, to be changed when the old revision no longer serves."""
        service.invoker_iam_disabled = self._config.run.public
        service.scaling.min_instance_count = self._config.run.min_instances

    def _tags(self, name: str) -> dict[str, str]:
        stable = traffic.main(self._leases[name].before or {})
        return {CANDIDATE: self._names[name], **({SERVING: stable} if stable else {})}

    def _share(self, name: str) -> int:
        service = self._cloud.service(name)
        return 0 if service is None else traffic.split(service).get(self._names[name], 0)

    def _shift(self, percent: int) -> None:
        """Give the new revisions their share of every service, and record it in the ledger."""
        before, after = {}, {}
        for name, revision in self._names.items():
            service = self._cloud.settled(name)
            before[name] = {} if service is None else traffic.split(service)
            after[name] = traffic.beside(revision, percent, self._leases[name].before or {})
            self._put(name, after[name], self._tags(name))
        self._write(f"{percent:03d}", "rollout", before, after)
        self._say(f"{percent} %")

    def _put(self, name: str, shares: Mapping[str, int], tags: Mapping[str, str]) -> None:
        """Set a split, and check that Cloud Run serves it."""

        def edit(current: run_v2.Service) -> None:
            lease.demand_mine(current, self._leases[name])
            traffic.put(current, shares, tags)
            lease.write(current, self._leases[name])

        service = self._cloud.change(name, edit)
        if traffic.observed(service) != shares:
            raise CloudError(f"{name} serves {traffic.observed(service)} where {dict(shares)} was asked for.")

    def _watch(self, percent: int) -> None:
        old = {name: traffic.main(mine.before or {}) for name, mine in self._leases.items()}
        self._proof.beside(percent, self._names, old)

    def _abort(self, why: str) -> None:
        """Restore the split from before, and release the leases."""
        self._say(f"going back: {why}")
        before, after = {}, {}
        try:
            for name, mine in self._leases.items():
                service = self._cloud.settled(name)
                if service is not None:
                    before[name], after[name] = traffic.split(service), mine.before or {}
                    self._restore(name, mine)
            self._write("abort", "abort", before, after, why)
            for name, mine in self._leases.items():
                if mine.before is not None:
                    self._cloud.change(name, functools.partial(lease.leave, mine))
        except CloudError as error:
            raise CloudError(
                f"{why} Going back failed too: {error} Run the same rollout again, or `rollback`."
            ) from error

    def _restore(self, name: str, mine: Lease) -> None:
        if mine.before is not None:
            self._put(name, mine.before, mine.tags)
        elif (service := self._cloud.settled(name)) is not None:  # the service is new: delete it
            lease.demand_mine(service, mine)
            self._cloud.delete(name)

    def _finish(self) -> None:
        """Tag the serving and the previous revision, and release the leases."""
        for name, revision in self._names.items():
            mine = self._leases[name]
            old = traffic.main({other: share for other, share in (mine.before or {}).items() if other != revision})
            tags = {SERVING: revision, **({PREVIOUS: old} if old else {})}

            def edit(current: run_v2.Service, mine: Lease = mine, tags: Mapping[str, str] = tags) -> None:
                if lease.of(current) is None and traffic.tags(current) == tags:
                    return  # this change was applied, but its response was lost
                lease.leave(mine, current)
                self._apply_service_settings(current)
                traffic.put(current, {tags[SERVING]: 100}, tags)

            self._cloud.change(name, edit)
        self._say(f"{self._image} has all traffic")

    def _write(
        self,
        step: str,
        what: str,
        before: Mapping[str, Mapping[str, int]],
        after: Mapping[str, Mapping[str, int]],
        why: str = "",
    ) -> None:
        mine = next(iter(self._leases.values()))
        facts = {
            revision: revisions.facts(self._cloud.revision(service, revision))
            for split in (before, after)
            for service, shares in split.items()
            for revision in shares
        }
        self._ledger.append(
            Entry(
                f"{mine.id}-{mine.token[:6]}-{step}",
                datetime.datetime.now(datetime.UTC),
                mine.by,
                what,
                before,
                after,
                facts,
                why,
            )
        )
