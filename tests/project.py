"""A copy of the project in a folder of its own, used as a person uses it: by its commands."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from serving.lifecycle import GRACE_SECONDS
from training.workspace import Workspace

ROOT = Path(__file__).parent.parent
DEV = Path(sys.executable).parent
SERVING = ROOT / ".venv-serving/bin"
CODE = (
    "clusters",
    "model",
    "monitoring",
    "problems",
    "serving",
    "storage",
    "training",
    "validation",
    "requirements",
    "service.py",
    "bentofile.yaml",
)
MAKEFILES = ("Makefile", "deploy/release.mk")
OF_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"} | {
    name
    for makefile in MAKEFILES
    for name in re.findall(r"(?:\$\((?:value )?|export (?=BOXWOOD_))([A-Z][A-Z_]*)", (ROOT / makefile).read_text())
    if name != "PATH"
}
"""What `make` hands on, and the next one takes for what was typed: its own variables, and those of the Makefiles."""
PIPELINE = ("dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config", ".dvc/.gitignore")
_COMMANDS = """
import sys
from training.__main__ import main
failed = [main(line.split()) for line in sys.argv[1:]]
sys.exit(any(failed))
"""
_ALONE = {"num_threads": 1}  # threads of several runs beside each other wait for one another
SHIPPED = ("california", "churn", "flights", "istanbul")
"""The problems that are the project's own; a working tree may have more."""
SMALL: Mapping[str, Any] = {
    "source": {"rows": 6_000, "seed": 7},
    "train": {"rounds": 60, "booster": _ALONE},
    "evaluate": {"resamples": 50, "slice_rows": 200},
}
"""Changes to the parameters of flights that make a run short."""
SMALL_CHURN: Mapping[str, Any] = {
    "train": {"rounds": 150, "stop_after": 20, "booster": _ALONE},
    "evaluate": {"resamples": 50, "folds": 2, "slice_rows": 50},
}
"""The same for churn."""
SMALL_ISTANBUL: Mapping[str, Any] = {
    "train": {"rounds": 80, "stop_after": 20, "booster": {**_ALONE, "learning_rate": 0.1, "num_leaves": 7}},
    "evaluate": {"resamples": 50, "folds": 2, "slice_rows": 50},
}
"""The same for istanbul."""
ANY_CHALLENGER: Mapping[str, Any] = {"promote": {"tolerance": 1e9}}
"""For tests in which a worse model must take the champion's place."""


def parameters() -> str:
    """The text of params.yaml as in a fresh clone: a working tree may have tables of other problems."""
    return re.sub(r"(?m)^problems: \[.*?\]", "problems: [flights]", (ROOT / "params.yaml").read_text())


