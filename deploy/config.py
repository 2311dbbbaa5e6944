"""`cloudrun.yaml`: every number and name of the services on Cloud Run."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from deploy.errors import ConfigError

Transport = Literal["http", "grpc", "page"]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z]([a-z0-9-]{0,35}[a-z0-9])?$")]
"""Short enough for the suffix of its revisions: Cloud Run allows names of 63 characters."""

_VERSION = "projects/[^/]+/secrets/[^/]+/versions/[1-9][0-9]*"
Secret = Annotated[str, msgspec.Meta(pattern=f"^{_VERSION}$")]
"""A version of a secret by its number: "latest" could change between two containers."""

SecretName = Annotated[str, msgspec.Meta(pattern="^(projects/[^/]+/secrets/[^/]+)?$")]
"""A secret whose newest version is meant, or none."""


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Cloud Run service, whose one port serves `transport`. A page is served at `/` and answers no golden rows."""

    name: Name
    transport: Transport


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A probe; a container may fail it for `failure_threshold` times `period_seconds`."""

    period_seconds: Positive
    timeout_seconds: Positive
    failure_threshold: Positive


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The collector beside the service in each of its containers, which sends its metrics to Cloud Monitoring.

    Attributes:
        sidecar: the image of Managed Service for Prometheus' collector for Cloud Run; none if empty.
        config: the secret with its settings, such as `deploy/cloud/metrics.yaml`; without one it sends all metrics.
        cpu, memory: its share, on top of the service's.
    """

    sidecar: str = "us-docker.pkg.dev/cloud-ops-agents-artifacts/cloud-run-gmp-sidecar/cloud-run-gmp-sidecar:1.2.0"
    config: Annotated[str, msgspec.Meta(pattern=f"^({_VERSION})?$")] = ""
    cpu: str = "500m"
    memory: str = "256Mi"


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The resources of a container, and how many containers there are.

    Attributes:
        cpu: as Cloud Run writes it, "1" or "1000m"; memory: "512Mi".
        concurrency: the most requests at a time in one container, before another is started.
        min_instances: how many containers the serving revision keeps without requests.
        cpu_idle: whether there is CPU only while a request is answered, which costs less.
        public: whether anybody may call it; otherwise only those with the role run.invoker.
        service_account: the account that the container runs as.
        environment: settings of the service.
        secrets: variables from Secret Manager, each `projects/…/secrets/…/versions/…`.
        startup_probe: limits how long a container takes to be ready.
        liveness_probe: limits how long it may hang until it is replaced.
        metrics: who collects the service's metrics.
        watch: the bucket of the watch store, whose verdicts the service shows; none if empty.
        keys: the secret with the file of keys of those who may ask, always its newest version; none if empty.
    """

    cpu: str = "1"
    memory: str = "512Mi"
    concurrency: Positive = 80
    min_instances: Annotated[int, msgspec.Meta(ge=0)] = 0
    max_instances: Positive = 10
    cpu_idle: bool = True
    startup_cpu_boost: bool = True
    timeout_seconds: Positive = 60
    public: bool = False
    service_account: str = ""
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, Secret] = {}
    startup_probe: Probe = Probe(period_seconds=1, timeout_seconds=1, failure_threshold=60)
    liveness_probe: Probe = Probe(period_seconds=10, timeout_seconds=5, failure_threshold=3)
    metrics: Metrics = Metrics()
    watch: str = ""
    keys: SecretName = ""


class Canary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a new revision gets its traffic.

    Attributes:
        steps: percentages in turn; the last is 100.
        requests: how many golden rows the new revision is asked at each step, and the old one for comparison.
        seconds: the least time that each step below 100 is watched; an identity token is valid for an hour.
        max_slowdown: the p95 of the new revision may be this multiple of the old one's, plus `slack_ms`.
        ready_seconds: how long a new revision may take to be ready.
        callers_seconds: how long each step below 100 waits for what callers met, which Cloud Monitoring has minutes
            later; 0 leaves the judgement to the golden rows.
        max_more_errors: the new revision's callers may meet errors more often than the old one's by this share.
    """

    steps: Annotated[Sequence[Percent], msgspec.Meta(min_length=1)] = (5, 25, 100)
    requests: Positive = 50
    seconds: Annotated[float, msgspec.Meta(ge=0, le=1_800)] = 60.0
    max_slowdown: Annotated[float, msgspec.Meta(ge=1)] = 1.5
    slack_ms: Annotated[float, msgspec.Meta(ge=0)] = 50.0
    ready_seconds: Positive = 300
    callers_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 240.0
    max_more_errors: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.005

    def __post_init__(self) -> None:
        if list(self.steps) != sorted(set(self.steps)) or self.steps[-1] != 100:
            raise ValueError("steps must grow, and end at 100")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file.

    Attributes:
        services: the services that get one image together; the lease of the first gives the rollout its id.
        ledger: a folder, or a bucket as `gs://…`, for the record of who moved traffic.
        registry: MLflow's tracking URI, in whose registry the alias `serving` follows the traffic; none if empty.
        caller: the service account that calls private services; none if empty.
    """

    project: str
    region: str
    services: Annotated[Sequence[Service], msgspec.Meta(min_length=1)]
    ledger: str
    registry: str = ""
    caller: str = ""
    run: Run = Run()
    canary: Canary = Canary()

    @property
    def parent(self) -> str:
        """The resource name of the services' location."""
        return f"projects/{self.project}/locations/{self.region}"

    def fingerprint(self, service: Service) -> str:
        """A short hash of the settings of a service's revision, without the image."""
        return hashlib.sha256(msgspec.json.encode([service, self.run], order="sorted")).hexdigest()[:6]


def read(path: Path, **overrides: str | None) -> Config:
    """Read the file; `overrides` (project, region) win over it where they are given. Raises ConfigError.

    PROJECT stands for the project in the names of ledger, accounts and secrets. A file that `extends` another one in
    its folder says only what differs: mappings are merged, anything else is replaced.
    """
    try:
        document = msgspec.yaml.decode(path.read_bytes())
        if base := document.pop("extends", None):
            document = merged(msgspec.yaml.decode(path.with_name(base).read_bytes()), document)
        document |= {name: value for name, value in overrides.items() if value}
        config = msgspec.convert(document, Config)
    except (OSError, msgspec.MsgspecError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error
    for name in ("project", "region"):
        if not getattr(config, name):
            raise ConfigError(f"{path} has no {name}. Write it there, or give --{name}.")
    names = [service.name for service in config.services]
    if len(set(names)) < len(names):
        raise ConfigError(f"{path} names a service twice: {', '.join(names)}.")
    return _named(config)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`: mappings are merged, anything else is replaced."""
    nested = {
        name: merged(base[name], value)
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(name), dict)
    }
    return {**base, **over, **nested}


def _named(config: Config) -> Config:
    def named(text: str) -> str:
        return text.replace("PROJECT", config.project)

    secrets = {variable: named(where) for variable, where in config.run.secrets.items()}
    metrics = msgspec.structs.replace(config.run.metrics, config=named(config.run.metrics.config))
    account = named(config.run.service_account)
    run = msgspec.structs.replace(
        config.run,
        service_account=account,
        secrets=secrets,
        metrics=metrics,
        watch=named(config.run.watch),
        keys=named(config.run.keys),
    )
    return msgspec.structs.replace(config, ledger=named(config.ledger), caller=named(config.caller), run=run)
