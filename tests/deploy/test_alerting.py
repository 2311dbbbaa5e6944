"""Alerts of the stack: which rules there are, when they fire, and what a channel gets to read."""

import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import yaml

from monitoring.verdict import Status
from serving.telemetry import CANCELLED, FAILED, OK
from tests.deploy import watched
from tests.deploy.test_stack import DASHBOARDS, SELECTOR, SERVICES, ask_everything, metrics
from tests.deploy.watched import DEPLOY, Slack, program
from tests.project import ROOT
from validation.errors import Overloaded, RowsRejected

RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS = ROOT / "tests/deploy/alerts.test.yml"
VALUES = {
    "outcome": {OK, CANCELLED, FAILED, Overloaded.kind, RowsRejected.kind, "dropped"},
    "status": set(get_args(Status)),
    "verb": {"predict", "explain"},
    "job": {"boxwood"},
}
"""What the labels may be that rules look at."""


def run(*command: str | Path) -> None:
    """Run a command; what it says is in the error."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_is_of_metrics_that_there_are(
    rule: dict[str, Any], watched_service: httpx.Client, row: dict[str, Any]
) -> None:
    ask_everything(watched_service, row)
    there, records = metrics(watched_service), {each["record"] for each in RULES if "record" in each}
    assert set(re.findall(r"model:\w+:\w+", rule["expr"])) <= records
    for name, labels in SELECTOR.findall(rule["expr"] + rule.get("annotations", {}).get("description", "")):
        assert name in there
        for label, values in re.findall(r'(\w+)!?=~?"(.*?)"', labels):
            assert label in there[name] | {"job"}
            assert set(values.split("|")) <= VALUES[label]


def test_an_alert_says_what_to_do_and_where_to_look() -> None:
    boards = {re.findall(r'"uid": "(boxwood-\w+)"', board.read_text())[0] for board in DASHBOARDS}
    for name, rule in ALERTS.items():
        assert set(rule["annotations"]) == {"summary", "description", "board"}, name
        assert rule["annotations"]["board"] in boards
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_every_alert_is_among_the_tests_of_rules() -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    fired = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    quiet = {each["alertname"] for test in tests for each in test["alert_rule_test"] if not each["exp_alerts"]}
    assert fired == quiet == set(ALERTS)


@pytest.mark.slow  # what they run is where these are
def test_rules_are_well_formed_and_fire_when_they_should() -> None:
    tool = program("promtool")
    run(tool, "check", "rules", "--lint-fatal", "deploy/alerts.yml")
    run(tool, "check", "config", "deploy/prometheus.yml")
    run(tool, "test", "rules", TESTS)


@pytest.mark.slow
def test_alertmanagers_configuration_is_well_formed() -> None:
    run(program("amtool"), "check-config", "deploy/alertmanager.yml")


def test_every_file_that_is_named_is_mounted() -> None:
    named = {
        "prometheus": {"prometheus.yml", *yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["rule_files"]},
        "alertmanager": {"alertmanager.yml", *yaml.safe_load((DEPLOY / "alertmanager.yml").read_text())["templates"]},
    }
    for service, files in named.items():
        mounted = {volume.split(":")[1] for volume in SERVICES[service]["volumes"]}
        assert {f"/etc/{service}/{file}" for file in files} <= mounted


@pytest.mark.slow
def test_a_channel_reads_that_a_model_may_be_wrong_and_that_it_is_over(
    watched_service: httpx.Client, watch_store: Path, tmp_path: Path
) -> None:
    with (
        Slack().listening() as slack,
        watched.alertmanager(slack.url, tmp_path) as alertmanager,
        watched.prometheus(watched_service, alertmanager.base_url.port or 0, tmp_path),
    ):
        message = slack.waits_for("The answers of flights may be wrong")
        assert message["color"] == "danger"
        assert "python -m monitoring retrain flights" in message["text"]
        assert message["title_link"] == "http://127.0.0.1:3001/d/boxwood-watch?var-model=flights"
        watched.put(watch_store, status="ok", findings=[])
        try:
            over = slack.waits_for("Over: The answers of flights may be wrong")
        finally:
            watched.put(watch_store)
        assert over["color"] == "good"
        assert "retrain" not in over["text"]
