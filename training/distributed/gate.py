"""The first pass: rows of a partition go through the gates, and what is counted of them can be added up.

Whatever way a table is cut, the sums are the same; so is the sample, in which a row is by a number that is made of its
place in its file.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from problems import base
from problems.base import Problem
from training.data import clean, gates, ingest, raw
from training.data.split import TRAIN
from training.distributed import order
from training.distributed.listing import Partition, opened
from validation.classes import demand_listed
from validation.contract import Kind
from validation.errors import TableError
from validation.names import normal

_MOST_BAD = 1_000
"""Bad rows of a partition that are shown; all are counted."""
_MOST_SHOWN = 100_000
NAME, FIRST, LONE = "name", "first", "lone"
_SAMPLED = 0x5EED
"""The seed by which rows are sampled, apart from that by which they are split: both parts would else be the same."""


@dataclass
class Seen:
    """What is known of a partition's rows, or of all.

    Attributes:
        rows: good ones.
        bad: others.
        unlabelled: rows that have no target in a table that is partly labelled; they are neither.
        sample: good rows, with `order.FILE` and `order.ROW`.
        quarantined: some of the others, with their file, number and reasons.
        failures: of these, by cell, as `clean.Gated` has them, and at least one of each bad column.
        reasons: how many rows each bad column has.
        times: how many rows have each time, of a table in time.
        names: of each category, and of the target if it is one: `NAME`, and the least place in the order of a row that
            has it: `FIRST` (without time by the row's inputs), and `LONE` where rows lie alone.
    """

    rows: int
    bad: int
    unlabelled: int
    sample: pd.DataFrame
    quarantined: pd.DataFrame
    failures: pd.DataFrame
    reasons: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)
    names: dict[str, pd.DataFrame] = field(default_factory=dict)


def silver_of(problem: Problem, partition: Partition) -> clean.Gated:
    """A partition through the gates; its silver rows have `order.FILE` and `order.ROW`."""
    cells = raw.cells_in(opened(partition, problem.contract), problem.contract)
    _demand_names(problem, partition, cells)
    bronze = ingest.parsed(problem.contract, cells)
    gates.bronze(problem.contract).validate(bronze, lazy=True)
    known = clean.with_target(problem, bronze)
    silver, quarantined, failures = clean.gated(problem, known)
    places = known.index.difference(quarantined.index, sort=False)
    silver[order.FILE] = np.full(len(silver), _number(partition.file.name), dtype=np.uint64)
    silver[order.ROW] = places.to_numpy(dtype=np.uint64)
    return clean.Gated(silver, quarantined, failures)


def _demand_names(problem: Problem, partition: Partition, cells: pd.DataFrame) -> None:
    """Raise TableError for names like 1.0, of which one machine makes 1 if all names of the table are like it."""
    for column in raw.wanted(problem.contract):
        if column.kind is not Kind.CATEGORY or column.parse is not None:
            continue
        names = pd.Series(cells[column.name].dropna().unique(), dtype=object)
        changed = names[raw.restored(column, names).map(normal) != names.map(normal)]
        if len(changed):
            raise TableError(
                f"The column '{column.name}' of {partition.file.address} has names like '{changed.iloc[0]}', and how "
                "those are read depends on all rows of the table, of which a partition sees some. Write 1, or give "
                f"'{column.name}' a parse= in the contract."
            )


def _number(name: str) -> int:
    """A file's name as a 64-bit number."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def seen(partition: Partition, name: str, share: float, seed: int) -> Seen:
    """Look at a partition; run by a worker.

    Args:
        partition: of the table.
        name: of the problem.
        share: of the rows to sample.
        seed: by which rows without a time are split.

    Raises:
        TableError: it cannot be read, or is not the table of the problem.
        ContractError: a `parse` failed.
    """
    problem = base.load(name)
    silver, quarantined, failures = silver_of(problem, partition)
    shown = quarantined.head(_MOST_BAD)
    shown.insert(0, order.FILE, partition.file.name)
    found = Seen(
        len(silver),
        len(quarantined),
        partition.rows - len(silver) - len(quarantined),
        silver[_sampled(silver, share)],
        shown,
        _examples(failures, failures["row"].isin(shown.index)).astype({"row": "int64"}),
        Counter({str(column): int(rows) for column, rows in failures.groupby("column")["row"].nunique().items()}),
        names=_names(problem, silver, seed),
    )
    if problem.contract.time is not None:
        values, counts = np.unique(order.times(problem, silver), return_counts=True)
        found.times = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    return found


def _examples(failures: pd.DataFrame, shown: pd.Series) -> pd.DataFrame:
    """The failures that are shown, and the first of each column: a column that is counted has an example."""
    return failures[shown | ~failures.duplicated("column")]


def _sampled(silver: pd.DataFrame, share: float) -> np.ndarray:
    """Which rows are in the sample, shape (rows,), by their place."""
    drawn = order.places(silver, _SAMPLED).to_numpy()
    sampled: np.ndarray = drawn < np.uint64(min(share, 1.0) * (2.0**64 - 2.0**11))
    return sampled


def _names(problem: Problem, silver: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """The names of a partition, as `Seen` has them."""
    if problem.contract.time is not None:
        first = lone = pd.Series(order.times(problem, silver), index=silver.index)
    else:
        first, lone = order.likenesses(problem, silver, seed), order.places(silver, seed)
    target = problem.contract.target
    columns = [*problem.contract.categories, *([target] if target.kind is Kind.CATEGORY else [])]
    return {
        column.name: _least(pd.DataFrame({NAME: silver[column.name], FIRST: first, LONE: lone}).dropna(subset=NAME))
        for column in columns
        if column.choices is None
    }


def _least(names: pd.DataFrame) -> pd.DataFrame:
    return names.groupby(NAME, as_index=False, sort=True)[[FIRST, LONE]].min()


def merged(problem: Problem, parts: Iterable[tuple[int, Seen]]) -> Seen:
    """What all partitions come to, from the number and the sight of each, in any order; what it holds is bounded.

    Raises ContractError if there are more than two classes, and the contract lists none.
    """
    by_number: dict[int, Seen] = {}
    whole = Seen(0, 0, 0, pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    shown = 0
    for number, part in parts:
        whole.rows, whole.bad = whole.rows + part.rows, whole.bad + part.bad
        whole.unlabelled += part.unlabelled
        whole.reasons.update(part.reasons)
        whole.times.update(part.times)
        for column, names in part.names.items():
            both = pd.concat([whole.names[column], names]) if column in whole.names else names
            whole.names[column] = _least(both)
        if shown >= _MOST_SHOWN:
            part.quarantined, part.failures = part.quarantined.iloc[:0], part.failures.drop_duplicates("column")
        shown += len(part.quarantined)
        by_number[number] = part
    ordered = [by_number[number] for number in sorted(by_number)]
    for name in ("sample", "quarantined", "failures"):
        tables = [getattr(part, name) for part in ordered]
        setattr(whole, name, pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True))
    target = problem.contract.target
    if target.name in whole.names:
        demand_listed(target.name, sorted(whole.names[target.name][NAME]))
    return whole


def learned_names(problem: Problem, whole: Seen, how: order.Order) -> dict[str, list[str]]:
    """The names of each category that rows to learn from have, from all of them."""
    begins = how.borders[0]
    found: dict[str, list[str]] = {}
    for column in problem.contract.categories:
        if column.name not in whole.names:
            continue
        table = whole.names[column.name]
        known = set(table[NAME][(table[LONE] if how.alone.all else table[FIRST]) < begins])
        if how.alone.inputs:  # rows that lie alone are a large share of the table, so the sample has some of each kind
            known |= set(whole.sample[column.name][how.labels(problem, whole.sample) == TRAIN].dropna())
        found[column.name] = sorted(known)
    return found
