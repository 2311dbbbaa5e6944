"""What stands behind the pipeline elsewhere, as real servers: S3, PostgreSQL, MLflow as in deploy/compose.yaml."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pytest
import yaml

from tests.project import DEV, ROOT, free_port, wait_until_ready

COMPOSE = ROOT / "deploy/compose.yaml"
SECRETS: Mapping[str, str] = {
    "POSTGRES_PASSWORD": "p@ss:w/rd %1",  # it has to arrive as it is, whatever is in it
    "S3_ACCESS_KEY": "reader",
    "S3_SECRET_KEY": "s3-secret",
    "GRAFANA_PASSWORD": "unused",
    "BOXWOOD_USER": "1000:1000",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
_POSTGRES = "postgres"


def services(variables: Mapping[str, str] = SECRETS) -> dict[str, dict[str, Any]]:
    """The services of deploy/compose.yaml, with variables in their places as `docker compose` puts them there."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return variables[name] if kind == "?" else variables.get(name, default)

    document = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()))
    found: dict[str, dict[str, Any]] = document["services"]
    return found


@dataclass(frozen=True)
class Storage:
    """An S3-compatible store: its address, and what its clients need to know."""

    url: str

    @property
    def keys(self) -> dict[str, str]:
        """The environment of a client."""
        return {
            "AWS_ACCESS_KEY_ID": SECRETS["S3_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": SECRETS["S3_SECRET_KEY"],
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def names(self, bucket: str) -> list[str]:
        """The names of the first thousand objects in a bucket."""
        answer = httpx.get(f"{self.url}/{bucket}", params={"list-type": "2"})
        return re.findall("<Key>(.*?)</Key>", answer.raise_for_status().text)


@contextlib.contextmanager
def storage(folder: Path) -> Iterator[Storage]:
    """An S3 server with the buckets of deploy/compose.yaml."""
    port = free_port()
    found = Storage(f"http://127.0.0.1:{port}")
    with running([str(DEV / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], folder / "s3.log", "/moto-api/", port):
        for _ in range(2):  # the second time they are there already
            _run("buckets", {"http://storage:8333": found.url})
        yield found


@contextlib.contextmanager
def bucket(folder: Path, name: str) -> Iterator[str]:
    """The address of a new bucket of an S3 server, which fsspec reaches by this process' environment."""
    with storage(folder) as found, pytest.MonkeyPatch.context() as patch:
        for variable, value in {**found.keys, "AWS_ENDPOINT_URL": found.url}.items():
            patch.setenv(variable, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # which may know another module's server
        fsspec.filesystem("s3").mkdir(name)
        yield f"s3://{name}"


@contextlib.contextmanager
def postgres() -> Iterator[int]:
    """A PostgreSQL server with the user and the empty database of deploy/compose.yaml; its port. Skips without one."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if not installed:
        pytest.skip("PostgreSQL is not installed; `make heavy-tools` installs it")
    settings = services()["postgres"]["environment"]
    user, database, port = settings["POSTGRES_USER"], settings["POSTGRES_DB"], str(free_port())
    # it refuses to be root, and its user may not enter pytest's folders
    who: Any = {"user": _POSTGRES, "group": _POSTGRES, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="boxwood-postgres-") as folder:
        password = Path(folder, "password")
        password.write_text(settings["POSTGRES_PASSWORD"])
        if who:
            for path in (folder, password):
                shutil.chown(path, _POSTGRES)
        tell: Any = {**who, "cwd": folder, "stdout": subprocess.DEVNULL, "env": {"PGPASSWORD": password.read_text()}}
        init = ("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--encoding=UTF8", "--locale=C")
        subprocess.run([installed[-1] / "initdb", "-D", "data", "-U", user, *init], check=True, **tell)
        options = [f"-c{name}" for name in ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(
                [installed[-1] / "postgres", "-D", "data", "-p", port, *options], **{**tell, "stderr": log}
            )
        try:
            where = ("-h", "127.0.0.1", "-p", port, "-U", user)
            deadline = time.monotonic() + 30
            while subprocess.run([installed[-1] / "pg_isready", *where], check=False, **tell).returncode:
                assert process.poll() is None, (Path(folder) / "log").read_text()
                assert time.monotonic() < deadline, (Path(folder) / "log").read_text()
                time.sleep(0.05)
            subprocess.run([installed[-1] / "createdb", *where, database], check=True, **tell)
            yield int(port)
        finally:
            process.send_signal(signal.SIGINT)  # it breaks connections off; SIGTERM would wait for them
            process.wait(30)


@contextlib.contextmanager
def mlflow(log: Path, database: int, objects: Storage) -> Iterator[str]:
    """The MLflow server of deploy/compose.yaml over a database and a store; its address."""
    port = free_port()
    places = {"postgres:5432": f"127.0.0.1:{database}", "http://storage:8333": objects.url}
    command, environment = _here("mlflow", places)
    command[command.index("--port") + 1] = str(port)
    command[command.index("--host") + 1] = "127.0.0.1"
    with running(command, log, "/health", port, environment):
        yield f"http://127.0.0.1:{port}"


def _here(service: str, places: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """How to run a service of deploy/compose.yaml on this machine: other servers are elsewhere, programs are ours."""
    description = services()[service]
    environment: dict[str, str] = description["environment"]
    for name, place in places.items():
        environment = {key: value.replace(name, place) for key, value in environment.items()}
    program, *arguments = description["command"]
    return [str(DEV / program), *arguments], {"PATH": f"{DEV}:{os.environ['PATH']}", **environment}


def _run(service: str, places: Mapping[str, str]) -> None:
    command, environment = _here(service, places)
    subprocess.run(command, env=environment, check=True)


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, path: str, port: int, environment: Mapping[str, str] | None = None
) -> Iterator[httpx.Client]:
    """A server that writes into `log`, once it answers `path` at a port; a client of it."""
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process, log, path)
            yield client
    finally:
        process.terminate()
        process.wait(30)
