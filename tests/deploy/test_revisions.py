"""What a revision is made of: the service, the collector of its metrics, their files."""

import msgspec
import pytest
import yaml
from google.cloud import run_v2

from deploy import config
from deploy.config import Metrics, Run, Service
from deploy.golden import Bento
from deploy.release import revisions
from tests.project import ROOT


def _template(service: Service, run: Run) -> run_v2.RevisionTemplate:
    shipped = config.read(ROOT / "deploy/cloudrun.yaml", project="p")
    return revisions.template(msgspec.structs.replace(shipped, run=run), service, "a-1", "image@sha256:1", Bento())


@pytest.mark.parametrize(("transport", "port"), [("http", 8080), ("grpc", 8081)])
def test_a_collector_stands_beside_a_service_which_waits_for_nothing(transport: config.Transport, port: int) -> None:
    run = Run(metrics=Metrics(config="projects/p/secrets/boxwood-metrics/versions/2"))
    made = _template(Service("a", transport), run)
    service, collector = made.containers
    assert service.ports[0].container_port == port
    assert not service.depends_on
    assert not collector.ports
    assert collector.resources.limits == {"cpu": "500m", "memory": "256Mi"}
    [volume], [mount] = made.volumes, collector.volume_mounts
    assert (mount.name, mount.mount_path) == (volume.name, "/etc/rungmp")
    assert (volume.secret.secret, volume.secret.items[0].version) == ("projects/p/secrets/boxwood-metrics", "2")
    http = {variable.name: variable.value for variable in service.env}.get("BOXWOOD_HTTP_PORT", str(port))
    assert http == str(_scraped()["port"]), "the collector looks where /metrics is"


def _scraped() -> dict[str, object]:
    found = yaml.safe_load((ROOT / "deploy/cloud/metrics.yaml").read_text())
    [endpoint] = found["spec"]["endpoints"]
    assert isinstance(endpoint, dict)
    return endpoint


def test_without_a_collector_and_for_a_page_there_is_one_container() -> None:
    assert len(_template(Service("a", "http"), Run(metrics=Metrics(sidecar=""))).containers) == 1
    assert len(_template(Service("a", "page"), Run()).containers) == 1


def test_the_keys_are_mounted_in_their_newest_version_and_the_collector_needs_none() -> None:
    made = _template(Service("a", "http"), Run(keys="projects/p/secrets/boxwood-keys"))
    [volume], service = made.volumes, made.containers[0]
    [mount] = service.volume_mounts
    assert (volume.name, volume.secret.secret) == (mount.name, "projects/p/secrets/boxwood-keys")
    [item] = volume.secret.items
    environment = {variable.name: variable.value for variable in service.env}
    assert environment["BOXWOOD_API_KEYS"] == f"{mount.mount_path}/{item.path}"
    assert (item.version, environment["BOXWOOD_OPEN_ROUTES"]) == ("latest", "metrics")
    assert not _template(Service("a", "page"), Run(keys="projects/p/secrets/boxwood-keys")).volumes


def test_the_watch_store_is_mounted_to_be_read() -> None:
    made = _template(Service("a", "http"), Run(watch="p-boxwood-watch"))
    [volume] = made.volumes
    [mount] = made.containers[0].volume_mounts
    assert (volume.gcs.bucket, volume.gcs.read_only) == ("p-boxwood-watch", True)
    assert {"BOXWOOD_WATCH": mount.mount_path}.items() <= {
        one.name: one.value for one in made.containers[0].env
    }.items()


def test_the_image_of_a_revision_is_its_services() -> None:
    beside, service = run_v2.Container(image="collector"), run_v2.Container(image="boxwood", ports=[{}])
    assert revisions.image_of(run_v2.Revision(containers=[beside, service])) == "boxwood"
    assert revisions.image_of(run_v2.Revision(containers=[run_v2.Container(image="boxwood")])) == "boxwood"
    assert not revisions.image_of(run_v2.Revision())
