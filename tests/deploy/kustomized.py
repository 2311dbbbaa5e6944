"""What `kubectl apply --kustomize` would apply, where there is no kubectl: the part of kustomize that is used here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.project import ROOT

FOLDER = ROOT / "deploy/kubernetes"
_KNOWN = {"apiVersion", "kind", "resources", "images", "namespace", "configurations"}
"""Configurations say where else names and labels stand, which a folder of one's own may change and these do not."""
Resource = dict[str, Any]


def resources(folder: Path) -> list[Resource]:
    """The resources of a folder with a kustomization, those of folders that it names included."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(kustomization) <= _KNOWN, f"{folder} uses more of kustomize than the tests know"
    found: list[Resource] = []
    for name in kustomization["resources"]:
        path = folder / name
        found += resources(path) if path.is_dir() else [*yaml.safe_load_all(path.read_text())]
    for resource in found:
        if "namespace" in kustomization:
            resource["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(resource):
            container["image"] = _image(container["image"], kustomization.get("images", []))
    return found


def one(folder: Path, kind: str, name: str = "boxwood") -> Resource:
    """The resource of a kind and a name."""
    found = [each for each in resources(folder) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{folder} has {len(found)} of {kind} {name}"
    return found[0]


def pod(resource: Resource) -> Resource:
    """The pod's specification of a Deployment or an InferenceService; empty for what has no pods."""
    specification: Resource = resource.get("spec", {})
    found: Resource = specification.get("predictor") or specification.get("template", {}).get("spec", {})
    return found


def containers(resource: Resource) -> list[Resource]:
    """The containers of its pods."""
    found: list[Resource] = pod(resource).get("containers", [])
    return found


def _image(image: str, changes: list[Mapping[str, str]]) -> str:
    for change in changes:
        if change["name"] == image.partition("@")[0].partition(":")[0]:
            name = change.get("newName", change["name"])
            return f"{name}@{change['digest']}" if "digest" in change else f"{name}:{change['newTag']}"
    return image
