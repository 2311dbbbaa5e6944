"""`deploy/project.sh` against a gcloud that remembers what was made. What Google Cloud itself does stays untested."""

import importlib.util
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT

SCRIPT = ROOT / "deploy/project.sh"
ARGUMENTS = ("--project", "a-project", "--repository", "owner/name", "--repository-id", "42", "--mlflow")
MAKES = {"create", "create-oidc", "deploy"}
GCLOUD = r"""#!/usr/bin/env bash
# Every call is a line of `calls`; what was made is a line of `made`, and a description of anything else fails.
set -euo pipefail
cd "${0%/*}"
printf '%s\n' "$(printf '%q ' "$@")" >> calls  # at once: a pipe's two ends are called together
left=$(cat left 2>/dev/null || echo 1000)
kind='' name='' parent='' verb=''
for word; do
  case $word in
    create | create-oidc | deploy | describe | list) verb=$word ;;
    --instance=* | --workload-identity-pool=*) parent=$word ;;
    -*) ;;
    *) if [[ $verb && ! $name ]]; then name=$word; elif [[ ! $verb ]]; then kind+=" $word"; fi ;;
  esac
done
[[ $kind == ' run' ]] && kind=' run services'
thing="$kind ${name%@*} $parent" # an account is made by its name and asked for by its address
case $verb in
  describe) [[ $kind == ' projects' ]] && echo 1234567 && exit; grep -qxF -- "$thing" made ;;
  list) grep -qxF -- "$kind mlflow $parent" made && echo mlflow ;;
  create | create-oidc | deploy)
    ((left)) || { echo 'gcloud: the line is dead' >&2; exit 1; }
    ! grep -qxF -- "$thing" made || { echo "ALREADY_EXISTS: $thing" >&2; exit 1; }
    [[ " $* " != *' --data-file=- '* && " $* " != *' --flags-file=/dev/stdin '* ]] || cat > "stdin-$name"
    echo "$thing" >> made
    echo $((left - 1)) > left ;;
esac
[[ " $* " != *' versions access '* ]] || cat stdin-boxwood-mlflow-password
"""


