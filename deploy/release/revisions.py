"""Revisions: their templates, their names, and whether they are ready."""

import time
from collections.abc import Mapping

import msgspec
from google.cloud import run_v2

from deploy.config import Config, Probe, Run, Service, Transport
from deploy.errors import ConfigError, Unhealthy
from deploy.golden import Bento
from deploy.release.cloud_run import CloudRun

_BENTO, _MODELS = "boxwood.dev/bento", "boxwood.dev/models"
_PORT = 8080
_PORT_BESIDE = 8081
_CONFIG_FOLDER, _CONFIG_FILE = "/etc/rungmp", "config.yaml"
"""Where the collector of metrics looks for its settings."""
_WATCH_FOLDER = "/watch"
_KEYS_FOLDER, _KEYS_FILE = "/run/secrets/boxwood", "keys.json"
_READY = "Ready"
_PAUSE_SECONDS = 0.2
Facts = Mapping[str, str]
"""A revision's image, bento and models (name:version, comma-separated)."""


def name(cloud: CloudRun, config: Config, service: Service, image: str) -> str:
    """The name of the revision of an image: always the same, until that revision failed to start."""
    if not digest(image):
        raise ConfigError(f"{image} does not say which image it is for ever. Give it as …@sha256:….")
    first = f"{service.name}-{digest(image)}-{config.fingerprint(service)}"
    for attempt in range(1, 100):
        revision_name = first if attempt == 1 else f"{first}-{attempt}"
        revision = cloud.revision(service.name, revision_name)
        if revision is None or _state(revision) != run_v2.Condition.State.CONDITION_FAILED:
            return revision_name
    raise ConfigError(f"{image} was tried 99 times on {service.name}. Build another.")


def digest(image: str) -> str:
    """The part of an image's digest that its revisions have in their names; empty if the image has no digest."""
    return image.partition("@sha256:")[2][:12]


def template(config: Config, service: Service, called: str, image: str, bento: Bento) -> run_v2.RevisionTemplate:
    """The template of the revision `called` so: the service's container first, the collector of its metrics second.

    The service does not depend on the collector, so a start waits for nothing new.
    """
    run = config.run
    collected = bool(run.metrics.sidecar) and service.transport != "page"
    models = {model.model: [model.version, model.registry_version] for model in bento.answering}
    return run_v2.RevisionTemplate(
        revision=called,
        containers=[_container(run, service, image), *([_collector(run)] if collected else ())],
        volumes=[
            *([_settings(run.metrics.config)] if collected and run.metrics.config else ()),
            *([_bucket(run.watch)] if run.watch else ()),
            *([_keys(run.keys)] if _wants_keys(run, service) else ()),
        ],
        annotations={_BENTO: bento.tag, _MODELS: msgspec.json.encode(models).decode()},
        scaling=run_v2.RevisionScaling(max_instance_count=run.max_instances),
        max_instance_request_concurrency=run.concurrency,
        timeout={"seconds": run.timeout_seconds},
        service_account=run.service_account,
    )


def _container(run: Run, service: Service, image: str) -> run_v2.Container:
    """The service's container, the one with a port."""
    port = _port(service.transport)
    environment = dict(run.environment)
    if service.transport != "page":
        environment = {"BOXWOOD_TRANSPORT": service.transport, "BOXWOOD_IMAGE": image} | environment
    if service.transport == "grpc":
        environment = {"BOXWOOD_HTTP_PORT": str(_PORT)} | environment
    if run.watch:
        environment = {"BOXWOOD_WATCH": _WATCH_FOLDER} | environment
    mounts = {"watch": _WATCH_FOLDER} if run.watch else {}
    if _wants_keys(run, service):  # the collector of metrics has none
        mounts["keys"] = _KEYS_FOLDER
        keys = {"BOXWOOD_API_KEYS": f"{_KEYS_FOLDER}/{_KEYS_FILE}", "BOXWOOD_OPEN_ROUTES": "metrics"}
        environment = keys | environment
    return run_v2.Container(
        name="service",
        image=image,
        volume_mounts=[run_v2.VolumeMount(name=name, mount_path=path) for name, path in mounts.items()],
        ports=[run_v2.ContainerPort(name="h2c" if service.transport == "grpc" else "http1", container_port=port)],
        env=[
            *(run_v2.EnvVar(name=variable, value=value) for variable, value in environment.items()),
            *(_secret(variable, where) for variable, where in run.secrets.items()),
        ],
        resources=run_v2.ResourceRequirements(
            limits={"cpu": run.cpu, "memory": run.memory},
            cpu_idle=run.cpu_idle,
            startup_cpu_boost=run.startup_cpu_boost,
        ),
        startup_probe=_probe(run.startup_probe, service.transport, "/readyz"),
        liveness_probe=_probe(run.liveness_probe, service.transport, "/livez"),
    )


