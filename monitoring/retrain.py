"""A verdict or a schedule retrains: the table and the labelled rows go through the pipeline, which may say no.

Training is another process, called by its command line; what came of it is in the registry's receipt.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from model import receipts
from model.receipts import Registered
from monitoring import published, reference, runs
from monitoring.runs import Run, Trigger
from monitoring.store import Store
from problems import base, parameters
from validation.errors import BoxwoodError, StoreError

FOLDER = Path("stores/retraining")
"""Where the labelled rows wait for training, and who runs locks; they are as private as the table."""


class RetrainParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`fewest_labelled`: no retraining is begun with fewer rows whose true values are known."""

    fewest_labelled: int = 1_000


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
        model: the problem's name.
        data: the table to bring first; None for the one of before.
        scheduled: retrain whatever the verdict says.
    """

    model: str
    data: str | None = None
    scheduled: bool = False


class Start(NamedTuple):
    """Whether a run begins, what begins it, and why or why not in a sentence."""

    begins: bool
    trigger: Trigger
    because: str


class _NothingToDo(Exception):
    """Why a run ends before anything is trained, and what was decided before."""

    def __init__(self, reason: str, receipt: Registered | None = None) -> None:
        self.receipt = receipt
        super().__init__(reason)


Labelled = Callable[[Store], pd.DataFrame]
"""Gives the rows whose true values have come, the oldest first: the contract's inputs and target, and keys where those
are known; other columns are ignored."""


def main(wanted: Wanted, labelled: Labelled) -> Run:
    """Retrain a model if there is a reason to, and say what came of it.

    Repeating it is harmless: what was decided is not decided again. So is interrupting it: a version becomes champion
    in one step, or does not, and the next call goes on from what DVC and the checkpoints have.

    Returns:
        The run, as the watch store has it.

    Raises:
        StoreError: another is running in this folder, or the watch store cannot be used.
        SettingsError: params.yaml has no such problem.
    """
    params = parameters.section(wanted.model, "retrain", RetrainParams)
    store = Store(wanted.model)
    with _alone(wanted.model) as (lock, where):
        for left in runs.interrupted(store, where):
            _say(f"run {left.id} never ended; it is marked as interrupted")
        start = _start(store, wanted)
        run = runs.begun(store, start.trigger, start.because, where)
        _say(start.because)
        try:
            rows = _rows(store, start, labelled)
            run = runs.changed(store, run, labelled=len(rows))
            after = _decided(store, run, wanted, _file(wanted, rows, params), lock)
            status: runs.Status = "promoted" if after.promoted else "refused"
            run = runs.ended(store, run, status, after.reasons, **_members(after))
        except _NothingToDo as why:
            run = runs.ended(store, run, "nothing to do", [str(why)], **_members(why.receipt))
        except KeyboardInterrupt:
            runs.ended(store, run, "interrupted", ["somebody stopped it"])
            raise
        except (BoxwoodError, OSError) as error:
            run = runs.ended(store, run, "failed", [str(error)])
    _say(f"{run.status}: {'; '.join(run.reasons)}")
    return run


def learn(wanted: Wanted, labelled: Labelled) -> None:
    """Do what takes long of a retraining and needs no registry, so that `main` has the rest to do; decides nothing.

    Raises:
        StoreError: another is running in this folder, the watch store cannot be used, or training fails.
        SettingsError: params.yaml has no such problem.
    """
    params = parameters.section(wanted.model, "retrain", RetrainParams)
    store = Store(wanted.model)
    with _alone(wanted.model) as (lock, _):
        try:
            file = _file(wanted, _rows(store, _start(store, wanted), labelled), params)
        except _NothingToDo as why:
            _say(f"nothing to learn: {why}")
            return
        _train(store, wanted, file, lock, "--learn")


def _start(store: Store, wanted: Wanted) -> Start:
    verdict = published.previous(store)
    alarmed = verdict is not None and verdict.status == "alarm"
    if verdict is not None and alarmed and _served(wanted.model) in ("", verdict.version):
        return Start(True, "verdict", f"alarm of {verdict.made}: {verdict.sentence}")
    if wanted.scheduled:
        return Start(True, "schedule", "a schedule, whatever the verdict says")
    if verdict is None:
        told = f"there is no verdict on '{wanted.model}'; `python -m monitoring drift {wanted.model}` makes one"
    elif alarmed:
        told = f"the alarm of {verdict.made} is of version {verdict.version}, which is not the champion any more"
    else:
        told = f"the verdict of {verdict.made} is no alarm: {verdict.sentence}"
    return Start(False, "verdict", f"{told} (--scheduled retrains all the same)")


def _served(model: str) -> str:
    """The version that the model store's receipt names; empty without one."""
    try:
        receipt = msgspec.json.decode(receipts.path(model).read_bytes(), type=dict[str, str | None])
    except FileNotFoundError:
        return ""
    return (receipt["tag"] or "").partition(":")[2]