@dataclass(frozen=True)
class Project:
    """The project's files in `folder`. Unless it has code of its own, code is imported from the repository.

    Attributes:
        counted: whether its commands count towards the coverage, which makes them half as fast again.
        variables: what its commands see besides the environment.
        tls: what clients of its servers trust and show; None where they are asked over plain HTTP.
    """

    folder: Path
    own_code: bool = False
    counted: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    @classmethod
    def create(cls, folder: Path, changes: Mapping[str, Any] = SMALL) -> "Project":
        """Copy the project into `folder`, with changed parameters for flights."""
        for name in (*CODE, *PIPELINE):
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")  # as make does where there is no Git
        (folder / "params.yaml").write_text(parameters())
        project = cls(folder)
        project.change_params(changes)
        return project

    def copy(self, folder: Path) -> "Project":
        """The same project, with all that it made, in another folder."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("tmp"), dirs_exist_ok=True)
        return Project(folder, variables=self.variables)

    def uncounted(self) -> "Project":
        """The same project, whose commands do what others that are counted do too."""
        return replace(self, counted=False)

    def over_tls(self, context: ssl.SSLContext) -> "Project":
        """The same project, whose servers are asked over HTTPS."""
        return replace(self, tls=context)

    def change_params(self, changes: Mapping[str, Any], problem: str = "flights") -> None:
        """Merge `changes` into params.yaml, below a problem."""
        path = self.folder / "params.yaml"
        document = yaml.safe_load(path.read_text())
        merge(document[problem], changes)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def environment(self) -> dict[str, str]:
        """What its commands see."""
        # MLflow puts its address into the environment of whoever uses it
        strange = ("BOXWOOD_", "MLFLOW_TRACKING", "MLFLOW_REGISTRY", *(() if self.counted else ("COVERAGE_",)))
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(strange)},
            "PATH": f"{DEV}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder if self.own_code else ROOT),
            "PYTHONSAFEPATH": "1",
            "BENTOML_HOME": str(self.folder / "stores/bentoml"),
            **self.variables,
        }

    def run(self, *command: str, fails: bool = False, **environment: str) -> str:
        """Run a command in the project's folder and return what it printed, stdout and stderr."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{command} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def kill_when(self, command: Sequence[str], says: Callable[[str], bool]) -> None:
        """Start a command, and kill it with all its children at the first line that `says` so."""
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if says(line):
                    os.killpg(process.pid, signal.SIGKILL)

    def train(self, *source: str, problem: str = "flights") -> str:
        """Bring the raw table and run the pipeline, as `make train` does."""
        return self.run("python", "-m", "training", "run", problem, *source)

    def training(self, *commands: str, fails: bool = False) -> str:
        """Run `python -m training COMMAND` for each, in one process, which is sooner done."""
        return self.run("python", "-c", _COMMANDS, *commands, fails=fails)

    def stages(self, *names: str, problem: str = "flights") -> str:
        """Run stages one after the other in one process, which takes half of what `dvc repro` does."""
        return self.training(*(f"{name} {problem}" for name in names))

    def receipt(self, name: str = "packaged", problem: str = "flights") -> dict[str, Any]:
        """The receipt that registering or packaging left."""
        document: dict[str, Any] = json.loads((self.folder / getattr(Workspace(problem), name)).read_text())
        return document

    def build(self, *arguments: str) -> str:
        """Build a Bento and return its tag."""
        printed = self.run("bentoml", "build", "--output", "tag", *arguments)
        return printed.rsplit("__tag__:", 1)[1].strip()

    def source(self, bento: str) -> Path:
        """Where the code of a Bento lies."""
        return self.folder / "stores/bentoml/bentos" / bento.replace(":", "/") / "src"

    @contextlib.contextmanager
    def serve(self, bento: str, folder: Path, binaries: Path = DEV, **environment: str) -> Iterator[httpx.Client]:
        """`bentoml serve` from another folder, where no source lies, and a client of it once it is ready."""
        with self.start(bento, folder, binaries, **environment) as (client, _):
            yield client

    @contextlib.contextmanager
    def start(
        self, bento: str, folder: Path, binaries: Path = DEV, **environment: str
    ) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
        """The same, with the process of the supervisor."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        command = [str(binaries / "bentoml"), "serve", bento, "--host", "127.0.0.1", "--port", str(port)]
        command += ["--timeout-graceful-shutdown", str(GRACE_SECONDS)]
        with self._running(command, folder, port, environment) as started:
            yield started

    @contextlib.contextmanager
    def start_alone(
        self, bento: str, *, grpc_port: str = "", **environment: str
    ) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
        """A worker without a supervisor, in the folder of its Bento; `grpc_port` is its platform's port, for gRPC."""
        port = free_port()
        if grpc_port:
            environment |= {"BOXWOOD_TRANSPORT": "grpc", "BOXWOOD_HTTP_PORT": str(port)}
        command = [str(DEV / "python"), "-m", "serving.alone", "--port", grpc_port or str(port)]
        with self._running(command, self.source(bento), port, environment) as started:
            yield started

    @contextlib.contextmanager
    def _running(
        self, command: Sequence[str], folder: Path, port: int, environment: Mapping[str, str]
    ) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
        log = folder / "server.log"
        variables = {name: value for name, value in self.environment.items() if not name.startswith("PYTHON")}
        variables |= {"BOXWOOD_GRPC_PORT": "0", **environment}
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=60, verify=self.tls or True) as client:
                wait_until_ready(client, process, log)
                yield client, process
        finally:
            process.terminate()
            process.wait(30)


def workers(supervisor: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The workers of `bentoml serve` that live."""
    found = []
    for process in psutil.Process(supervisor.pid).children():
        with contextlib.suppress(psutil.Error):  # it is just ending
            if "_bentoml_impl.worker.service" in process.cmdline():
                found.append(process)
    return found


def merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put `changes` into a document, section by section, however deep."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            merge(document.setdefault(name, {}), value)
        else:
            document[name] = value


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path, path: str = "/readyz") -> None:
    """Poll a path; fails with the server's log if it ends or does not become ready."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get(path).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"The server did not become ready:\n{log.read_text()}")
