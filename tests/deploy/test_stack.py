"""The stack for one machine: what compose starts, what Prometheus reads, and what Grafana shows of it."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitoring import store
from serving.settings import Settings
from tests import remotes
from tests.deploy import watched
from tests.project import ROOT, free_port
from tests.serving.rest.test_http import EXPLAIN, PREDICT

DEPLOY = ROOT / "deploy"
SERVICES = remotes.services()
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
SELECTOR = re.compile(r"(boxwood_\w+)\{(.*?)\}")
"""A metric of the service in a query, and what its labels are to be."""


def queries(board: Path) -> dict[str, str]:
    """The expressions of a dashboard by title, as Prometheus gets them."""
    panels = json.loads(board.read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']}": re.sub(r"\$(model|metric)", ".*", target["expr"]).replace(
            "$__rate_interval", "1m"
        )
        for panel in panels
        for target in panel["targets"]
    }


def marks(board: Path) -> dict[str, str]:
    """The expressions of what is marked in all panels, by name."""
    marked = json.loads(board.read_text()).get("annotations", {}).get("list", [])
    return {each["name"]: each["expr"].replace("$model", ".*") for each in marked}


def metrics(client: httpx.Client) -> dict[str, set[str]]:
    """The labels of all metrics that a service has, by their names."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def ask_everything(client: httpx.Client, row: Mapping[str, Any]) -> None:
    """Requests that end in several ways, so that every metric has something to tell."""
    client.post(PREDICT, json={"instances": [{**row, "agency": "Unheard Of"}]})
    client.post(PREDICT, json={"instances": [{**row, "cabin": "roof"}]})
    client.post(EXPLAIN, json={"instances": [row]})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_pinned_local_and_watched(service: str) -> None:
    described = SERVICES[service]
    assert re.search(r":v?\d+\.\d+", described["image"]) or described["image"].startswith("boxwood")
    assert all(port.startswith("127.0.0.1:") for port in described.get("ports", []))
    assert "no-new-privileges:true" in described["security_opt"]
    assert "healthcheck" in described or service == "buckets"
    volumes = yaml.safe_load(remotes.COMPOSE.read_text())["volumes"]
    for volume in described.get("volumes", []):
        if isinstance(volume, str):
            source = volume.split(":")[0]
            assert source in volumes or (volume.endswith(":ro") and (DEPLOY / source).exists())
        else:  # Docker would make it, as root's
            assert volume["bind"] == {"create_host_path": False}


def test_the_service_is_read_only_and_without_capabilities() -> None:
    for name in ("service", "page"):
        assert SERVICES[name]["read_only"]
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_service_and_page_find_each_other() -> None:
    service, page = SERVICES["service"], SERVICES["page"]
    assert page["environment"]["API"] == f"http://service:{service['environment']['PORT']}"
    port = page["environment"]["PORT"]
    assert service["environment"]["BOXWOOD_UI"] == f":{port}"
    assert page["ports"] == [f"127.0.0.1:{port}:{port}"], "browsers are sent there"


def test_what_is_answered_and_found_is_where_monitoring_has_it() -> None:
    service = SERVICES["service"]
    folders = {volume["target"]: volume for volume in service["volumes"]}
    settings = Settings.from_environment(service["environment"])
    assert folders[settings.journal]["source"] == "../stores/journal"
    assert "read_only" not in folders[settings.journal]
    assert folders[settings.watch]["source"] == f"../{store.DEFAULT}"
    assert folders[settings.watch]["read_only"]
    assert not service["user"].startswith(("0", "root"))


def test_no_secret_stands_in_the_file() -> None:
    text = remotes.COMPOSE.read_text()
    secret = re.compile(r"^\s*\w*(?:PASSWORD|SECRET|ACCESS_KEY|WEBHOOK)\w*: *(.*)$", re.MULTILINE)
    found = secret.findall(text)
    assert found
    assert all(value.startswith("${") for value in found)
    example = (DEPLOY / "compose.env.example").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert re.findall(r"^\w*(?:PASSWORD|SECRET|WEBHOOK)\w*=(.+)$", example, re.MULTILINE) == []


def test_mlflows_server_is_of_the_version_of_its_clients() -> None:
    [version] = re.findall(r"^mlflow==(\S+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert SERVICES["mlflow"]["image"].endswith(f":v{version}-full")


@pytest.mark.slow
@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: str(board.stem))
def test_a_dashboard_shows_metrics_that_there_are(
    board: Path, watched_service: httpx.Client, row: dict[str, Any]
) -> None:
    ask_everything(watched_service, row)
    there = metrics(watched_service)
    for title, query in queries(board).items():
        for name, labels in SELECTOR.findall(query):
            assert name in there, f"{title}: {name}"
            told = there[name] | {"job", "instance"}
            grouped = {label for by in re.findall(r"by \((.*?)\)", query) for label in by.split(", ")}
            assert set(re.findall(r"(\w+)!?[=~]", labels)) | grouped <= told, title


def test_grafana_finds_its_source_and_its_boards() -> None:
    provisioning = DEPLOY / "grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards/boxwood.yaml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    for board in DASHBOARDS:
        document = json.loads(board.read_text())
        assert {panel["datasource"]["uid"] for panel in document["panels"]} == {source["uid"]}


@pytest.mark.slow
def test_prometheus_answers_every_query_of_the_dashboards(
    watched_service: httpx.Client, row: dict[str, Any], tmp_path: Path
) -> None:
    missing = {title: query for board in DASHBOARDS for title, query in queries(board).items()}
    missing |= {f"{board.stem} {title}": query for board in DASHBOARDS for title, query in marks(board).items()}
    with watched.prometheus(watched_service, free_port(), tmp_path) as prometheus:
        deadline = time.monotonic() + 60
        while missing:
            assert time.monotonic() < deadline, missing
            ask_everything(watched_service, row)
            for title, query in list(missing.items()):
                answer = prometheus.get("/api/v1/query", params={"query": query}).json()
                assert answer["status"] == "success", f"{title}: {answer}"
                if any(float(series["value"][1]) >= 0 for series in answer["data"]["result"]):
                    del missing[title]