class Cloud:
    """The folder of the pretended gcloud."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name, text in (("gcloud", GCLOUD), ("made", "")):
            (folder / name).write_text(text)
        (folder / "gcloud").chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        (self._folder / "calls").write_text("")
        return subprocess.run(
            [SCRIPT, *arguments],
            env={"PATH": f"{self._folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    def fails_after(self, creations: int) -> None:
        (self._folder / "left").write_text(str(creations))

    @property
    def calls(self) -> list[list[str]]:
        return [shlex.split(line) for line in (self._folder / "calls").read_text().splitlines()]

    @property
    def creations(self) -> list[list[str]]:
        return [call for call in self.calls if MAKES & set(call)]

    @property
    def made(self) -> list[str]:
        return sorted((self._folder / "made").read_text().splitlines())

    def stdin(self, name: str) -> str:
        return (self._folder / f"stdin-{name}").read_text()


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def test_once_it_makes_everything_and_twice_nothing_more(cloud: Cloud) -> None:
    first = cloud.run(*ARGUMENTS)
    assert first.returncode == 0, first.stderr
    made, grants = cloud.made, [call for call in cloud.calls if "add-iam-policy-binding" in call]
    second = cloud.run(*ARGUMENTS)
    assert second.returncode == 0, second.stderr
    assert cloud.made == made
    assert not cloud.creations
    assert [call for call in cloud.calls if "add-iam-policy-binding" in call] == grants


@pytest.mark.parametrize("creations", [0, 3, 6, 11, 14])
def test_it_goes_on_where_it_was_cut_off(cloud: Cloud, creations: int, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    other = Cloud(whole)
    assert other.run(*ARGUMENTS).returncode == 0
    cloud.fails_after(creations)
    cut = cloud.run(*ARGUMENTS)
    assert cut.returncode == 1
    assert "the line is dead" in cut.stderr
    assert len(cloud.made) == creations
    cloud.fails_after(1000)
    assert cloud.run(*ARGUMENTS).returncode == 0
    assert cloud.made == other.made


def test_a_dry_run_prints_the_same_commands_and_calls_nothing(cloud: Cloud) -> None:
    said = cloud.run(*ARGUMENTS, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert not cloud.calls
    printed = [words for words in commands(said.stdout) if MAKES & set(words)]
    cloud.run(*ARGUMENTS)
    assert printed == cloud.creations


def test_the_password_is_in_no_argument_and_no_output(cloud: Cloud) -> None:
    said = cloud.run(*ARGUMENTS)
    password = cloud.stdin("boxwood-mlflow-password")
    assert len(password) == 48
    assert cloud.stdin("mlflow") == f'--password: "{password}"\n'
    assert password not in said.stdout + said.stderr + str(cloud.calls)


def test_who_may_become_whom(cloud: Cloud) -> None:
    cloud.run(*ARGUMENTS)
    [condition] = [word for call in cloud.calls for word in call if word.startswith("--attribute-condition=")]
    assert "assertion.repository_id == '42' && (" in condition
    pool = "iam.googleapis.com/projects/1234567/locations/global/workloadIdentityPools/github"
    become = {
        (call[3].split("@")[0], call[4]) for call in cloud.calls if "--role=roles/iam.workloadIdentityUser" in call
    }
    assert become == {
        ("boxwood-build", f"--member=principalSet://{pool}/attribute.repository_id/42"),
        ("boxwood-deploy", f"--member=principalSet://{pool}/attribute.environment/staging"),
        ("boxwood-deploy", f"--member=principalSet://{pool}/attribute.environment/production"),
        ("boxwood-deploy", f"--member=principalSet://{pool}/attribute.environment/rollback"),
    }


def test_no_role_of_the_whole_project_is_wide(cloud: Cloud) -> None:
    cloud.run(*ARGUMENTS)
    wide = {(call[3], call[4]) for call in cloud.calls if call[:2] == ["projects", "add-iam-policy-binding"]}
    account = "--member=serviceAccount:boxwood-{}@a-project.iam.gserviceaccount.com"
    assert wide == {
        (account.format("deploy"), "--role=roles/run.developer"),
        (account.format("deploy"), "--role=roles/monitoring.viewer"),
        (account.format("run"), "--role=roles/monitoring.metricWriter"),
        (account.format("ask"), "--role=roles/run.invoker"),
        (account.format("mlflow"), "--role=roles/cloudsql.client"),
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Say which project"),
        (("--project",), "--project needs a value"),
        (("--project", "a-project", "--repository", "owner"), "Say which repository"),
        (("--project", "a-project", "--repository", "owner/name"), "--repository-id"),
        ((*ARGUMENTS, "--region", "here;"), "is no region"),
        ((*ARGUMENTS, "--force"), "There is no option --force"),
    ],
)
def test_what_it_cannot_use_is_a_sentence(cloud: Cloud, arguments: tuple[str, ...], sentence: str) -> None:
    said = cloud.run(*arguments)
    assert said.returncode == 1
    assert sentence in said.stderr
    assert not cloud.calls


def test_gcloud_knows_the_commands_and_their_options(cloud: Cloud) -> None:
    """By the table that its own completion uses; it is no proof that the values are right."""
    gcloud = shutil.which("gcloud")
    table = Path(gcloud).resolve().parents[1] / "data/cli/gcloud_completions.py" if gcloud else Path("/nowhere")
    if not table.is_file():
        pytest.skip("Google Cloud's SDK is not installed")
    spec = importlib.util.spec_from_file_location("completions", table)
    assert spec
    assert spec.loader
    completions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(completions)
    for words in commands(cloud.run(*ARGUMENTS, "--dry-run").stdout):
        known, options, place = completions.STATIC_COMPLETION_CLI_TREE, {"--flags-file"}, 0  # which every command has
        while place < len(words) and words[place] in known["commands"]:
            known = known["commands"][words[place]]
            options |= known["flags"].keys()
            place += 1
        assert not known["commands"], words
        for word in words[place:]:
            option = word.split("=")[0]
            assert not option.startswith("--") or {option, option.replace("--no-", "--")} & options, (words, option)


def commands(output: str) -> Iterator[list[str]]:
    for line in output.splitlines():
        if line.startswith("gcloud "):
            yield shlex.split(line)[1:]