def _rows(store: Store, start: Start, labelled: Labelled) -> pd.DataFrame:
    if not start.begins:
        raise _NothingToDo(start.because)
    return labelled(store)


def _file(wanted: Wanted, rows: pd.DataFrame, params: RetrainParams) -> Path | None:
    """The file of labelled rows; None where they are few, and a new table is learned from without them."""
    if len(rows) < params.fewest_labelled:
        few = f"{len(rows):,} labelled rows are too few to retrain on; {params.fewest_labelled:,} are wanted"
        if not wanted.data:
            command = f"`python -m monitoring outcomes {wanted.model} TABLE`"
            raise _NothingToDo(f"{few} ({command} brings true values, and --data a new table)")
        _say(f"{few}, so the new table is learned from without them")
        return None
    file = _left(wanted.model, rows)
    before = receipts.read_registered(wanted.model)
    if not wanted.data and before is not None and before.labelled == hashlib.sha256(file.read_bytes()).hexdigest():
        raise _NothingToDo(_told(before), before)
    return file


def _decided(store: Store, run: Run, wanted: Wanted, file: Path | None, lock: int) -> Registered:
    """Train and have the registry decide; raises _NothingToDo if it had decided on the same before."""
    before = receipts.read_registered(wanted.model)
    _train(store, wanted, file, lock, because=f"retraining {run.id}, {run.trigger}: {run.because}")
    after = receipts.read_registered(wanted.model)
    if after is None:
        raise StoreError(f"Training left no receipt at {receipts.registered(wanted.model)}; run it again.")
    _keep_reference(store, after)
    known = [(earlier.data, earlier.version) for earlier in runs.listed(store)]
    if after == before or (after.data, after.bundle) in known:
        raise _NothingToDo(_told(after), after)
    return after


def _left(model: str, rows: pd.DataFrame) -> Path:
    """The file of labelled rows for training; the same rows make the same file."""
    contract = base.load(model).contract
    wanted = [column.name for column in (*contract.inputs, contract.target, *contract.keys) if column.name in rows]
    table = pa.table({name: _array(rows[name]) for name in wanted})
    path = FOLDER / model / "labelled.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    pq.write_table(table, temporary)
    temporary.replace(path)
    return path


def _array(values: pd.Series) -> pa.Array:
    """Values as callers sent them; texts where they are of several kinds, read as those of a CSV file are."""
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array(values.map(str, na_action="ignore"), from_pandas=True)


def _train(store: Store, wanted: Wanted, file: Path | None, lock: int, *options: str, because: str = "") -> None:
    """Run the pipeline as a person would; raises StoreError with its last words if it fails.

    It keeps the lock if this process is killed.
    """
    _keep_reference(store, receipts.read_registered(wanted.model))
    given = [f"--labelled={file}"] if file else []
    given += [f"--data={wanted.data}"] if wanted.data else []
    with subprocess.Popen(
        [sys.executable, "-m", "training", "run", wanted.model, *given, *options],
        env={**os.environ, receipts.BECAUSE: because},
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[lock],
    ) as process:
        assert process.stderr is not None  # noqa: S101 for the type checker: it is a pipe
        last = ""
        for line in process.stderr:
            sys.stderr.write(line)
            last = line.strip() or last
    if process.returncode:
        raise StoreError(f"training ended with code {process.returncode}: {last}")


def _keep_reference(store: Store, receipt: Registered | None) -> None:
    """Keep the rows that a champion's answers are compared with: the next training replaces them in data/."""
    if receipt is not None and receipt.promoted:
        reference.keep(store, receipt.bundle, Path(receipt.reference))


def _told(receipt: Registered) -> str:
    verdict = "promoted" if receipt.promoted else "refused"
    return f"these rows were decided on before: version {receipt.registry_version} was {verdict}"


def _members(receipt: Registered | None) -> dict[str, object]:
    if receipt is None:
        return {}
    return {
        "rows": receipt.rows,
        "data": receipt.data,
        "version": receipt.bundle,
        "registry_version": receipt.registry_version,
    }


@contextlib.contextmanager
def _alone(model: str) -> Iterator[tuple[int, str]]:
    """One retraining of a model at a time; raises StoreError while another runs in this folder.

    Gives the lock, and the name of the folder that it is for, which the lock's file has. A machine's name would not do:
    some platforms call all containers alike.
    """
    path = FOLDER / model / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"'{model}' is being retrained in this folder already; nothing was changed.") from error
        lock.seek(0)
        name = lock.read()
        if not name:
            name = f"{socket.gethostname()}-{secrets.token_hex(8)}"
            lock.write(name)
            lock.flush()
        yield lock.fileno(), name


def _say(text: str) -> None:
    print(f"retrain: {text}", flush=True)
