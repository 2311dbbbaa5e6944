"""Whether new revisions may get more traffic: the golden rows' answers, and what callers met."""

from collections.abc import Callable, Mapping

from deploy import asking, probes
from deploy.cloud.callers import Callers
from deploy.config import Config, Service
from deploy.errors import CloudError
from deploy.golden import Bento
from deploy.release import traffic
from deploy.release.cloud_run import CloudRun
from deploy.release.traffic import CANDIDATE, SERVING


class Proof:
    """What one rollout asks of its revisions. Its methods raise Unhealthy and CloudError."""

    def __init__(self, config: Config, cloud: CloudRun, bento: Bento, say: Callable[[str], None]) -> None:
        """`bento` has the golden rows, `say` hears what they came to."""
        self._config = config
        self._cloud = cloud
        self._bento = bento
        self._say = say
        self._callers = Callers(config)

    def alone(self, service: Service, revision: str) -> None:
        """Before it gets traffic: all golden rows, at an address of its own."""
        models = self._bento.models
        with self._api(service, CANDIDATE) as candidate:
            probes.prove(candidate, models, revision)
        self._callers.asked(revision, 2 * len(models) or 1)
        self._say(f"{service.name}: {revision} answers as it must")

    def beside(self, percent: int, new: Mapping[str, str], old: Mapping[str, str | None]) -> None:
        """While it gets `percent` of the traffic: single golden rows, and below 100 what callers met.

        `new` and `old` are revisions by service; a service that is new has no old one.
        """
        canary = self._config.canary
        seconds = canary.seconds / len(self._config.services) if percent < 100 else 0
        self._callers.begin()
        until = {}
        for service in self._config.services:
            before = old[service.name]
            with self._api(service, CANDIDATE) as candidate, self._api(service, SERVING) as stable:
                baseline = stable if before is not None else None
                result = probes.compare(candidate, baseline, self._bento.models, canary, seconds)
            for revision in filter(None, (new[service.name], before)):
                self._callers.asked(revision, canary.requests)
            until[service.name] = result.until
            self._say(f"{service.name} at {percent} %: {result.sentence}")
        for service in self._config.services if percent < 100 and canary.callers_seconds else ():
            if (before := old[service.name]) is not None:
                sentence = self._callers.judge(service.name, new[service.name], before, until[service.name])
                self._say(f"{service.name} at {percent} %: {sentence}")

    def _api(self, service: Service, tag: str) -> asking.Api:
        settled = self._cloud.settled(service.name)
        if settled is None:
            raise CloudError(f"{service.name} was deleted.")
        return asking.api(service.transport, traffic.uri(settled, tag), asking.token(self._config.caller, settled.uri))