def _port(transport: Transport) -> int:
    """Where Cloud Run sends requests. /metrics is at 8080 either way, where the collector looks by itself."""
    return _PORT_BESIDE if transport == "grpc" else _PORT


def _collector(run: Run) -> run_v2.Container:
    """Managed Service for Prometheus' sidecar."""
    mounts = [run_v2.VolumeMount(name="metrics-config", mount_path=_CONFIG_FOLDER)] if run.metrics.config else []
    limits = {"cpu": run.metrics.cpu, "memory": run.metrics.memory}
    return run_v2.Container(
        name="metrics",
        image=run.metrics.sidecar,
        volume_mounts=mounts,
        resources=run_v2.ResourceRequirements(limits=limits, cpu_idle=run.cpu_idle),
    )


def _bucket(name: str) -> run_v2.Volume:
    """The watch store, to be read."""
    return run_v2.Volume(name="watch", gcs=run_v2.GCSVolumeSource(bucket=name, read_only=True))


def _wants_keys(run: Run, service: Service) -> bool:
    return bool(run.keys) and service.transport != "page"


def _keys(secret: str) -> run_v2.Volume:
    """The file of keys, in its newest version whenever it is read."""
    items = [run_v2.VersionToPath(version="latest", path=_KEYS_FILE)]
    return run_v2.Volume(name="keys", secret=run_v2.SecretVolumeSource(secret=secret, items=items))


def _settings(secret: str) -> run_v2.Volume:
    """The collector's settings, as a file."""
    name, _, version = secret.partition("/versions/")
    items = [run_v2.VersionToPath(version=version, path=_CONFIG_FILE)]
    return run_v2.Volume(name="metrics-config", secret=run_v2.SecretVolumeSource(secret=name, items=items))


def _probe(probe: Probe, transport: Transport, path: str) -> run_v2.Probe:
    """The probe on the one port; `path` is where HTTP answers it."""
    action = (
        {"grpc": run_v2.GRPCAction(port=_port(transport))}
        if transport == "grpc"
        else {"http_get": run_v2.HTTPGetAction(path="/" if transport == "page" else path, port=_port(transport))}
    )
    return run_v2.Probe(
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
        **action,
    )


def _secret(variable: str, where: str) -> run_v2.EnvVar:
    secret, _, version = where.partition("/versions/")
    selector = run_v2.SecretKeySelector(secret=secret, version=version)
    return run_v2.EnvVar(name=variable, value_source=run_v2.EnvVarSource(secret_key_ref=selector))


def await_ready(cloud: CloudRun, service: str, called: str, seconds: float) -> None:
    """Wait until a revision is ready; raises Unhealthy if it fails or takes longer than `seconds`."""
    end = time.monotonic() + seconds
    while True:
        revision = cloud.revision(service, called)
        state = None if revision is None else _state(revision)
        if state == run_v2.Condition.State.CONDITION_SUCCEEDED:
            return
        if revision is not None and state == run_v2.Condition.State.CONDITION_FAILED:
            raise Unhealthy(f"{called} does not start: {_reason(revision)}")
        if time.monotonic() > end:
            raise Unhealthy(f"{called} was not ready after {seconds:.0f} s.")
        time.sleep(_PAUSE_SECONDS)


def facts(revision: run_v2.Revision | None) -> Facts:
    """The facts of a revision, for the ledger and for people; none of None."""
    if revision is None:
        return {}
    versions = models(revision)
    return {
        "image": image_of(revision),
        "bento": revision.annotations.get(_BENTO, ""),
        "models": ",".join(f"{model}:{version}" for model, (version, _) in versions.items()),
    }


def image_of(revision: run_v2.Revision) -> str:
    """The image of a revision's service; others may run beside it."""
    images: list[str] = [container.image for container in revision.containers if container.ports]
    images += [container.image for container in revision.containers]
    return next(iter(images), "")


def models(revision: run_v2.Revision) -> Mapping[str, tuple[str, str]]:
    """Model and registry versions by model."""
    return msgspec.json.decode(revision.annotations.get(_MODELS, "{}"), type=dict[str, tuple[str, str]])


def _ready(revision: run_v2.Revision) -> run_v2.Condition | None:
    return next((condition for condition in revision.conditions if condition.type_ == _READY), None)


def _state(revision: run_v2.Revision) -> run_v2.Condition.State | None:
    condition = _ready(revision)
    return None if condition is None else condition.state


def _reason(revision: run_v2.Revision) -> str:
    condition = _ready(revision)
    return condition.message if condition is not None and condition.message else "Cloud Run does not say why."
