"""Proof, from the manifest and the files, that each row of the input is in one output or in the quarantine, once."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring import manifest
from scoring.columns import ROW, VERSION
from scoring.manifest import COMPLETE, Done, Manifest, Output, Plan
from storage.place import Place


def problems(address: str) -> tuple[list[str], Manifest | None]:
    """What is wrong with an output, a sentence each; and its manifest.

    The files must have the hashes of the manifest and no others be there; the places of a partition's rows, in answers
    and quarantine, must be those of its part of the input, each once; the parts must follow each other without a gap.

    Raises:
        StoreError: it cannot be read.
    """
    place = Place(address)
    found = manifest.read(place)
    if found is None:
        return [f"There is no {manifest.MANIFEST} at {address}."], None
    if found.status != COMPLETE:
        there, all_of_them = len(manifest.there(place, found)), len(found.plan.partitions)
        return [f"The run is not complete: {there} of {all_of_them} partitions are there."], found
    wrong = [*_partitions(found.plan, found.done), *_strangers(place, found)]
    for done in found.done:
        wrong += _files(place, done) or _rows(place, found.plan, done)
    return wrong, found


def _partitions(plan: Plan, done: Sequence[Done]) -> Iterator[str]:
    """Whether there is one output a part, and the parts of each file follow each other."""
    if [each.partition for each in done] != list(range(len(plan.partitions))):
        yield "The manifest has not each partition once."
    ends = dict.fromkeys(range(len(plan.inputs)), 0)
    for part in plan.partitions:
        if ends[part.file] != part.first:
            yield f"{plan.inputs[part.file].path} has rows in no part or in two, at row {part.first:,}."
        ends[part.file] = part.first + part.rows


def _strangers(place: Place, found: Manifest) -> Iterator[str]:
    known = {output.path for done in found.done for output in done.outputs}
    for name in place.sizes():
        if name.endswith(".parquet") and name not in known:
            yield f"{name} is in no partition of the manifest."


def _files(place: Place, done: Done) -> list[str]:
    """What is wrong with the files of a partition."""
    wrong = []
    for output in done.outputs:
        there = place.digest(output.path)
        if there is None:
            wrong.append(f"{output.path} is not there.")
        elif tuple(there) != (output.size, output.sha256):
            wrong.append(f"{output.path} was changed: its sha256 is not the one of the manifest.")
    return wrong


def _rows(place: Place, plan: Plan, done: Done) -> Iterator[str]:
    """Whether the rows of a partition are those of its part, each once."""
    part = plan.partitions[done.partition]
    answers = _read(place, done.answers, [ROW, VERSION])
    others = set(answers.column(VERSION).unique().to_pylist()) - {plan.version}
    if others:
        yield f"Partition {done.partition} has answers of {', '.join(map(str, others))}, and not of {plan.version}."
    good = answers.column(ROW).to_numpy()
    bad = np.empty(0, dtype=np.int64)
    if done.quarantine:
        bad = np.unique(_read(place, done.quarantine, [ROW]).column(ROW).to_numpy())
    if (len(good), len(bad)) != (done.good, done.bad):
        told = f"{len(good):,} answers and {len(bad):,} refused rows"
        yield f"Partition {done.partition} has {told}; the manifest says others."
    if not np.array_equal(np.sort(np.concatenate([good, bad])), np.arange(part.first, part.first + part.rows)):
        yield f"Partition {done.partition} has not each row of its part once, from {part.first:,} on."


def _read(place: Place, output: Output, columns: Sequence[str]) -> pa.Table:
    with place.reading(output.path) as file:
        # by this thread alone: one of Arrow's may still hold the file when Python ends, which aborts it
        return pq.read_table(file, columns=list(columns), use_threads=False, pre_buffer=False)
