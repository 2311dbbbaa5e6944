"""What `make train` does: one problem's table, the stages that are due, and what came of them; one run at a time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from problems.base import Problem
from training.data import source
from training.evaluation import report
from training.registry import stores
from training.workspace import Workspace, exclusive_run, say, write_json

_HELD = Path(".dvc/tmp/rwlock")
"""Where DVC writes which process works on which file."""


def main(problem: Problem, data: str | None = None) -> None:
    """Bring the table, let DVC run what is due up to the packaged model, and report; exits as DVC does if it fails.

    Raises:
        StoreError: another run is in progress, or MLflow's server is not there.
        TableError: the table cannot be brought.
    """
    with exclusive_run() as lock:
        stores.look()
        source.main(problem, data)
        stores.heal(Workspace(problem.name))
        _drop_stale_locks()
        command = [sys.executable, "-P", "-m", "dvc", "repro", f"package@{problem.name}"]
        done = subprocess.run(command, check=False, pass_fds=[lock])  # it goes on if this process is killed
    if done.returncode:
        sys.exit(done.returncode)
    report.main(problem)


def _drop_stale_locks() -> None:
    """Remove ended processes from DVC's lock file: it would wait for their ids, whichever process has them now."""
    try:
        held: dict[str, dict[str, Any]] = json.loads(_HELD.read_text())
    except FileNotFoundError:
        return
    except ValueError:  # killed while it wrote
        _HELD.unlink()
        return
    gone = {entry["pid"] for entry in _entries(held) if not _is_dvc(entry["pid"])}
    if not gone:
        return
    say("run", f"DVC's lock of process {', '.join(map(str, sorted(gone)))}, which is gone, was removed")
    writing = {path: entry for path, entry in held.get("write", {}).items() if entry["pid"] not in gone}
    reading = {
        path: left
        for path, entries in held.get("read", {}).items()
        if (left := [entry for entry in entries if entry["pid"] not in gone])
    }
    write_json(_HELD, {"write": writing, "read": reading})


def _entries(held: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [*held.get("write", {}).values(), *(entry for entries in held.get("read", {}).values() for entry in entries)]


def _is_dvc(pid: int) -> bool:
    """Whether this process is DVC and runs: a zombie keeps its id, and another program may have got it since."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in part for part in process.cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
