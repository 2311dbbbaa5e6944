"""The processes of a server: start, readiness, memory, stop."""

import contextlib
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.servers import Server

_LONGEST_START = 120.0


class Memory(NamedTuple):
    """Resident memory in MB."""

    worker: float
    whole: float
    """Of all processes of the server."""


@dataclass(frozen=True)
class Running:
    """A server that is ready."""

    family: list[psutil.Process]
    ready: float
    """Seconds from the start until it was ready."""

    @property
    def worker(self) -> psutil.Process:
        """The process that answers: a supervisor's largest child, or the only process there is."""
        return max(self.family[1:] or self.family, key=lambda process: int(process.memory_info().rss))

    @property
    def processor_seconds(self) -> float:
        """The processor time that the worker has taken, its threads' included."""
        times = self.worker.cpu_times()
        return float(times.user + times.system)

    @property
    def memory(self) -> Memory:
        """The current memory."""
        sizes = [process.memory_info().rss / 1e6 for process in self.family]
        return Memory(max(sizes[1:] or sizes), sum(sizes))

    @property
    def peak(self) -> float:
        """The peak resident memory of the worker in MB, from Linux (VmHWM)."""
        status = Path(f"/proc/{self.worker.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6


@dataclass(frozen=True)
class Begun:
    """A server that was started and may not be ready."""

    server: Server
    process: psutil.Popen
    started: float
    """On time.perf_counter's clock."""
    log: Path

    def until_ready(self) -> Running:
        """Wait until the server is ready. Exits with its log if it does not start."""
        while not _ready(self.server):
            if self.process.poll() is not None or time.perf_counter() - self.started > _LONGEST_START:
                sys.exit(f"{self.server.name} did not start:\n{self.log.read_text()[-2_000:]}")
            time.sleep(0.02)
        ready = time.perf_counter() - self.started
        return Running([self.process, *self.process.children(recursive=True)], ready)


@contextlib.contextmanager
def begun(server: Server, work: Path) -> Iterator[Begun]:
    """Start a server, without waiting for it; it is stopped afterwards."""
    log = work / f"server-{server.port}.log"
    started = time.perf_counter()
    with log.open("w") as output:
        process = psutil.Popen(
            server.command, cwd=server.folder or work, env=os.environ | server.environment, stdout=output,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield Begun(server, process, started, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except psutil.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def running(server: Server, work: Path) -> Iterator[Running]:
    """Start a server and wait until it is ready; it is stopped afterwards. Exits with its log if it does not start."""
    with begun(server, work) as process:
        yield process.until_ready()


def _ready(server: Server) -> bool:
    try:
        if not server.ready:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return True
        url = f"http://127.0.0.1:{server.port}{server.ready}"
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False
