"""`python -m deploy` against the stand-in, as a person or a workflow runs it."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.api_core import exceptions
from google.cloud import run_v2

from deploy.cloud.monitoring import EMULATOR as MONITORING
from deploy.config import Transport
from deploy.release import lease, traffic
from deploy.release.cloud_run import EMULATOR
from tests.deploy.administration import Administration
from tests.deploy.standin import StandIn
from tests.project import ROOT

HTTP, GRPC = "boxwood", "boxwood-grpc"
TRANSPORTS: Mapping[str, Transport] = {HTTP: "http", GRPC: "grpc"}
PATIENT: Mapping[str, Any] = {
    "requests": 12,
    "seconds": 0.5,
    "max_slowdown": 5,
    "slack_ms": 200,
    "ready_seconds": 60,
    "callers_seconds": 0,
}
"""A short watch, on a machine where several revisions share two cores."""


def image(name: str) -> str:
    """A reference by digest; another for each name."""
    return f"registry.example/boxwood@sha256:{hashlib.sha256(name.encode()).hexdigest()}"


@dataclass(frozen=True)
class Releases:
    """The command with a configuration of its own; `transports` are its services'."""

    cloud: StandIn
    folder: Path
    transports: Mapping[str, Transport] = field(default_factory=lambda: TRANSPORTS)
    canary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The file of settings."""
        file = self.folder / "cloudrun.yaml"
        if not file.exists():
            services = [{"name": name, "transport": transport} for name, transport in self.transports.items()]
            known = {
                "project": "boxwood",
                "region": "europe-west1",
                "services": services,
                "ledger": str(self.folder / "ledger"),
            }
            file.write_text(yaml.safe_dump(known | {"canary": {**PATIENT, **self.canary}}))
        return file

    @property
    def environment(self) -> dict[str, str]:
        """What the command sees."""
        emulators = {EMULATOR: self.cloud.address, MONITORING: self.cloud.monitoring.address}
        return {**os.environ, **emulators, "PYTHONPATH": str(ROOT), "GITHUB_ACTOR": ""}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run a command; its output is one text."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy", "--config", str(self.config), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run a command to its end and return what it printed."""
        process = self.start(*arguments)
        printed = process.communicate(timeout=300)[0]
        assert (process.returncode != 0) == fails, f"{arguments} exited with {process.returncode}:\n{printed}"
        assert "Traceback" not in printed
        return printed

    def services(self) -> dict[str, run_v2.Service]:
        """The services that there are."""
        found = {}
        with Administration.of(self.cloud.address) as admin:
            for name in self.transports:
                with contextlib.suppress(exceptions.NotFound):
                    found[name] = admin.get(name)
        return found

    def splits(self) -> dict[str, dict[str, int]]:
        """What is asked for and served, which has to be one; nobody may be at work."""
        found = {}
        for name, service in self.services().items():
            assert lease.of(service) is None
            assert traffic.split(service) == traffic.observed(service)
            found[name] = traffic.split(service)
        return found
