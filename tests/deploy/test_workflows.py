"""The workflows hold what no schema and no linter asks of them."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import ROOT

PINNED = {
    "actions/checkout": ("v7.0.1", "3d3c42e5aac5ba805825da76410c181273ba90b1"),
    "actions/setup-python": ("v7.0.0", "5fda3b95a4ea91299a34e894583c3862153e4b97"),
    "actions/upload-artifact": ("v7.0.0", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"),
    "actions/download-artifact": ("v8.0.1", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"),
    "actions/attest-build-provenance": ("v4.1.0", "a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32"),
    "google-github-actions/auth": ("v3.0.0", "7c6bc770dae815cd3e89ee6cdf493a5fab2cc093"),
    "google-github-actions/setup-gcloud": ("v3.0.1", "aa5489c8933f4cc7a4f7d45035b3b1440c9c10db"),
    "aquasecurity/trivy-action": ("v0.36.0", "ed142fd0673e97e23eac54620cfb913e5ce36c25"),
    "anchore/sbom-action": ("v0.24.0", "e22c389904149dbc22b58101806040fa8d37a610"),
    "sigstore/cosign-installer": ("v4.1.2", "6f9f17788090df1f26f669e9d70d6ae9567deba6"),
}
"""Whose code runs in workflows, at which commit. Another one, or another commit, is decided here too."""
WRITES = {"id-token", "attestations"}
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def jobs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield f"{path.stem}.{name}", job


def scripts() -> Iterator[tuple[str, str]]:
    for name, job in jobs():
        for step in job.get("steps", []):
            if "run" in step:
                yield name, step["run"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_foreign_code_is_what_was_looked_at(workflow: Path) -> None:
    for used in re.findall(r"uses: (.+)", workflow.read_text()):
        if not used.startswith("$/"):
            action, commit, tag = re.split(r"@| # ", used)
            assert PINNED[action] == (tag, commit)


def test_rights_are_named_job_by_job() -> None:
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {}, path.name
    for name, job in jobs():
        assert job["permissions"].pop("contents") == "read", name
        assert job["permissions"].keys() <= WRITES, name
        assert name.startswith(("release", "retrain", "rollback", "rollout")) or not job["permissions"], name


def test_no_job_both_runs_scanners_and_holds_rights() -> None:
    for name, job in jobs():
        foreign = [
            step for step in job.get("steps", []) if step.get("uses", "").startswith(("anchore/", "aquasecurity/"))
        ]
        assert not foreign or job["permissions"] == {"contents": "read"}, name


def test_traffic_is_moved_in_environments_alone() -> None:
    """Google lets nobody else become the account that may: see deploy/project.sh."""
    for name, job in jobs():
        moves = "boxwood-deploy@" in yaml.safe_dump(job)
        assert moves == (job.get("environment") in {"${{ inputs.environment }}", "rollback"}), name


def test_production_comes_after_staging_with_the_same_image() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    staging, production = (release[name] for name in ("staging", "rollout"))
    assert (staging["with"].pop("environment"), production["with"].pop("environment")) == ("staging", "production")
    assert staging["with"].pop("config") == "deploy/staging.yaml"
    assert production["with"].pop("config") == "deploy/cloudrun.yaml"
    assert staging["with"] == production["with"]
    assert "staging" in production["needs"]


def test_jobs_are_made_of_make_targets() -> None:
    text = "".join((ROOT / name).read_text() for name in ("Makefile", "deploy/release.mk"))
    there = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    for name, script in scripts():
        command, *words = script.split()
        assert command == "make", f"{name}: {script}"
        for word in words:
            assert word.removeprefix("--old-file=") in there, f"{name}: {word}"


def test_what_people_type_reaches_no_shell(tmp_path: Path) -> None:
    for name, script in scripts():
        assert "${{" not in script, f"{name}: {script}"
    python = tmp_path / "python"
    python.write_text("""#!/bin/sh\nprintf '%s|' "$@"\n""")
    python.chmod(0o755)
    typed = '--x\'; "$(touch escaped)" `touch escaped` $$HOME $(HOME)'
    path = f"{tmp_path}:/usr/bin:/bin"
    said = subprocess.run(
        ["make", "--silent", "--old-file=.venv/.ready", "rollback", f"PATH={path}"],
        cwd=ROOT,
        env={"PATH": path, "TO": typed, "WHY": typed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"-m|deploy|--config|deploy/cloudrun.yaml|rollback|--to={typed}|--why={typed}|"
    assert not (ROOT / "escaped").exists()


def test_a_push_says_by_which_digest(tmp_path: Path) -> None:
    digest = "sha256:" + "5a" * 32
    docker = tmp_path / "docker"
    docker.write_text(f"""#!/bin/sh\n[ "$1 $2" != 'image inspect' ] || echo "host/project/boxwood@{digest}"\n""")
    docker.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    subprocess.run(
        ["make", "--silent", "image-push", "IMAGE=host/project/boxwood:1"],
        cwd=ROOT,
        env={"PATH": path, **files},
        check=True,
    )
    said = dict(line.split("=") for line in Path(files["GITHUB_OUTPUT"]).read_text().splitlines())
    assert said == {"name": "host/project/boxwood", "digest": digest}
    assert digest in Path(files["GITHUB_STEP_SUMMARY"]).read_text()
