"""What `make train` does, one run at a time: brings tables, runs the stages that are due, and says what came of them.

Registered versions that are named are brought into BentoML's store as they are.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from problems.base import Problem
from training.data import source
from training.evaluation import report
from training.registry import stores
from training.wanted import Wanted
from training.workspace import Workspace, atomic_file, exclusive_run, read_json, say, write_json
from validation.errors import SettingsError

_LEARNED = "plot"
"""The last stage before the registry."""
_HELD = Path(".dvc/tmp/rwlock")
"""Where DVC writes which process works on which file."""


class _Served(NamedTuple):
    """What is to be served of a part of the list: its exact tag, and whether it is the champion."""

    wanted: Wanted
    tag: str
    champion: bool = True


class Table(NamedTuple):
    """What the one problem that is trained learns from, see `training.data.source`; what is None stays as it is."""

    data: str | None = None
    sheet: str | None = None
    labelled: str | None = None


def learn(problem: Problem, table: Table) -> None:
    """Bring the table, and run the stages that need no registry; exits as DVC does if one fails.

    Raises:
        StoreError: another run is in progress.
        TableError: the table cannot be brought.
    """
    with exclusive_run() as lock:
        source.main(problem, *table)
        _reproduce(f"{_LEARNED}@{problem.name}", lock)


def main(wanted: Sequence[Wanted], table: Table, tags: Path | None = None) -> None:
    """Train what is to be trained, bring what is named by version, and report; exits as DVC does if it fails.

    Args:
        wanted: problems to train and registered versions, see `training.wanted`.
        table: of the one problem that is trained.
        tags: a file for the exact tags of what is to be served, with commas between them; left as it is if it has them.

    Raises:
        SettingsError: the list and `table` do not go together, or two parts of the list are the same model.
        StoreError: another run is in progress, MLflow's server is not there, or there is no such version.
        TableError: the table cannot be brought.
    """
    if (table.data or table.labelled) and (len(wanted) > 1 or wanted[0].called):
        raise SettingsError("DATA is the table of one problem: say which with PROBLEM=name, without a version.")
    trained = {each.problem.name for each in wanted if not each.called}

    def turn(each: Wanted) -> int:
        """Versions first, so that mistakes are found before anything is trained; last those that training may make."""
        return 0 if each.problem.name not in trained else 2 if each.called else 1

    with exclusive_run() as lock:
        stores.look()
        served = [
            _bring(each) if each.called else _Served(each, _train(each.problem, table, lock))
            for each in sorted(wanted, key=turn)
        ]
    _leave_tags(_answering_first(sorted(served, key=lambda one: wanted.index(one.wanted))), tags)


def _train(problem: Problem, table: Table, lock: int) -> str:
    """Bring the table, let DVC run what is due up to the packaged model, and report; returns the champion's tag."""
    source.main(problem, *table)
    workspace = Workspace(problem.name)
    stores.heal(workspace)
    before = _when(workspace.registered)
    _reproduce(f"package@{problem.name}", lock)
    report.main(problem, decided=_when(workspace.registered) != before)
    return str(read_json(workspace.packaged)["tag"])


def _when(receipt: Path) -> int:
    """When a receipt was written last, in nanoseconds; 0 where there is none."""
    return receipt.stat().st_mtime_ns if receipt.exists() else 0


def _reproduce(stage: str, lock: int) -> None:
    """Let DVC run what is due up to a stage; exits as it does if it fails."""
    _drop_stale_locks()
    command = [sys.executable, "-P", "-m", "dvc", "repro", stage]
    done = subprocess.run(command, check=False, pass_fds=[lock])  # it goes on if this process is killed
    if done.returncode:
        sys.exit(done.returncode)


def _bring(wanted: Wanted) -> _Served:
    """Bring a registered version into the model store; nothing is trained for it."""
    with stores.in_use():
        from mlflow import MlflowClient  # seconds, which a run without versions need not take

        from training.registry import aliases, champion, package

        client, name = MlflowClient(), wanted.problem.name
        version = aliases.find(client, name, wanted.called)
        now = champion.current(client, name)
        tag = package.bring_named(version)
    say("run", f"{wanted} is version {version.version}, {tag}")
    return _Served(wanted, tag, now is not None and now.version == version.version)


def _answering_first(served: Sequence[_Served]) -> list[_Served]:
    """In the order in which models were named; of the versions of one the champion first, which answers unless said.

    Raises:
        SettingsError: two of them are the same model.
    """
    names = list(dict.fromkeys(each.wanted.problem.name for each in served))
    ordered = sorted(served, key=lambda each: (names.index(each.wanted.problem.name), not each.champion))
    for place, each in enumerate(ordered):
        same = next((other for other in ordered[:place] if other.tag == each.tag), None)
        if same is not None:
            raise SettingsError(f"{same.wanted} and {each.wanted} are the same model, {each.tag}; name one of them.")
    return ordered


def _leave_tags(served: Sequence[_Served], path: Path | None) -> None:
    if len(served) > 1:
        say("run", "to serve: " + ", ".join(f"{each.tag} ({each.wanted})" for each in served))
    text = ",".join(each.tag for each in served) + "\n"
    if path is not None and not (path.exists() and path.read_text() == text):
        with atomic_file(path) as temporary:
            temporary.write_text(text)


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
