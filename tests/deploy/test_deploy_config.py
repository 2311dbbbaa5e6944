"""The file of settings, and what the command says before it asks anybody."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploy import config
from deploy.__main__ import main
from deploy.errors import ConfigError
from deploy.release.cloud_run import EMULATOR
from tests.project import ROOT

SHIPPED = ROOT / "deploy/cloudrun.yaml"
documents: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.integers() | inner, max_size=3),
    max_leaves=6,
)


def test_the_file_that_is_shipped_has_the_defaults() -> None:
    read = config.read(SHIPPED, project="p")
    assert read.run == config.Run()
    assert msgspec.json.encode(read.canary) == msgspec.json.encode(config.Canary())
    assert not read.run.public
    assert {service.transport for service in read.services} == {"http", "grpc"}
    assert read.ledger == "gs://p-boxwood-releases"
    assert config.read(SHIPPED.with_name("page.yaml"), project="p").services == [config.Service("boxwood-page", "page")]


def test_staging_is_production_but_for_what_it_says() -> None:
    production, staging = (
        config.read(SHIPPED.with_name(f"{name}.yaml"), project="p") for name in ("cloudrun", "staging")
    )
    names, names_there = ({service.name for service in one.services} for one in (production, staging))
    assert not names & names_there
    assert [one.transport for one in production.services] == [one.transport for one in staging.services]
    assert staging.ledger == f"{production.ledger}/staging"
    assert staging.run == msgspec.structs.replace(production.run, max_instances=1)
    assert staging.canary == msgspec.structs.replace(production.canary, steps=[100])


@given(base=documents, over=documents)
def test_an_overlay_says_what_differs(base: dict[str, Any], over: dict[str, Any]) -> None:
    merged = config.merged(base, over)
    assert merged.keys() == base.keys() | over.keys()
    assert config.merged(merged, over) == merged
    assert config.merged({}, over) == over
    assert config.merged(base, {}) == base


def test_what_a_file_extends_has_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "staging.yaml"
    file.write_text("extends: cloudrun.yaml\n")
    with pytest.raises(ConfigError, match=r"staging\.yaml cannot be used: .*cloudrun\.yaml"):
        config.read(file, project="p")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"run": {"cpus": 1}}, "unknown field `cpus` - at `$.run`"),
        ({"run": {"concurrency": 0}}, "Expected `int` >= 1 - at `$.run.concurrency`"),
        ({"canary": {"steps": [25, 5, 100]}}, "steps must grow, and end at 100"),
        ({"canary": {"steps": [5, 25]}}, "steps must grow, and end at 100"),
        ({"services": [{"name": "Boxwood", "transport": "http"}]}, "`$.services[0].name`"),
        ({"services": [{"name": "a", "transport": "http"}] * 2}, "names a service twice: a, a"),
        ({"services": []}, "length >= 1"),
        ({"run": {"secrets": {"KEY": "projects/p/secrets/s/versions/latest"}}}, "$.run.secrets"),
        ({"region": ""}, "has no region"),
    ],
)
def test_nonsense_is_refused_with_its_place(tmp_path: Path, change: dict[str, object], says: str) -> None:
    file = tmp_path / "cloudrun.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(SHIPPED.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        config.read(file, project="p")
    assert says in str(caught.value)


def test_the_project_is_put_into_names_and_into_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "cloudrun.yaml"
    document = yaml.safe_load(SHIPPED.read_text()) | {"caller": "ask@PROJECT.example"}
    document["run"] |= {"service_account": "run@PROJECT.example", "environment": {"GOOGLE_CLOUD_PROJECT": "other"}}
    document["run"]["secrets"] = {"KEY": "projects/PROJECT/secrets/key/versions/3"}
    file.write_text(yaml.safe_dump(document))
    read = config.read(file, project="mine")
    assert (read.caller, read.run.service_account) == ("ask@mine.example", "run@mine.example")
    assert read.run.secrets == {"KEY": "projects/mine/secrets/key/versions/3"}
    assert read.run.environment == {"GOOGLE_CLOUD_PROJECT": "other"}


def test_what_a_revision_is_made_with_names_it() -> None:
    read = config.read(SHIPPED, project="p")
    first, second = read.services
    other = config.read(SHIPPED, project="p", region="us-east1")
    assert read.fingerprint(first) == other.fingerprint(first) != read.fingerprint(second)


def test_an_image_without_its_digest_and_a_missing_project_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLOUDSDK_CORE_PROJECT", raising=False)
    assert main(["status"]) == 1
    assert "has no project. Write it there, or give --project." in capsys.readouterr().err
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    assert main(["--project", "p", "status"]) == 1
    assert "Google Cloud cannot be asked: " in capsys.readouterr().err
    monkeypatch.setenv(EMULATOR, "127.0.0.1:1")
    assert main(["--project", "p", "rollout", "boxwood:latest", "--bento", str(tmp_path)]) == 1
    assert "is no Bento with its models" in capsys.readouterr().err
