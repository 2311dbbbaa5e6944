"""The manifests for Kubernetes: what their schemas, the service, the image and each other say of them."""

import copy
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from deploy import config
from serving.lifecycle import GRACE_SECONDS
from serving.settings import Settings
from tests.deploy import kustomized
from tests.deploy.kustomized import FOLDER, containers, one, pod, resources
from tests.deploy.pods import OF_IMAGE
from tests.deploy.test_stack import metrics
from tests.project import ROOT

APPLIED = ("plain", "monitored", "kserve")
VERSIONS = ("1.30", "1.37")
"""The first one whose pods may sleep before they stop, and the latest one."""
SCHEMAS = {
    json.loads(path.read_text())["properties"]["kind"]["const"]: json.loads(path.read_text())
    for path in sorted((ROOT / "tests/deploy/schemas").glob("*.json"))
}
ADAPTER = FOLDER / "monitored/adapter.yaml"
RUNNING = [("plain", "Deployment"), ("kserve", "InferenceService")]


def demand_valid(resource: kustomized.Resource, version: str) -> None:
    """Hold a resource to its schema, in which fields without a name are errors; raises ValidationError."""
    if resource["kind"] not in SCHEMAS:
        kubernetes_validate.validate(resource, version, strict=True)
        return
    path = f"kubernetes-json-schema/v{version}.0-local-strict/_definitions.json"
    defined = json.loads(files("kubernetes_validate").joinpath(path).read_text())
    known: Registry[Any] = Resource.from_contents(defined) @ Registry()
    Draft202012Validator(SCHEMAS[resource["kind"]], registry=known).validate(resource)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", APPLIED)
def test_every_resource_satisfies_its_schema(name: str, version: str) -> None:
    for resource in resources(FOLDER / name):
        demand_valid(resource, version)


@pytest.mark.parametrize(
    ("name", "kind", "place", "wrong"),
    [
        (
            "plain",
            "Deployment",
            ("template", "spec", "containers", 0, "lifecycle", "preStop"),
            {"wait": {"seconds": 1}},
        ),
        ("plain", "HorizontalPodAutoscaler", ("metrics", 0), {"kind": "Resource"}),
        ("kserve", "InferenceService", ("predictor",), {"maxReplica": 1}),
        ("kserve", "InferenceService", ("predictor",), {"timeout": "60s"}),
        ("kserve", "InferenceService", ("predictor", "containers", 0, "readinessProbe"), {"path": "/readyz"}),
        ("monitored", "ServiceMonitor", ("endpoints", 0), {"ports": "http"}),
        ("monitored", "ServiceMonitor", ("endpoints", 0), {"port": 3000}),
    ],
)
def test_schemas_find_what_a_cluster_would_refuse(
    name: str, kind: str, place: tuple[str | int, ...], wrong: dict[str, Any]
) -> None:
    resource = copy.deepcopy(one(FOLDER / name, kind))
    part = resource["spec"]
    for step in place:
        part = part[step]
    part |= wrong
    with pytest.raises(ValidationError):
        demand_valid(resource, VERSIONS[-1])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
@pytest.mark.parametrize("name", APPLIED)
def test_kubectl_reads_the_folders_as_the_tests_do(name: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    own = tmp_path / "own"
    own.mkdir()
    digest = f"sha256:{'0' * 64}"
    document = {
        "resources": [f"../kubernetes/{name}"],
        "namespace": "fares",
        "images": [{"name": "boxwood", "newName": "registry.example/boxwood", "digest": digest}],
    }
    (own / "kustomization.yaml").write_text(yaml.safe_dump(document))
    built = subprocess.run(["kubectl", "kustomize", own], capture_output=True, text=True, check=True).stdout

    def sorted_(found: list[kustomized.Resource]) -> list[kustomized.Resource]:
        return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))

    mine = sorted_(resources(own))
    [image] = {container["image"] for resource in mine for container in containers(resource)}
    assert image == f"registry.example/boxwood@{digest}"
    assert sorted_(list(yaml.safe_load_all(built))) == mine


