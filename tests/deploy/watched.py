"""A service that journals and is watched, and what stands around it in the stack: Prometheus, Alertmanager, Slack."""

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml

from monitoring import exposition
from monitoring.verdict import ColumnDrift, Coverage, Figure, Finding, Performance, Verdict
from tests import remotes
from tests.project import ROOT, free_port

DEPLOY = ROOT / "deploy"
VERDICT = Verdict(
    model="flights",
    version="1",
    made=datetime.now(UTC).isoformat(timespec="seconds"),
    first="2026-11-29",
    last="2026-11-30",
    rows=4_000,
    status="alarm",
    sentence="Alarm: prices have risen.",
    findings=[Finding(kind="new_names", harmful=True, sentence="agency: a new name", column="agency")],
    columns=[ColumnDrift(name="agency", importance=0.1, psi=0.4, missing=0.02, missing_before=0.0, drifted=True)],
    divergence=0.2,
    separable=Figure(0.7, 0.65, 0.75),
    performance=[
        Performance(
            metric="mae", better="lower", before=Figure(20, 19, 21), estimated=Figure(25, 24, 26), labelled=300,
            true=Figure(30, 28, 32),
        )
    ],
    coverage=Coverage(0.9, Figure(0.8, 0.75, 0.85), 300),
)  # fmt: skip
"""One that has all that there is a metric for."""


def put(store: Path, **changes: Any) -> None:
    """Leave a verdict in a watch store, as `python -m monitoring drift` does."""
    verdict = msgspec.structs.replace(VERDICT, **changes)
    folder = store / verdict.model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.prom").write_bytes(exposition.text(verdict))
    (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict))


def program(*names: str) -> str:
    """A program under the first name by which the machine has it; without it, the test is skipped."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not installed; `make heavy-tools` installs it")
    return found


@contextlib.contextmanager
def prometheus(service: httpx.Client, alertmanager: int, folder: Path) -> Iterator[httpx.Client]:
    """Prometheus with the stack's configuration, but each second, of a service and an Alertmanager of this machine."""
    command = program("prometheus")
    port = free_port()
    configuration = re.sub(r"interval: 15s", "interval: 1s", (DEPLOY / "prometheus.yml").read_text())
    places = {
        "service:3000": f"{service.base_url.host}:{service.base_url.port}",
        "alertmanager:9093": f"127.0.0.1:{alertmanager}",
        "127.0.0.1:9090": f"127.0.0.1:{port}",
    }
    for name, place in places.items():
        assert name in configuration
        configuration = configuration.replace(name, place)
    (folder / "prometheus.yml").write_text(configuration)
    shutil.copy(DEPLOY / "alerts.yml", folder)
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}")
    with remotes.running([command, *options], folder / "prometheus.log", "/-/ready", port) as client:
        yield client


class Slack:
    """A server that takes what Slack's incoming webhooks take, and refuses other things in the same way.

    Attributes:
        url: the webhook.
        attachments: what it was sent, in order.
    """

    def __init__(self) -> None:
        self.url = ""
        self.attachments: list[dict[str, Any]] = []
        self._more = threading.Condition()

    def waits_for(self, title: str) -> dict[str, Any]:
        """The first message with this in its title."""
        with self._more:
            self._more.wait_for(lambda: any(title in each["title"] for each in self.attachments), 60)
            found = [each for each in self.attachments if title in each["title"]]
        assert found, self.attachments
        return found[0]

    def taken(self, body: bytes) -> bool:
        """Take a message; whether it has Slack's shape."""
        message = json.loads(body)
        if not _is_message(message):
            return False
        with self._more:
            self.attachments += message["attachments"]
            self._more.notify_all()
        return True

    @contextlib.contextmanager
    def listening(self) -> Iterator["Slack"]:
        """Listen on a port of this machine."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/secret"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _is_message(message: Any) -> bool:
    """Whether a webhook would take it: https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments."""
    texts = ("title", "text", "fallback", "color")
    return (
        isinstance(message, dict)
        and isinstance(message.get("attachments"), list)
        and 1 <= len(message["attachments"]) <= 100
        and all(isinstance(each.get(name), str) and each[name] for each in message["attachments"] for name in texts)
        and all(each["color"] in ("good", "warning", "danger") for each in message["attachments"])
        and all(re.fullmatch(r"https?://\S+", each["title_link"]) for each in message["attachments"])
        and all(len(each["text"]) <= 8_000 for each in message["attachments"])
    )


def _handler(slack: Slack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers as hooks.slack.com does."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            good = slack.url.endswith(self.path) and slack.taken(body)
            self.send_response(200 if good else 400)
            self.end_headers()
            self.wfile.write(b"ok" if good else b"invalid_payload")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 as the standard library calls it
            """Say nothing."""

    return Handler


@contextlib.contextmanager
def alertmanager(webhook: str, folder: Path) -> Iterator[httpx.Client]:
    """Alertmanager as the stack starts it, that waits a second where that waits longer."""
    command = program("prometheus-alertmanager", "alertmanager")
    port = free_port()
    configuration = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", (DEPLOY / "alertmanager.yml").read_text())
    [[slack]] = [receiver["slack_configs"] for receiver in yaml.safe_load(configuration)["receivers"]]
    secret, secret_here = slack["api_url_file"], str(folder / "webhook")
    (folder / "alertmanager.yml").write_text(configuration.replace(secret, secret_here))
    shutil.copy(DEPLOY / "slack.tmpl", folder)
    described = remotes.services({**remotes.SECRETS, "SLACK_WEBHOOK": webhook})["alertmanager"]
    [script] = described["command"]
    places = {
        "$$": "$",
        secret: secret_here,
        "/etc/alertmanager": str(folder),
        "=/alertmanager": f"={folder}/data",
        "exec alertmanager": f"exec {command} --web.listen-address=127.0.0.1:{port}",
    }
    for name, place in places.items():
        assert name in script
        script = script.replace(name, place)
    started = [*described["entrypoint"], script]
    with remotes.running(started, folder / "alertmanager.log", "/-/ready", port, described["environment"]) as client:
        yield client
