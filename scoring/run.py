"""A whole run: what is to do, done on all processors, and gone on with after an interruption."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import msgspec

from model import bundle as bundles
from model import signatures
from model.bundle import Bundle
from scoring import manifest, worker
from scoring.columns import NOTHING, Dropped
from scoring.engines import Engine
from scoring.inputs import Inputs
from scoring.job import Job
from scoring.manifest import COMPLETE, NOTES, RUNNING, Done, Manifest, Plan
from storage.place import Place, lies_in
from validation.errors import StoreError, TableError

ROWS = 1 << 18
"""Rows of a partition, where nothing else is asked for."""
_EVERY, _EVERY_ON_TERMINALS = 5.0, 1.0
"""Seconds between two words on how far a run is, at least."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        source, out: the addresses of input and output.
        bundle: the folder of the model.
        explain: whether SHAP values are to be beside the answers.
        dropped: columns of the input to leave out.
        rows: of a partition; 0 for `ROWS`, or for what an output was begun with.
        workers: processes; 0 for one a processor.
        engine: what scores in place of processes of this machine.
    """

    source: str
    out: str
    bundle: Path
    explain: bool = False
    dropped: Dropped = NOTHING
    rows: int = 0
    workers: int = 0
    engine: Engine | None = None


def score(wanted: Wanted) -> Manifest:
    """Score what is not scored yet; returns the manifest of the complete output.

    Raises:
        TableError: the input is not the model's, or partitions of it cannot be read; all others are there.
        StoreError: the output is of something else, or cannot be written; or the input changed meanwhile.
        BundleError: there is no such model.
    """
    place = Place(wanted.out)
    model = bundles.read(wanted.bundle, signatures.trusted_here())
    inputs = Inputs(wanted.source, model.model.problem.contract, wanted.dropped)
    _demand_apart(wanted, inputs, place)
    with place.alone():
        asked = _asked(wanted, model, inputs, place)
        known = _begun(wanted, asked, inputs, place)
        done = manifest.there(place, known)
        if known.status == COMPLETE and len(done) == len(known.plan.partitions):
            place.remove(NOTES)  # of a run that was killed in its last moment
            return known
        if known.status == COMPLETE:
            manifest.write(place, Manifest(known.plan, RUNNING, list(done.values())))
        done = _finished(wanted, known.plan, place, done)
        _demand_there(known.plan, place, done)
        _demand_same(wanted, known.plan, _asked(wanted, model, inputs, place))
        whole = Manifest(known.plan, COMPLETE, [done[number] for number in range(len(known.plan.partitions))])
        manifest.write(place, whole)
        place.remove(NOTES)
        return whole


def _demand_apart(wanted: Wanted, inputs: Inputs, place: Place) -> None:
    if lies_in(place.files, place.root, inputs.files, inputs.root):
        raise StoreError(f"The output {wanted.out} lies in the input {wanted.source}, of which it would become a part.")


def _asked(wanted: Wanted, model: Bundle, inputs: Inputs, place: Place) -> Plan:
    """The plan of what is asked for, not cut yet. Files of the output that a pattern finds are no input."""
    listed = [file for file in inputs.listed() if not lies_in(inputs.files, inputs.path(file), place.files, place.root)]
    names, others = wanted.dropped
    return Plan(
        wanted.source, inputs.root, model.manifest.problem, model.manifest.version, wanted.explain, sorted(names),
        listed, [], others,
    )  # fmt: skip


def _begun(wanted: Wanted, asked: Plan, inputs: Inputs, place: Place) -> Manifest:
    """The manifest of the run that this one goes on with, or the first one of this; raises StoreError."""
    known = manifest.read(place)
    if known is None:
        there = place.sizes()
        if manifest.MANIFEST not in there:
            if there:
                other = next(iter(there))
                raise StoreError(
                    f"{wanted.out} has files of something else, as {other}. Say another place for the output."
                )
            rows = wanted.rows or ROWS
            plan = msgspec.structs.replace(asked, partitions=inputs.partitions(asked.inputs, rows), rows=rows)
            if wanted.engine is not None:
                wanted.engine.demand()
            if manifest.begin(place, plan):
                return Manifest(plan, RUNNING)
        known = manifest.read(place)  # of another run, which has begun meanwhile: how it cut the input counts
        if known is None:
            raise StoreError(f"{wanted.out} has been removed meanwhile.")
    _demand_same(wanted, known.plan, asked)
    if wanted.rows and wanted.rows != known.plan.rows:
        _say(f"{wanted.out} stays cut as it was begun, and --rows is passed over.")
    plan = msgspec.structs.replace(asked, partitions=known.plan.partitions, rows=known.plan.rows)
    return msgspec.structs.replace(known, plan=plan)


def _demand_same(wanted: Wanted, known: Plan, asked: Plan) -> None:
    """Raise StoreError if an output is of another plan."""
    what = None
    if (known.model, known.version) != (asked.model, asked.version):
        what = f"is of the model {known.model}:{known.version}, and this is {asked.model}:{asked.version}"
    elif known.inputs != asked.inputs:
        what = f"is of another input: {_difference(known, asked)}"
    elif known.explain != asked.explain:
        what = f"was begun {'with' if known.explain else 'without'} --explain"
    elif (known.dropped, known.drop_others) != (asked.dropped, asked.drop_others):
        others = ["--drop-others"] if known.drop_others else []
        options = " ".join([*others, *([f"--drop {shlex.join(known.dropped)}"] if known.dropped else [])])
        what = f"was begun with {options}" if options else "was begun without --drop"
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


def _demand_there(plan: Plan, place: Place, done: Mapping[int, Done]) -> None:
    """Raise StoreError if partitions that were scored are not in the output: other machines may have another of it."""
    there = manifest.there(place, Manifest(plan, RUNNING, list(done.values())))
    if missing := len(done) - len(there):
        raise StoreError(
            f"{missing} of {len(done)} partitions are scored, and their files are not at {place.address}. All machines "
            "that score must reach it at the same address: a bucket, or a folder that they share."
        )


def _finished(wanted: Wanted, plan: Plan, place: Place, done: Mapping[int, Done]) -> dict[int, Done]:
    """All partitions, once those that were not there are scored; raises TableError if some cannot be read."""
    left = [number for number in range(len(plan.partitions)) if number not in done]
    found, failed = dict(done), dict[int, TableError]()
    with _Progress(len(plan.partitions), done.values()) as progress:
        for number, result in _scored(wanted, plan, place, left):
            if isinstance(result, TableError):
                failed[number] = result
            else:
                found[number] = result
                progress.add(result)
    if failed:
        first = failed[min(failed)]
        raise TableError(
            f"{len(failed)} of {len(plan.partitions)} partitions cannot be read. The first: {first} "
            f"{'The others are there, and the' if found else 'The'} same command goes on."
        )
    return found


def _scored(
    wanted: Wanted, plan: Plan, place: Place, numbers: Sequence[int]
) -> Iterator[tuple[int, Done | TableError]]:
    """What comes of partitions, in the order in which they end; the first error of the output ends all."""
    job = Job(wanted.bundle.resolve(), msgspec.json.encode(plan), place.address)
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
            "A worker ended before its partition did, as where memory is short: fewer --workers take less. The same "
            "command goes on."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Progress(contextlib.AbstractContextManager["_Progress"]):
    """Says how far a run is: one line that changes on a terminal, and a line now and then elsewhere."""

    def __init__(self, total: int, done: Iterable[Done]) -> None:
        self._total, self._partitions, self._rows = total, 0, 0
        self._said = time.monotonic()
        for each in done:
            self._partitions, self._rows = self._partitions + 1, self._rows + each.good + each.bad
        self._began, self._before = self._said, self._rows
        self._terminal = sys.stderr.isatty() and self._partitions < total
        if 0 < self._partitions < total:
            _say(f"{self._partitions:,} of {total:,} partitions are there already.")

    def add(self, done: Done) -> None:
        """Count a partition that is there."""
        self._partitions, self._rows = self._partitions + 1, self._rows + done.good + done.bad
        now, last = time.monotonic(), self._partitions == self._total
        if self._terminal and (last or now - self._said >= _EVERY_ON_TERMINALS):
            print(f"\r{self._line(now)}", end="", file=sys.stderr, flush=True)
        elif not self._terminal and not last and now - self._said >= _EVERY:
            _say(self._line(now))

    def _line(self, now: float) -> str:
        self._said, speed = now, (self._rows - self._before) / max(now - self._began, 1e-9)
        return f"{self._partitions:,} of {self._total:,} partitions, {self._rows:,} rows, {speed:,.0f} rows/s"

    def __exit__(self, *error: object) -> None:
        if self._terminal:
            print(file=sys.stderr)


def _say(sentence: str) -> None:
    print(f"score: {sentence}", file=sys.stderr, flush=True)


def counts(found: Manifest) -> tuple[int, int]:
    """How many rows of a complete run are answered, and how many refused."""
    return sum(done.good for done in found.done), sum(done.bad for done in found.done)


def summary(found: Manifest) -> str:
    """What a complete run says."""
    if not found.done:
        return (
            f"no row is scored by {found.plan.model}:{found.plan.version}: the input has none, and the output no file"
        )
    good, bad = counts(found)
    told = f"{good:,} rows are scored by {found.plan.model}:{found.plan.version} in {len(found.done):,} partitions"
    return f"{told}; {bad:,} are refused, with the reasons in _quarantine" if bad else told