@pytest.mark.parametrize(("name", "kind"), RUNNING)
def test_pods_are_as_restricted_as_the_image_is_proven(name: str, kind: str) -> None:
    specification = pod(one(FOLDER / name, kind))
    [container] = specification["containers"]
    [user] = set(re.findall(r"^USER .*", (ROOT / "deploy/image/Containerfile").read_text(), re.MULTILINE))
    own = specification.get("securityContext", {}) | container["securityContext"]
    if "runAsUser" in own:  # else it is the image's
        assert user == f"USER {own.pop('runAsUser')}:{own.pop('runAsGroup')}"
    assert own == {
        "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 in a container
    assert [volume["emptyDir"]["medium"] for volume in specification["volumes"]] == ["Memory"]
    account = one(FOLDER / name, "ServiceAccount", specification["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("name", "kind"), RUNNING)
def test_containers_are_set_up_as_the_service_and_cloud_run_are(name: str, kind: str) -> None:
    [container] = containers(one(FOLDER / name, kind))
    environment = OF_IMAGE | {each["name"]: each["value"] for each in container["env"]}
    settings = Settings.from_environment(environment)
    listening = {int(environment["PORT"]), settings.grpc_port} - {0}
    assert {each["containerPort"] for each in container["ports"]} == listening
    on_cloud_run = config.Run()
    assert container["resources"]["requests"] == {"cpu": on_cloud_run.cpu, "memory": on_cloud_run.memory}
    assert container["resources"]["limits"] == {"memory": on_cloud_run.memory}
    for probe, same in (("startupProbe", on_cloud_run.startup_probe), ("livenessProbe", on_cloud_run.liveness_probe)):
        if probe in container:
            asked = container[probe]
            numbers = (asked["periodSeconds"], asked["timeoutSeconds"], asked["failureThreshold"])
            assert numbers == (same.period_seconds, same.timeout_seconds, same.failure_threshold)


def test_a_pod_has_the_time_that_its_stop_takes() -> None:
    specification = pod(one(FOLDER / "plain", "Deployment"))
    [container] = specification["containers"]
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    spare = specification["terminationGracePeriodSeconds"] - before - GRACE_SECONDS
    assert spare >= 5, "for the last lines of the journal and the last spans"


@pytest.mark.parametrize("name", ["plain", "monitored"])
def test_resources_mean_the_same_pods_and_ports(name: str) -> None:
    folder = FOLDER / name
    deployment = one(folder, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    [container] = containers(deployment)
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    for resource in resources(folder):
        assert resource["metadata"]["labels"] == labels
        selector = resource["spec"].get("selector") if "spec" in resource else None
        assert selector in (None, labels, {"matchLabels": labels})
    for service in ("boxwood", "boxwood-grpc"):
        [port] = one(folder, "Service", service)["spec"]["ports"]
        assert (port["targetPort"], port["port"]) in ports.items()
    policy = one(folder, "NetworkPolicy")["spec"]
    assert policy["podSelector"] == {"matchLabels": labels}
    assert {each["port"] for rule in policy["ingress"] for each in rule["ports"]} == set(ports)
    assert "egress" not in policy
    assert "Egress" in policy["policyTypes"]
    scaled = one(folder, "HorizontalPodAutoscaler")["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    allowed = one(folder, "PodDisruptionBudget")["spec"]["maxUnavailable"]
    assert scaled["minReplicas"] > allowed, "a node that is emptied leaves a pod"
    assert "replicas" not in deployment["spec"]


def test_pods_are_scaled_by_a_metric_that_there_is(client: httpx.Client) -> None:
    folder = FOLDER / "monitored"
    [rule] = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    [series] = re.findall(r"^boxwood_\w+", rule["seriesQuery"])
    assert series in metrics(client)
    [wanted, processor] = one(folder, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert wanted["pods"]["metric"]["name"] == rule["name"]["as"]
    plain = one(FOLDER / "plain", "HorizontalPodAutoscaler")["spec"]
    assert plain == {**one(folder, "HorizontalPodAutoscaler")["spec"], "metrics": [processor]}
    monitor = one(folder, "ServiceMonitor")["spec"]
    [endpoint] = monitor["endpoints"]
    assert client.get(endpoint["path"]).status_code == 200
    service = one(folder, "Service")
    assert endpoint["port"] in {each["name"] for each in service["spec"]["ports"]}
    jobs = re.findall(r'job="(\w+)"', (ROOT / "deploy/alerts.yml").read_text())
    assert set(jobs) == {service["metadata"]["labels"][monitor["jobLabel"]]}
