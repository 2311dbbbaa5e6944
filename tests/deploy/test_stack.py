"""The stack for one machine: what compose starts, what Prometheus reads, and what Grafana shows of it."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests import remotes
from tests.project import ROOT, free_port
from tests.serving.rest.test_http import EXPLAIN, PREDICT

DEPLOY = ROOT / "deploy"
SERVICES = remotes.services()
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
SUFFIXES = ("_total", "_bucket", "_sum", "_count")
"""What Prometheus adds to the names of counters and histograms."""


def queries(board: Path) -> dict[str, str]:
    """The expressions of a dashboard by title, as Prometheus gets them."""
    panels = json.loads(board.read_text())["panels"]
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m").replace("$model", ".*")
        for panel in panels
        for target in panel["targets"]
    }


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
        source = volume.split(":")[0]
        assert source in volumes or (volume.endswith(":ro") and (DEPLOY / source).exists())


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


def test_no_secret_stands_in_the_file() -> None:
    text = remotes.COMPOSE.read_text()
    secret = re.compile(r"^\s*\w*(?:PASSWORD|SECRET|ACCESS_KEY)\w*: *(.*)$", re.MULTILINE)
    found = secret.findall(text)
    assert found
    assert all(value.startswith("${") for value in found)
    example = (DEPLOY / "compose.env.example").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    assert re.findall(r"^\w*(?:PASSWORD|SECRET)\w*=(.+)$", example, re.MULTILINE) == []


def test_mlflows_server_is_of_the_version_of_its_clients() -> None:
    [version] = re.findall(r"^mlflow==(\S+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert SERVICES["mlflow"]["image"].endswith(f":v{version}-full")


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: str(board.stem))
def test_a_dashboard_shows_metrics_that_there_are(board: Path, client: httpx.Client, row: dict[str, Any]) -> None:
    ask_everything(client, row)
    families = text_string_to_metric_families(client.get("/metrics").text)
    there = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    for title, query in queries(board).items():
        for name, labels in re.findall(r"(boxwood_\w+)\{(.*?)\}", query):
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
    client: httpx.Client, row: dict[str, Any], tmp_path: Path
) -> None:
    program, tool = shutil.which("prometheus"), shutil.which("promtool")
    if program is None or tool is None:
        pytest.skip("Prometheus is not installed; `make heavy-tools` installs it")
    subprocess.run([tool, "check", "config", DEPLOY / "prometheus.yml"], check=True, capture_output=True)
    port = free_port()
    configuration = (DEPLOY / "prometheus.yml").read_text().replace("scrape_interval: 15s", "scrape_interval: 1s")
    configuration = configuration.replace("service:3000", f"{client.base_url.host}:{client.base_url.port}")
    (tmp_path / "prometheus.yml").write_text(configuration.replace("127.0.0.1:9090", f"127.0.0.1:{port}"))
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}")
    with remotes.running([program, *options], tmp_path / "prometheus.log", "/-/ready", port) as prometheus:
        missing = {title: query for board in DASHBOARDS for title, query in queries(board).items()}
        deadline = time.monotonic() + 60
        while missing:
            assert time.monotonic() < deadline, missing
            ask_everything(client, row)
            for title, query in list(missing.items()):
                answer = prometheus.get("/api/v1/query", params={"query": query}).json()
                assert answer["status"] == "success", f"{title}: {answer}"
                if any(float(series["value"][1]) >= 0 for series in answer["data"]["result"]):
                    del missing[title]
