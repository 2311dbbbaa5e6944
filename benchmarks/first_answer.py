"""From a file to the first answer: `make serve` in a fresh clone, in seconds and in memory, stage by stage.

    python -m benchmarks.first_answer [--rows 300000] [--table FILE.csv --target HEADER]

Where others use the machine too, OMP_WAIT_POLICY=PASSIVE keeps LightGBM's threads from waiting busily for each other.
The clone is of what is committed. The environments are those of this folder: setting them up is not counted.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import mixed_table
from serving.port import refusal

ROOT = Path(__file__).parent.parent
_ENVIRONMENTS = (".venv", ".venv-serving")
_MARK = "MEASURED_RUN"
_EVERY, _LONGEST = 0.1, 3_600.0
_STAGE = re.compile(r"-m training (?P<stage>\w+)|(?P<other>dvc repro|bentoml build|bentoml serve|_bentoml_impl|-m ui)")


@dataclass
class Seen:
    """A process of the run: when it was first and last seen, its seconds of CPU, and its greatest memory in MB."""

    called: str
    first: float
    last: float
    cpu: float = 0.0
    peak: float = 0.0


@dataclass
class Watch:
    """Looks at every process of a run, ten times a second, until it is told to stop.

    Attributes:
        mark: what the environment of each of them has.
        seen: by process id.
        whole: the greatest sum of their resident memory in MB; what they share is counted more than once.
    """

    mark: str
    seen: dict[int, Seen] = field(default_factory=dict)
    whole: float = 0.0
    _strange: set[int] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        """Look until told to stop."""
        started = time.perf_counter()
        while not self._over.wait(_EVERY):
            self._look(time.perf_counter() - started)

    def stop(self) -> None:
        """End it."""
        self._over.set()

    def _look(self, now: float) -> None:
        resident = 0.0
        for number in psutil.pids():
            if number in self._strange:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(number)
                if number not in self.seen and process.environ().get(_MARK) != self.mark:
                    self._strange.add(number)
                    continue
                one = self.seen.setdefault(number, Seen("", now, now))
                one.called, one.last = _called(process) or one.called, now
                one.cpu = sum(process.cpu_times()[:2])
                one.peak = max(one.peak, _peak(number))
                resident += process.memory_info().rss / 1e6
        self.whole = max(self.whole, resident)


def _called(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    found = _STAGE.search(line)
    return (found["stage"] or found["other"].removeprefix("-m ")) if found else Path(line.split(" ")[0]).name


def _peak(number: int) -> float:
    """The greatest resident memory that a process has had, in MB, as Linux counts it."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{number}/status").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def fresh(folder: Path) -> Path:
    """A clone of what is committed, with the environments that are here."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    for locked in (clone / "requirements").glob("*.txt"):  # make would set environments up that are older
        os.utime(locked, (0, 0))
    for environment in _ENVIRONMENTS:
        (clone / environment).symlink_to((ROOT / environment).resolve())
    ready = [f"{environment}/.ready" for environment in _ENVIRONMENTS]
    if subprocess.run(["make", "--question", *ready], cwd=clone, check=False).returncode:
        raise SystemExit("The environments of this folder are not ready: run `make setup` first.")
    return clone


def measured(clone: Path, table: Path, target: str) -> tuple[float, Watch]:
    """The seconds from `make serve` to the first answered request, and what was seen of its processes."""
    port, grpc, page = _free(3)
    watch = Watch(uuid.uuid4().hex)
    kept = ("BENTOML_HOME", "MLFLOW_TRACKING_URI", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in kept} | {_MARK: watch.mark}
    asked = [f"DATA={table}", f"TARGET={target}", f"PORT={port}", f"GRPC_PORT={grpc}", f"UI_PORT={page}"]
    thread = threading.Thread(target=watch)
    log = clone / "make.log"
    thread.start()
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            ["make", "serve", *asked], cwd=clone, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while not (answered := _answer(f"http://127.0.0.1:{port}/v1/models")):
                if process.poll() is not None or time.perf_counter() - started > _LONGEST:
                    raise SystemExit(f"There was no answer:\n{log.read_text()[-3_000:]}")
                time.sleep(0.05)
            seconds = time.perf_counter() - started
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            watch.stop()
            thread.join()
            process.wait(60)
    print(f"The first answer: {answered}")
    return seconds, watch


def _answer(models: str) -> str:
    """What the served model answers to its own example; empty while nobody answers."""
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(models, timeout=5) as response:  # noqa: S310 loopback
            name = json.load(response)["models"][0]
        with urllib.request.urlopen(f"{models}/{name}", timeout=5) as response:  # noqa: S310 loopback
            columns = json.load(response)["contract"]
        row = {each["name"]: each["example"] for each in columns if each.get("role", "feature") in ("feature", "time")}
        body = json.dumps({"instances": [row]}).encode()
        request = urllib.request.Request(  # noqa: S310 loopback
            f"{models}/{name}:predict", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 loopback
            return str(response.read().decode())[:200]
    return ""


def _free(count: int) -> list[int]:
    return [number for number in range(23_000, 24_000) if not refusal("127.0.0.1", number, "PORT")][:count]


def told(seconds: float, watch: Watch, size: int) -> str:
    """A line a process that took a second or 100 MB, in the order in which they began."""
    lines = [f"{seconds:.1f} s to the first answer, of a table of {size / 1e6:.1f} MB", ""]
    lines += ["| process | began at, s | seconds | of CPU | peak, MB |", "|---|---|---|---|---|"]
    for one in sorted(watch.seen.values(), key=lambda one: one.first):
        if one.last - one.first >= 1 or one.peak >= 100:
            lasted = one.last - one.first
            lines.append(f"| {one.called} | {one.first:.1f} | {lasted:.1f} | {one.cpu:.1f} | {one.peak:.0f} |")
    largest = max(watch.seen.values(), key=lambda one: one.peak)
    lines += ["", f"The largest process is {largest.called}, {largest.peak:.0f} MB; all at once {watch.whole:.0f} MB."]
    return "\n".join(lines)


def main() -> None:
    """Write the table, serve it from a fresh clone, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--table", type=Path, help="another table than the made-up one")
    parser.add_argument("--target", default=mixed_table.TARGET)
    parser.add_argument("--log", type=Path, help="keep what make printed there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table = asked.table or Path(name) / "Offers of flats.csv"
        if asked.table is None:
            mixed_table.write(table, asked.rows)
        clone = fresh(Path(name))
        load = os.getloadavg()[0]
        seconds, watch = measured(clone, table.resolve(), asked.target)
        print(f"{told(seconds, watch, table.stat().st_size)}\nThe load before was {load:.1f}.")
        if asked.log:
            asked.log.write_text((clone / "make.log").read_text())


if __name__ == "__main__":
    main()
