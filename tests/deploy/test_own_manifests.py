"""What a folder of one's own makes of the manifests: prefixes, and the examples of docs/how-to/kubernetes.md."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.settings import Settings
from tests.deploy.kustomized import FOLDER, Resource, containers, pod
from tests.deploy.pods import OF_IMAGE
from tests.deploy.test_kubernetes import APPLIED, VERSIONS, demand_valid
from tests.project import ROOT

kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
NAME, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
PAGE = (ROOT / "docs/how-to/kubernetes.md").read_text()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the examples of the page, beside a clone called boxwood."""
    shutil.copytree(FOLDER, tmp_path / "boxwood/deploy/kubernetes")
    for block in re.findall(r"^```yaml\n(# \S+\.yaml.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        path = tmp_path / str(re.findall(r"^# (\S+\.yaml)", block)[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:  # a block may go on with the file of one before it
            file.write(block.replace("sha256:…", f"sha256:{'0' * 64}"))
    return tmp_path


def built(folder: Path) -> list[Resource]:
    """What kubectl makes of a folder, each resource held to its schema."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = list(yaml.safe_load_all(done.stdout))
    for resource in found:
        demand_valid(resource, VERSIONS[-1])
    return found


def of(found: list[Resource], kind: str, name: str) -> Resource:
    [resource] = [each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return resource


def environment(resource: Resource) -> dict[str, str]:
    [container] = containers(resource)
    return OF_IMAGE | {each["name"]: each["value"] for each in container["env"]}


def selectors(resource: Resource) -> Iterator[dict[str, str]]:
    """The labels by which a resource finds others."""
    spec: dict[str, Any] = resource.get("spec", {})
    if resource["kind"] == "Service":
        yield spec["selector"]
        return
    constraints = pod(resource).get("topologySpreadConstraints", [])
    own = [spec.get("selector"), spec.get("podSelector"), *(each["labelSelector"] for each in constraints)]
    yield from (each["matchLabels"] for each in own if each)


@kubectl
@pytest.mark.parametrize("name", APPLIED)
def test_a_prefix_reaches_every_name(name: str, own: Path) -> None:
    (own / "kustomization.yaml").write_text(f"resources: [boxwood/deploy/kubernetes/{name}]\nnamePrefix: flights-\n")
    found = built(own)
    assert {each["metadata"]["name"].partition("boxwood")[0] for each in found} == {"flights-"}
    accounts = {pod(each)["serviceAccountName"] for each in found if pod(each)}
    assert accounts == {each["metadata"]["name"] for each in found if each["kind"] == "ServiceAccount"}
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in found if each["kind"] == "HorizontalPodAutoscaler"}
    assert scaled <= {each["metadata"]["name"] for each in found if each["kind"] == "Deployment"}


def test_kserve_says_where_the_name_of_the_account_stands() -> None:
    folder = FOLDER / "kserve"
    [configuration] = yaml.safe_load((folder / "kustomization.yaml").read_text())["configurations"]
    [reference] = yaml.safe_load((folder / configuration).read_text())["nameReference"]
    [field] = reference["fieldSpecs"]
    account, service = yaml.safe_load_all((folder / "service.yaml").read_text())
    assert (reference["kind"], field["kind"]) == (account["kind"], service["kind"])
    value: Any = service
    for step in field["path"].split("/"):
        value = value[step]
    assert value == account["metadata"]["name"]


@kubectl
def test_series_keep_the_job_of_alerts_below_a_prefix(own: Path) -> None:
    (own / "kustomization.yaml").write_text("resources: [boxwood/deploy/kubernetes/monitored]\nnamePrefix: flights-\n")
    found = built(own)
    [monitor] = [each["spec"] for each in found if each["kind"] == "ServiceMonitor"]
    service = of(found, "Service", "flights-boxwood")["metadata"]  # its name would be the job otherwise
    jobs = re.findall(r'job="(\w+)"', (ROOT / "deploy/alerts.yml").read_text())
    assert set(jobs) == {service["labels"][monitor["jobLabel"]]}


@kubectl
def test_the_first_example_is_one_patched_service(own: Path) -> None:
    found = built(own / "fares")
    scaled = of(found, "HorizontalPodAutoscaler", "boxwood")["spec"]
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (3, 40)
    assert [each["resource"]["name"] for each in scaled["metrics"]] == ["cpu"], "the rest is as it was"
    deployment = of(found, "Deployment", "boxwood")
    settings = Settings.from_environment(environment(deployment))
    assert (settings.journal, settings.grpc_port) == ("stdout", 50051)
    [container] = containers(deployment)
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "768Mi"}, "limits": {"memory": "768Mi"}}
    assert container["image"] == f"registry.example/boxwood@sha256:{'0' * 64}"
    assert {each["metadata"]["namespace"] for each in found} == {"fares"}


@kubectl
def test_the_example_of_kserve_has_the_name_of_its_model(own: Path) -> None:
    service = of(built(own / "fares-kserve"), "InferenceService", "flights")
    predictor = service["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3, 40)
    assert predictor["serviceAccountName"] == "boxwood"
    settings = Settings.from_environment(environment(service))
    assert (settings.journal, settings.grpc_port) == ("stdout", 0)


@kubectl
def test_two_models_of_one_namespace_find_their_own_pods(own: Path) -> None:
    found = built(own / "models")
    models = {"flights", "churn"}
    images = {containers(each)[0]["image"].partition("@")[0] for each in found if containers(each)}
    assert images == {f"registry.example/{model}" for model in models}
    assert {each["metadata"]["namespace"] for each in found} == {"models"}
    looking = 0
    for resource in found:
        model = resource["metadata"]["name"].partition("-")[0]
        assert resource["metadata"]["labels"] == {NAME: "boxwood", INSTANCE: model}
        for selector in selectors(resource):
            assert selector == {NAME: "boxwood", INSTANCE: model}, resource["kind"]
            looking += 1
        if resource["kind"] == "Deployment":
            assert resource["spec"]["template"]["metadata"]["labels"] == {NAME: "boxwood", INSTANCE: model}
    assert looking == 2 * 9  # each: 2 Services, a Deployment and its 2 constraints, budget, 2 policies, ServiceMonitor
