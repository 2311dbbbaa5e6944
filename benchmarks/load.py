"""The clients that put load on a server: wrk for HTTP, h2load for gRPC and for fixed rates."""

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.options import GRPC_PORT, PORT

PROGRAMS = {"wrk": "wrk", "h2load": "nghttp2-client"}
"""The programs that are needed, and their Debian packages."""
_SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
{headers}
wrk.body = [==[{body}]==]
done = function(summary, latency)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{{"count": %d, "microseconds": %d, "p99": %d, "p999": %d, "worst": %d, "bad": %d}}',
    summary.requests, summary.duration, latency:percentile(99), latency:percentile(99.9), latency.max, bad))
end
"""

NO_HEADERS: Mapping[str, str] = {}


class Load(NamedTuple):
    """The results of a load on a server."""

    requests: float
    """A second."""
    p99: float
    """Milliseconds, as are the next."""
    p999: float
    worst: float
    bad: int
    """Requests that failed, and answers that are errors."""
    done: int
    """Requests in all."""

    @property
    def good(self) -> float:
        """Good answers a second; errors are answered quickly and must not count."""
        return self.requests * max(0.0, 1 - self.bad / max(1, self.done))


def demand_programs() -> None:
    """Exit with the packages to install if a program is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        sys.exit(f"The benchmark needs {' and '.join(missing)}. On Debian: apt-get install {packages}")


def once(path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, float]:
    """The status of one POST on a connection of its own, and the seconds until the whole answer was received."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    started = time.perf_counter()
    connection.request("POST", path, body, dict(headers))
    answer = connection.getresponse()
    answer.read()
    seconds = time.perf_counter() - started
    connection.close()
    return answer.status, seconds


def wrk(
    path: str, body: str, connections: int, seconds: int, work: Path, headers: Mapping[str, str] = NO_HEADERS
) -> Load:
    """HTTP requests in a closed loop: each connection sends the next request after an answer."""
    script = work / "request.lua"
    lines = (f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
    script.write_text(_SCRIPT.format(body=body, headers="\n".join(lines)))
    url = f"http://127.0.0.1:{PORT}{path}"
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script)]
    return read_wrk(_printed(["wrk", *options, url]))


def read_wrk(printed: str) -> Load:
    """Parse what our script makes wrk print."""
    line = re.search(r"^\{.*\}$", printed, re.MULTILINE)
    if line is None:
        sys.exit(f"wrk said something else than expected:\n{printed}")
    summary = json.loads(line[0])
    p99, p999, worst = (summary[name] / 1e3 for name in ("p99", "p999", "worst"))
    return Load(summary["count"] / summary["microseconds"] * 1e6, p99, p999, worst, summary["bad"], summary["count"])


def grpc(path: str, body: bytes, connections: int, streams: int, seconds: int, work: Path) -> Load:
    """Calls by gRPC. Its errors are in trailers, which h2load does not read: the caller counts the good ones."""
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    return _h2load([f"-c{connections}", f"-m{streams}", *headers], path, body, GRPC_PORT, seconds, work)


def steady(path: str, body: str, connections: int, rate: float | None, seconds: int, work: Path) -> Load:
    """HTTP/1.1 requests at a fixed rate a second, or in a closed loop without one."""
    options = ["--h1", f"-c{connections}", "-H", "content-type: application/json"]
    options += [] if rate is None else [f"--rps={rate / connections:.3f}"]  # --rps is the rate of one connection
    return _h2load(options, path, body.encode(), PORT, seconds, work)


def _h2load(options: list[str], path: str, body: bytes, port: int, seconds: int, work: Path) -> Load:
    data, log = work / "body", work / "h2load.log"
    data.write_bytes(body)
    log.unlink(missing_ok=True)
    command = ["h2load", *options, f"-D{seconds}", "-d", str(data), f"--log-file={log}"]
    return read_h2load(_printed([*command, f"http://127.0.0.1:{port}{path}"]), log.read_text())


def read_h2load(printed: str, log: str) -> Load:
    """Parse the rate that h2load prints, and the latencies from its log, where they are not rounded."""
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", printed)
    counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", printed)
    lines = np.array([line.split("\t") for line in log.splitlines()], dtype=np.int64).reshape(-1, 3)
    if rate is None or counts is None or not len(lines):
        sys.exit(f"h2load said something else than expected:\n{printed}")
    p99, p999, worst = (float(microseconds) / 1e3 for microseconds in np.percentile(lines[:, 2], [99, 99.9, 100]))
    done, failed = int(counts[1]), int(counts[3])
    refused = int((lines[:, 1] // 100 != 2).sum())
    return Load(float(rate[1]), p99, p999, worst, max(failed, refused), done)


def _printed(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
