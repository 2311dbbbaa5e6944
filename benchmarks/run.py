"""python -m benchmarks.run TAG: single-row requests a second of our Bento and of its peers, interleaved in one run."""

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks import servers
from benchmarks.servers import Server

PORT = 8_123
CONNECTIONS = (1, 32, 128)
RESULTS = Path(__file__).parent / "results.md"
BESIDE = "FastAPI, careful"
"""Whom ratios are to."""
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Measured(NamedTuple):
    """One server at one number of connections in one round."""

    requests: float
    """A second."""
    p99: float
    """Milliseconds."""
    bad: int
    """Answers that are no 2xx."""
    ready: float
    """Seconds from the start."""
    memory: float
    """Resident, of all its processes, in MB."""


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag", help="the Bento")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--environments", type=Path, default=Path(".bench"))
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("The benchmark needs wrk. On Debian: apt-get install wrk")
    _prepare(options.environments)
    found: dict[tuple[str, int], list[Measured]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        boxwood = servers.ours(options.tag, PORT, Path(os.environ["BENTOML_HOME"]))
        field = [boxwood, servers.native(boxwood), *servers.peers(options.environments.absolute(), work, PORT)]
        for number in range(options.rounds):
            for server in field:
                for connections, measured in _measure(server, work, options.seconds):
                    found.setdefault((server.name, connections), []).append(measured)
                    print(number + 1, server.name, connections, measured, flush=True)
    table = _table([server.name for server in field], found)
    RESULTS.write_text(table)
    print(table)


def _prepare(environments: Path) -> None:
    """An environment a peer, made once."""
    for name, packages in servers.PEERS.items():
        folder = environments / name
        if not (folder / ".ready").exists():
            print(f"bench: making the environment of {name}", flush=True)
            subprocess.run(["uv", "venv", "--quiet", "--clear", str(folder)], check=True)
            install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "-p", str(folder / "bin/python")]
            subprocess.run([*install, *packages], check=True)
            (folder / ".ready").touch()


def _measure(server: Server, work: Path, seconds: int) -> Iterator[tuple[int, Measured]]:
    script = work / "request.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{server.body}]==]\n'
    )
    url = f"http://127.0.0.1:{PORT}{server.path}"
    with _running(server, work) as (process, ready):
        _wrk(url, script, 8, 2)
        for connections in CONNECTIONS:
            requests, p99, bad = _wrk(url, script, connections, seconds)
            yield connections, Measured(requests, p99, bad, ready, _memory(process))


@contextlib.contextmanager
def _running(server: Server, work: Path) -> Iterator[tuple[psutil.Process, float]]:
    log = work / "server.log"
    started = time.perf_counter()
    with log.open("w") as output:
        process = psutil.Popen(
            server.command, cwd=work, env=os.environ | server.environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        while not _answers(f"http://127.0.0.1:{PORT}{server.ready}"):
            if process.poll() is not None or time.perf_counter() - started > 120:
                sys.exit(f"{server.name} did not start:\n{log.read_text()[-2_000:]}")
            time.sleep(0.02)
        yield process, time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except psutil.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 loopback, and the scheme is ours
            return True
    except OSError:
        return False


def _memory(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return float(sum(one.memory_info().rss for one in family) / 1e6)


def _wrk(url: str, script: Path, connections: int, seconds: int) -> tuple[float, float, int]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    requests = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    if requests is None or p99 is None:
        sys.exit(f"wrk said something else than expected:\n{printed}")
    return float(requests[1]), float(p99[1]) * _MILLISECONDS[p99[2]], int(bad[1]) if bad else 0


def _table(names: list[str], found: dict[tuple[str, int], list[Measured]]) -> str:
    """Medians over the rounds, as Markdown."""
    heads = ["server", *(f"{count} connections" for count in CONNECTIONS), "beside", "ready", "memory", "not 2xx"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name in names:
        rounds = {count: found[name, count] for count in CONNECTIONS}
        cells = [
            f"{statistics.median(one.requests for one in measured):,.0f}/s, "
            f"p99 {statistics.median(one.p99 for one in measured):.1f} ms"
            for measured in rounds.values()
        ]
        other = statistics.median(one.requests for one in found[BESIDE, 32])
        cells.append(f"{statistics.median(one.requests for one in rounds[32]) / other:.2f}")
        everything = [one for measured in rounds.values() for one in measured]
        cells.append(f"{statistics.median(one.ready for one in everything):.1f} s")
        cells.append(f"{statistics.median(one.memory for one in everything):.0f} MB")
        cells.append(f"{sum(one.bad for one in everything):,}")
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + f"\n\n`beside`: requests a second at 32 connections, as a multiple of {BESIDE}.\n"


if __name__ == "__main__":
    main()
