"""The registry's commands: list, show and compare versions; promote one, roll back, or sign one by hand."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from model import bundle, signatures
from problems.base import Problem
from training.registry import aliases, champion, package, register
from training.workspace import exclusive_run
from validation import compatibility
from validation.errors import SettingsError, StoreError


def main(problem: Problem, action: str, versions: list[str]) -> None:
    """Run `registry ACTION PROBLEM [VERSION…]`.

    Raises:
        StoreError: there is no such version, an action takes another number of them, or a version must not become
            champion; the message says why.
    """
    takes = {
        "list": (0, 0),
        "champion": (0, 0),
        "show": (0, 1),
        "diff": (0, 2),
        "promote": (1, 1),
        "rollback": (0, 1),
        "sign": (0, 1),
    }
    fewest, most = takes[action]
    if not fewest <= len(versions) <= most or (action == "diff" and len(versions) == 1):
        wanted = {"diff": "two versions, or none", "promote": "one version"}.get(action, f"at most {most}")
        raise StoreError(f"`registry {action}` takes {wanted}; {len(versions)} given.")
    registry = _Registry(problem)
    if action == "list":
        print(registry.table())
    elif action == "champion":
        print(registry.champion_number())
    elif action == "show":
        print(registry.described(registry.version(versions[0]) if versions else registry.champion()))
    elif action == "diff":
        pair = [registry.version(number) for number in versions] or registry.last_two()
        print(registry.difference(*pair))
    else:
        with exclusive_run():
            if action == "sign":
                registry.sign(registry.version(versions[0]) if versions else registry.champion())
            elif action == "promote":
                registry.promote(registry.version(versions[0]))
            else:
                registry.roll_back(registry.version(versions[0]) if versions else registry.previous())


class _Registry:
    """The versions of one problem's model."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._client = MlflowClient()

    def version(self, called: str) -> ModelVersion:
        """The version with that number or alias; raises StoreError with those there are."""
        return aliases.find(self._client, self._problem.name, called)

    def champion_number(self) -> str:
        """The champion's number, for scripts; empty if there is none."""
        now = champion.current(self._client, self._problem.name)
        return "" if now is None else str(now.version)

    def champion(self) -> ModelVersion:
        """The champion; raises StoreError if there is none."""
        now = champion.current(self._client, self._problem.name)
        if now is None:
            raise StoreError(f"'{self._problem.name}' has no champion. Run `make train`.")
        return now

    def previous(self) -> ModelVersion:
        """The champion before this one; raises StoreError if there was none."""
        now = str(self.champion().version)
        earlier = champion.before(self._client, self._problem.name, now)
        if earlier is None:
            raise StoreError(f"There was no champion of '{self._problem.name}' before version {now}.")
        return earlier

    def last_two(self) -> list[ModelVersion]:
        """The champion and the newest version, or the two newest where that is the champion."""
        versions = aliases.versions(self._client, self._problem.name)
        now = champion.current(self._client, self._problem.name)
        if len(versions) < 2:
            raise StoreError(f"'{self._problem.name}' has fewer than two versions to compare.")
        newest = versions[-1]
        return [now if now and now.version != newest.version else versions[-2], newest]

    def table(self) -> str:
        """One line per version, the newest last."""
        named = aliases.of(self._client, self._problem.name)
        lines = []
        for version in aliases.versions(self._client, self._problem.name):
            number, tags = str(version.version), version.tags
            mark = "*" if named.get(champion.CHAMPION) == number else " "
            decision = "withdrawn" if tags.get(champion.WITHDRAWN_TAG) else tags.get(champion.DECISION_TAG, "-")
            called = ",".join(alias for alias, of in named.items() if of == number) or "-"
            bundle_version, reasons = tags.get(register.VERSION_TAG, "-"), tags.get(register.REASONS_TAG, "")
            lines.append(f"{mark} {number:>4}  {bundle_version}  {decision:<9}  {called:<10}  {reasons}")
        return "\n".join(lines) or f"'{self._problem.name}' has no versions. Run `make train`."

    def described(self, version: ModelVersion) -> str:
        """Everything about a version, as JSON."""
        manifest = self._manifest(version)
        run = self._client.get_run(version.run_id).data
        document = {
            "model": version.name,
            "version": str(version.version),
            "tags": dict(version.tags),
            "lineage": manifest.get("lineage"),
            "parameters": dict(run.params),
            "metrics": dict(run.metrics),
            "contract": manifest["contract"],
        }
        return json.dumps(document, indent=2, ensure_ascii=False)

    def difference(self, old: ModelVersion, new: ModelVersion) -> str:
        """What changed from one version to another: data, parameters, metrics, contract."""
        manifests = [self._manifest(version) for version in (old, new)]
        runs = [self._client.get_run(version.run_id).data for version in (old, new)]
        lineages = [manifest.get("lineage") or {} for manifest in manifests]
        sections = {
            "data and code": _changed(*(register.flat(lineage) for lineage in lineages)),
            "parameters": _changed(runs[0].params, runs[1].params),
            "metrics": _changed(runs[0].metrics, runs[1].metrics),
            "contract": compatibility.changes(manifests[0]["contract"], manifests[1]["contract"]),
        }
        lines = [f"{old.name}: version {old.version} → version {new.version}"]
        for title, changes in sections.items():
            lines += [f"{title}:", *(f"  {line}" for line in changes or ["no change"])]
        return "\n".join(lines)

    def promote(self, version: ModelVersion) -> None:
        """Make a version champion by hand, and package it."""
        tag = package.bring_named(version)
        self._set(version, champion.DECISION_TAG, champion.PROMOTED)
        decision, reasons = (version.tags.get(name, "-") for name in (champion.DECISION_TAG, register.REASONS_TAG))
        self._set(version, register.REASONS_TAG, f"by hand; before that {decision}: {reasons}"[: register.LONGEST_TAG])
        self._set(version, champion.BEST_TAG, "")  # a version promoted by hand is the best from now on
        self._make_champion(version, tag)

    def roll_back(self, version: ModelVersion) -> None:
        """Make an earlier version champion; today's is withdrawn and is not promoted again by itself."""
        now = self.champion()
        if now.version == version.version:
            raise StoreError(f"Version {version.version} is the champion already.")
        today, then = self._manifest(now), self._manifest(version)
        broken = compatibility.breaking(today, then) + compatibility.forgotten(today, then)
        if broken:
            raise StoreError(
                f"Version {version.version} would break callers of version {now.version}: {'; '.join(broken[:5])}. "
                "Nothing was changed; roll back to a version with today's contract."
            )
        tag = package.bring_named(version)  # what can fail comes first
        self._set(now, champion.WITHDRAWN_TAG, "true")
        self._make_champion(version, tag)

    def sign(self, version: ModelVersion) -> None:
        """Vouch for a version that was registered without a signature, or with another's; and for its copy to serve."""
        key = os.environ.get(signatures.SIGNING_KEY)
        if not key:
            raise SettingsError(f"Say with which private key to sign: {signatures.SIGNING_KEY}=key.pem.")
        with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryDirectory() as alone:
            folder = champion.download(version, Path(temporary))
            bundle.read(folder)  # nothing damaged is vouched for
            signatures.sign(folder, Path(key), bundle.MANIFEST)
            shutil.copy(folder / signatures.SIGNATURE, alone)
            champion.add_files(version, Path(alone), champion.BUNDLE)
        tag = package.bring_named(version)
        print(f"Version {version.version} is signed, and so is {tag}, its copy in the BentoML model store.")

    def _set(self, version: ModelVersion, tag: str, value: str) -> None:
        self._client.set_model_version_tag(version.name, version.version, tag, value)

    def _make_champion(self, version: ModelVersion, tag: str) -> None:
        self._client.delete_model_version_tag(version.name, version.version, champion.WITHDRAWN_TAG)
        champion.set_champion(self._client, version)
        aliases.renew_challenger(self._client, version.name)
        package.leave_receipt(self._problem, tag)
        print(f"Version {version.version} is champion; `make serve PROBLEM={version.name}` serves it.")

    def _manifest(self, version: ModelVersion) -> dict[str, Any]:
        """A version's manifest as JSON, whatever code wrote it."""
        with champion.fetched(version) as model:
            return model.manifest()


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    names = sorted(set(old) | set(new))
    return [f"{name}: {old.get(name, '-')} → {new.get(name, '-')}" for name in names if old.get(name) != new.get(name)]
