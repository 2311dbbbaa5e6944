"""A cluster of real processes: Dask's scheduler, and workers with nannies and a limit of memory."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.project import ROOT, Project, free_port

PYTHON = ROOT / ".venv-engines/bin/python"


@dataclass
class Cluster:
    """Processes that begin and end with `running`.

    Attributes:
        project: whose code they run.
        logs: a folder for what they say.
        port: of the scheduler.
    """

    project: Project
    logs: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    nannies: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def begin(self, *, knows: bool = True) -> None:
        """Start a scheduler where the last one was, which knows the project or not."""
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", str(self.port), knows=knows)

    def add(self, workers: int, memory: str = "1.5GB") -> None:
        limits = ("--nthreads", "1", "--memory-limit", memory)
        self.nannies += [self._started("worker", self.address, *limits) for _ in range(workers)]

    def kill_a_worker(self) -> None:
        """Kill the process of the first one; its nanny starts another."""
        self._worker().kill()

    def kill_a_worker_at_work(self) -> None:
        """Kill it once LightGBM's network of all workers is there, after which nothing but trees grows."""
        worker = self._worker()
        while b"Local rank: " not in b"".join(path.read_bytes() for path in self.logs.glob("worker-*.log")):
            time.sleep(0.005)
        worker.kill()

    def _worker(self) -> psutil.Process:
        children = psutil.Process(self.nannies[0].pid).children()
        [worker] = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return worker

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def end(self) -> None:
        for log in self.logs.glob("worker-*.log"):
            log.rename(log.with_suffix(".before"))
        for process in (self.scheduler, *self.nannies):
            if process is None or process.poll() is not None:
                continue
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()
            process.wait()
        self.nannies.clear()

    def _started(self, *arguments: str, knows: bool = True) -> subprocess.Popen[bytes]:
        environment = self.environment if knows else {**self.environment, "PYTHONPATH": ""}
        with (self.logs / f"{arguments[0]}-{time.monotonic_ns()}.log").open("wb") as log:
            command = [str(PYTHON.with_name("dask")), *arguments, "--no-dashboard"]
            return subprocess.Popen(command, cwd=self.logs, env=environment, stdout=log, stderr=log)

    @property
    def environment(self) -> dict[str, str]:
        return {**self.project.uncounted().environment, "OMP_WAIT_POLICY": "passive"}

    def train(
        self,
        problem: str,
        table: Path,
        moments: Sequence[tuple[str, Callable[[], None]]] = (),
        *,
        fails: bool = False,
        at: str = "",
    ) -> str:
        """Run the command and return what it said; at the first line that has the text of a moment, it is called.

        The scheduler is this cluster's, or the one at another address.
        """
        asked = ("run", problem, "--data", str(table), "--scheduler", at or self.address)
        waiting, said = list(moments), list[str]()
        with subprocess.Popen(
            [str(PYTHON), "-m", "training", *asked],
            cwd=self.project.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if waiting and waiting[0][0] in line:
                    waiting.pop(0)[1]()
        text = "".join(said)
        assert not waiting, text
        assert (process.returncode != 0) == fails, text
        return text


@contextlib.contextmanager
def running(project: Project, logs: Path) -> Iterator[Cluster]:
    """A cluster without workers yet; all its processes end with it."""
    cluster = Cluster(project, logs)
    cluster.begin()
    try:
        yield cluster
    finally:
        cluster.end()
