"""A whole run: what is to do, done on all processors, and gone on with after an interruption."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import msgspec

from model import bundle as bundles
from model import signatures
from scoring import manifest, worker
from scoring.engines import Engine
from scoring.inputs import Inputs
from scoring.job import Job
from scoring.manifest import COMPLETE, NOTES, RUNNING, Done, Manifest, Plan
from storage.place import Place, opened
from validation.errors import StoreError, TableError

ROWS = 1 << 18
"""Rows of a partition."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        source, out: the addresses of input and output.
        bundle: the folder of the model.
        explain: whether SHAP values are to be beside the answers.
        dropped: columns of the input to leave out.
        rows: of a partition.
        workers: processes; 0 for one a processor.
        engine: what scores in place of processes of this machine.
    """

    source: str
    out: str
    bundle: Path
    explain: bool = False
    dropped: Sequence[str] = ()
    rows: int = ROWS
    workers: int = 0
    engine: Engine | None = None


def score(wanted: Wanted) -> Manifest:
    """Score what is not scored yet; returns the manifest of the complete output.

    Raises:
        TableError: the input is not the model's, or partitions of it cannot be read; all others are there.
        StoreError: the output is of something else, or cannot be written.
        BundleError: there is no such model.
    """
    _demand_apart(wanted)
    place = Place(wanted.out)
    with place.alone():
        known = manifest.read(place)
        plan = _plan(wanted, place, known)
        if known is not None and known.status == COMPLETE:
            return known
        if known is None:
            manifest.write(place, Manifest(plan, RUNNING))
        done = _finished(wanted, plan, manifest.noted(place))
        whole = Manifest(plan, COMPLETE, [done[number] for number in range(len(plan.partitions))])
        manifest.write(place, whole)
        place.remove(NOTES)
        return whole


def _demand_apart(wanted: Wanted) -> None:
    (files, source), (others, out) = opened(wanted.source), opened(wanted.out)
    if type(files) is type(others) and f"{out}/".startswith(f"{source}/"):
        raise StoreError(f"The output {wanted.out} lies in the input {wanted.source}, of which it would become a part.")


def _plan(wanted: Wanted, place: Place, known: Manifest | None) -> Plan:
    """The plan of this run, or that of the one which it goes on with; raises StoreError if that is another one."""
    model = bundles.read(wanted.bundle, signatures.trusted_here())
    inputs = Inputs(wanted.source, model.model.problem.contract, wanted.dropped)
    files = inputs.listed()
    asked = Plan(
        wanted.source, inputs.root, model.manifest.problem, model.manifest.version, wanted.explain,
        sorted(wanted.dropped), files, [],
    )  # fmt: skip
    if known is not None:
        _demand_same(wanted, known.plan, asked)
        return msgspec.structs.replace(asked, partitions=known.plan.partitions)
    others = [name for name in place.names() if not name.startswith(".")]
    if others:
        raise StoreError(f"{wanted.out} has files of something else, as {others[0]}. Say another place for the output.")
    return msgspec.structs.replace(asked, partitions=inputs.partitions(files, wanted.rows))


def _demand_same(wanted: Wanted, known: Plan, asked: Plan) -> None:
    """Raise StoreError if an output is of another plan."""
    what = None
    if (known.model, known.version) != (asked.model, asked.version):
        what = f"is of the model {known.model}:{known.version}, and this is {asked.model}:{asked.version}"
    elif known.inputs != asked.inputs:
        what = f"is of another input: {_difference(known, asked)}"
    elif known.explain != asked.explain:
        what = f"was begun {'with' if known.explain else 'without'} --explain"
    elif known.dropped != asked.dropped:
        what = f"was begun with --drop {' '.join(known.dropped)}" if known.dropped else "was begun without --drop"
    if what is not None:
        raise StoreError(f"{wanted.out} {what}. Say another place for the output, or remove what is there.")


def _difference(known: Plan, asked: Plan) -> str:
    before, now = ({file.path: file for file in plan.inputs} for plan in (known, asked))
    new, gone = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    if new:
        return f"{new[0] or 'the file'} is new"
    if gone:
        return f"{gone[0] or 'the file'} is gone"
    changed = next(path for path in sorted(now) if now[path] != before[path])
    return f"{changed or 'the file'} has changed"


def _finished(wanted: Wanted, plan: Plan, done: Mapping[int, Done]) -> dict[int, Done]:
    """All partitions, once those that were not there are scored; raises TableError if some cannot be read."""
    left = [number for number in range(len(plan.partitions)) if number not in done]
    found, failed = dict(done), dict[int, TableError]()
    with _Progress(len(plan.partitions), done.values()) as progress:
        for number, result in _scored(wanted, plan, left):
            if isinstance(result, TableError):
                failed[number] = result
            else:
                found[number] = result
                progress.add(result)
    if failed:
        first = failed[min(failed)]
        raise TableError(
            f"{len(failed)} of {len(plan.partitions)} partitions cannot be read. The first: {first} The others are "
            "there, and the same command goes on."
        )
    return found


def _scored(wanted: Wanted, plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[int, Done | TableError]]:
    """What comes of partitions, in the order in which they end; the first error of the output ends all."""
    job = Job(wanted.bundle.resolve(), msgspec.json.encode(plan), wanted.out)
    workers = min(wanted.workers or _processors(), len(numbers))
    if wanted.engine is not None and numbers:
        yield from wanted.engine.scored(job, numbers)
    elif workers <= 1:
        yield from map(job, numbers)
    else:
        yield from _by_workers(job, numbers, workers)


def _by_workers(job: Job, numbers: Sequence[int], workers: int) -> Iterator[tuple[int, Done | TableError]]:
    # copies of a process that has imported everything and has no threads yet: LightGBM takes seconds to import
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scoring.work"])
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, worker.begin, (job, dict(os.environ)))
    try:
        for task in concurrent.futures.as_completed([pool.submit(worker.score, number) for number in numbers]):
            yield task.result()
    except BrokenProcessPool as error:
        raise StoreError(
            "A worker ended before its partition did, as where memory is short (--workers, --rows). The same command "
            "goes on."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Progress(contextlib.AbstractContextManager["_Progress"]):
    """A line on a terminal that says how far a run is, at most once a second."""

    def __init__(self, total: int, done: Iterable[Done]) -> None:
        self._total, self._partitions, self._rows = total, 0, 0
        self._said = time.monotonic()
        for each in done:
            self._partitions, self._rows = self._partitions + 1, self._rows + each.good + each.bad
        self._began, self._before = self._said, self._rows
        self._shown = sys.stderr.isatty() and self._partitions < total

    def add(self, done: Done) -> None:
        """Count a partition that is there."""
        self._partitions, self._rows = self._partitions + 1, self._rows + done.good + done.bad
        now = time.monotonic()
        if self._shown and (now - self._said >= 1 or self._partitions == self._total):
            self._said, speed = now, (self._rows - self._before) / max(now - self._began, 1e-9)
            line = f"{self._partitions:,} of {self._total:,} partitions, {self._rows:,} rows, {speed:,.0f} rows/s"
            print(f"\r{line}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error: object) -> None:
        if self._shown:
            print(file=sys.stderr)


def counts(found: Manifest) -> tuple[int, int]:
    """How many rows of a complete run are answered, and how many refused."""
    return sum(done.good for done in found.done), sum(done.bad for done in found.done)


def summary(found: Manifest) -> str:
    """What a complete run says."""
    good, bad = counts(found)
    told = f"{good:,} rows are scored by {found.plan.model}:{found.plan.version} in {len(found.done):,} partitions"
    return f"{told}; {bad:,} are refused, with the reasons in _quarantine" if bad else told
