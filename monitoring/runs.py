"""Retraining runs: a document each in the watch store, so that whatever starts them can ask what came of them."""

import datetime
import secrets
from typing import Literal

import msgspec

from monitoring.store import Store
from validation.errors import StoreError

Status = Literal["running", "promoted", "refused", "nothing to do", "failed", "interrupted"]
Trigger = Literal["verdict", "schedule"]
FOLDER = "runs"
LONGEST = datetime.timedelta(days=2)
"""A run of another folder that began before that is taken for one that was killed."""
_SUFFIX = ".json"
_HEADS = ("run", "status", "began by", "seconds", "labelled", "version", "why")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One retraining.

    Attributes:
        id: the runs of a model in the order of their ids are in the order of time.
        model: which is retrained.
        started, ended: RFC 3339 in UTC; `ended` is empty while it runs, and of one that was interrupted.
        trigger, because: what began it, in a word and in a sentence.
        status: how it ended; "refused" is an end like any other: the champion goes on.
        reasons: a sentence each.
        labelled: rows whose true values are known.
        rows: of the table and these, as far as they satisfy the contract.
        data: the hash of all of them.
        where: the folder that it runs in, as its lock names it.
        version, registry_version: of the model that came of it.
    """

    id: str
    model: str
    started: str
    ended: str = ""
    trigger: Trigger
    because: str
    status: Status = "running"
    reasons: list[str] = []
    labelled: int = 0
    rows: int | None = None
    data: str | None = None
    version: str | None = None
    registry_version: str | None = None
    where: str = ""


def begun(store: Store, trigger: Trigger, because: str, where: str = "") -> Run:
    """A new run, as the store has it from now on; raises StoreError if it cannot be written."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"
    run = Run(id=name, model=store.model, started=_text(now), trigger=trigger, because=because, where=where)
    _write(store, run)
    return run


def changed(store: Store, run: Run, **members: object) -> Run:
    """The run with other members, in the store too; raises StoreError if it cannot be written."""
    run = msgspec.structs.replace(run, **members)
    _write(store, run)
    return run


def ended(store: Store, run: Run, status: Status, reasons: list[str], **members: object) -> Run:
    """The run with its end, in the store too; raises StoreError if it cannot be written."""
    now = _text(datetime.datetime.now(datetime.UTC))
    return changed(store, run, status=status, reasons=reasons, ended=now, **members)


def interrupted(store: Store, where: str) -> list[Run]:
    """Mark runs that never ended, and return them.

    Those of this folder, to be called by who holds its lock; and those of other folders, which may be on other machines
    and running, after `LONGEST`.

    Args:
        store: of the model; several machines may share it.
        where: the folder, see `Run`.

    Raises:
        StoreError: a document cannot be read or written.
    """
    oldest = datetime.datetime.now(datetime.UTC) - LONGEST
    running = [run for run in listed(store) if run.status == "running"]
    left = [run for run in running if run.where == where or datetime.datetime.fromisoformat(run.started) < oldest]
    reason = "it ended without a word: it was killed, or the machine was"
    return [changed(store, run, status="interrupted", reasons=[reason]) for run in left]


def listed(store: Store) -> list[Run]:
    """The runs of a model, the latest last; raises StoreError if one cannot be read."""
    return [_read(store, name) for name in store.names(FOLDER, _SUFFIX)]


def table(runs: list[Run]) -> str:
    """Runs for a person, a line each."""
    if not runs:
        return "There are no retraining runs yet."
    lines = [_HEADS, *(_cells(run) for run in runs)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEADS) - 1)]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=False)] + [line[-1]] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _cells(run: Run) -> tuple[str, ...]:
    seconds = ""
    if run.ended:
        took = datetime.datetime.fromisoformat(run.ended) - datetime.datetime.fromisoformat(run.started)
        seconds = f"{took.total_seconds():.0f}"
    version = " ".join(filter(None, (run.registry_version, run.version)))
    return (
        run.id,
        run.status,
        run.trigger,
        seconds,
        f"{run.labelled:,}",
        version,
        "; ".join(run.reasons or [run.because]),
    )


def _read(store: Store, name: str) -> Run:
    try:
        return msgspec.json.decode(store.read(name) or b"", type=Run)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{name} of the watch store {store.address} is no document of a run: {error}. Remove it."
        ) from error


def _write(store: Store, run: Run) -> None:
    store.write_bytes(f"{FOLDER}/{run.id}{_SUFFIX}", msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")


def _text(now: datetime.datetime) -> str:
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
