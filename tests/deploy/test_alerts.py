"""`python -m deploy alerts` against a stand-in for Cloud Monitoring that keeps documents."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.__main__ import main
from deploy.cloud.monitoring import EMULATOR as MONITORING
from deploy.release.cloud_run import EMULATOR
from tests.deploy.administration import Administration, template
from tests.deploy.releases import GRPC, HTTP, Releases
from tests.deploy.standin import Image, StandIn
from tests.project import ROOT

HERE = Path(__file__).parent
TO = ("--notify", "me@example.com", "--notify", "https://hooks.example/boxwood")


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """Two services that are there, with what listens behind them."""
    echo = {name: Image((sys.executable, str(HERE / f"echo_{name}.py")), HERE) for name in ("http", "grpc")}
    with StandIn({"http": echo["http"], "grpc": echo["grpc"]}, delay=0.01) as cloud:
        with Administration.of(cloud.address) as admin:
            admin.create(HTTP, template("http"))
            admin.create(GRPC, template("grpc"))
        monkeypatch.setenv(EMULATOR, cloud.address)
        monkeypatch.setenv(MONITORING, cloud.monitoring.address)
        yield Releases(cloud, tmp_path)


def alerts(releases: Releases, *arguments: str) -> int:
    return main(["--config", str(releases.config), "alerts", *arguments])


def kept(releases: Releases, kind: str) -> dict[str, dict[str, Any]]:
    documents = releases.cloud.monitoring.documents
    return {name: found for name, found in documents.items() if name.split("/")[-2] == kind}


def test_twice_makes_everything_once(releases: Releases) -> None:
    assert alerts(releases, *TO) == 0
    made = dict(releases.cloud.monitoring.documents)
    assert len(kept(releases, "alertPolicies")) == 5 + 4, "a service over gRPC has no uptime check"
    assert len(kept(releases, "uptimeCheckConfigs")) == 1
    assert len(kept(releases, "serviceLevelObjectives")) == 4
    assert {one["type"] for one in kept(releases, "notificationChannels").values()} == {"email", "webhook_tokenauth"}
    releases.cloud.monitoring.changes.clear()
    assert alerts(releases, *TO) == 0
    assert not releases.cloud.monitoring.changes
    assert releases.cloud.monitoring.documents == made


def test_what_somebody_changed_is_set_back_and_nothing_else(releases: Releases) -> None:
    assert alerts(releases, *TO) == 0
    documents = releases.cloud.monitoring.documents
    name, policy = next(iter(kept(releases, "alertPolicies").items()))
    documents[name] = {**policy, "severity": "WARNING", "enabled": False}
    documents["projects/boxwood/alertPolicies/theirs"] = theirs = {"name": "projects/boxwood/alertPolicies/theirs"}
    releases.cloud.monitoring.changes.clear()
    assert alerts(releases, *TO) == 0
    assert releases.cloud.monitoring.changes == [("PATCH", name)]
    assert documents[name] == {**policy, "enabled": False}, "who switched it off meant it"
    assert alerts(releases, "--remove") == 0
    assert documents == {theirs["name"]: theirs}


def test_policies_lead_to_what_was_made(releases: Releases) -> None:
    assert alerts(releases, *TO) == 0
    documents = releases.cloud.monitoring.documents
    for policy in kept(releases, "alertPolicies").values():
        assert set(policy["notificationChannels"]) == set(kept(releases, "notificationChannels"))
        assert "`" in policy["documentation"]["content"]
        for condition in policy["conditions"]:
            text = str(condition)
            assert not re.search(
                r"\b[A-Z]{4,}\b(?!_)", re.sub(r"COMPARISON_\w+|ALIGN_\w+|REDUCE_\w+|\bAND\b", "", text)
            ), text
            for objective in re.findall(r"projects/\S+/serviceLevelObjectives/\w+", text):
                assert objective in documents
            for check in re.findall(r'check_id="(\w+)"', text):
                assert f"projects/boxwood/uptimeCheckConfigs/{check}" in documents


def test_rules_name_metrics_that_there_are() -> None:
    text = (ROOT / "deploy/cloud/alerts.yaml").read_text()
    source = "".join(path.read_text() for path in (ROOT / "serving/telemetry.py", *(ROOT / "monitoring").glob("*.py")))
    for metric in re.findall(r"boxwood_(\w+)[{]", text):
        assert metric.removesuffix("_total").removeprefix("watch_") in source, metric


def test_a_service_that_moved_gets_another_check(releases: Releases) -> None:
    assert alerts(releases, *TO) == 0
    [name] = kept(releases, "uptimeCheckConfigs")
    moved = {"type": "uptime_url", "labels": {"project_id": "boxwood", "host": "elsewhere"}}
    releases.cloud.monitoring.documents[name]["monitoredResource"] = moved
    assert alerts(releases, *TO) == 0
    [check] = kept(releases, "uptimeCheckConfigs").values()
    assert check["name"] != name
    assert check["monitoredResource"]["labels"]["host"] in releases.services()[HTTP].uri


@pytest.mark.parametrize(
    ("arguments", "refuses", "says"),
    [
        (("--notify", "nowhere"), 0, "nowhere is neither an e-mail address nor an https address."),
        ((), 403, "Cloud Monitoring did not answer GET projects/boxwood/services: 403 Permission"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    releases: Releases, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], refuses: int, says: str
) -> None:
    releases.cloud.monitoring.refuses = refuses
    assert alerts(releases, *arguments) == 1
    assert says in capsys.readouterr().err
    assert not releases.cloud.monitoring.documents
