"""The tables of groups of leaves, and how rows find their cells."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from model.contributions import patterns
from model.contributions.groups import Cut, Group, bits

_WHOLE = 2
"""A table has a number for every column if it would have one for each of so many otherwise: whole rows add faster."""


class Table(NamedTuple):
    """What the leaves of a group give each column, by cell."""

    output: int
    columns: np.ndarray | None
    """Places of the columns that they give something; None: of all."""
    values: np.ndarray
    """Shape (cells, columns)."""

    def add(self, cells: np.ndarray, total: np.ndarray) -> None:
        """Add what rows get, by their cells of shape (rows,), to a total of shape (rows, columns)."""
        # cells are below the length: "clip" only saves a copy of what is gathered
        gathered = self.values.take(cells, axis=0, mode="clip")
        if self.columns is None:
            total += gathered
        else:
            for place, column in enumerate(self.columns):
                total[:, column] += gathered[:, place]


class Chunk(NamedTuple):
    """Several groups, whose cells are found together."""

    steps: Sequence[tuple[int, np.ndarray]]
    """Of each of their features, what its bins add to the cell in each table, shape (bins, groups)."""
    tables: Sequence[Table]

    def add(self, bins: dict[int, np.ndarray], total: np.ndarray) -> None:
        """Add what rows get, by their bins of each feature, to a total of shape (outputs, rows, columns)."""
        cells = sum(step.take(bins[feature], axis=0) for feature, step in self.steps)
        for table, places in zip(self.tables, np.asarray(cells).T, strict=True):
            table.add(places.astype(np.intp), total[table.output])


def size_of(group: Group, owners: np.ndarray) -> int:
    """The bytes of a group's table, at most; `owners` has shape (features, columns)."""
    columns = _columns(group, owners)
    return 8 * group.cells * (owners.shape[1] if columns is None else len(columns))


def _columns(group: Group, owners: np.ndarray) -> np.ndarray | None:
    """The columns that a group's table has, None for all."""
    columns = np.flatnonzero(owners[list(group.cuts)].any(axis=0))
    return None if len(columns) * _WHOLE >= owners.shape[1] else columns


def chunk_of(groups: Sequence[Group], bins: dict[int, int], owners: np.ndarray) -> Chunk:
    """The tables of groups.

    Args:
        groups: whose tables have at most 65,536 cells each.
        bins: how many there are of each feature.
        owners: which column a feature's contribution belongs to, shape (features, columns).
    """
    of_leaves = iter(_patterns(groups))
    steps = {f: np.zeros((bins[f], len(groups)), dtype=np.uint16) for group in groups for f in group.cuts}
    tables = []
    for place, group in enumerate(groups):
        held = {feature: _held(cut, bins[feature]) for feature, cut in group.cuts.items()}
        parts = {feature: _parts(conditions) for feature, conditions in held.items()}
        columns = _columns(group, owners)
        values = _filled(group, held, parts, owners if columns is None else owners[:, columns], of_leaves)
        step = 1
        for feature, (first, part_of) in reversed(parts.items()):
            steps[feature][:, place] = part_of * step
            step *= len(first)
        tables.append(Table(group.output, columns, values))
    return Chunk(list(steps.items()), tables)


def _patterns(groups: Sequence[Group]) -> list[np.ndarray]:
    """What each leaf gives the features of its path, by pattern; in the order of the groups and their leaves."""
    leaves = [leaf for group in groups for leaf in group.leaves]
    by_depth: dict[int, list[int]] = defaultdict(list)
    for place, leaf in enumerate(leaves):
        by_depth[len(leaf.shares)].append(place)
    found = [np.empty(0)] * len(leaves)
    for places in by_depth.values():
        shares = np.array([leaves[place].shares for place in places])
        values = np.array([leaves[place].value for place in places])
        for place, given in zip(places, patterns.contributions(shares, values), strict=True):
            found[place] = given
    return found


def _held(cut: Cut, bins: int) -> dict[int, np.ndarray]:
    """The bins that satisfy each condition of a cut, and its opposite, as truth values of shape (bins,)."""
    everything = (1 << bins) - 1
    held = {condition: bits(condition, bins) for condition in (everything, *cut.conditions)}
    return held | {everything ^ condition: ~values for condition, values in held.items()}


def _parts(held: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A bin of each part, and the part of each bin, shape (bins,): bins of a part satisfy the same conditions."""
    conditions = np.array(list(held.values()))[: len(held) // 2]  # the others are their opposites
    part_of = np.zeros(conditions.shape[1], dtype=np.int64)
    for start in range(0, len(conditions), 32):
        some = conditions[start : start + 32]
        keys = part_of << 32 | (1 << np.arange(len(some))) @ some
        _, first, part_of = np.unique(keys, return_index=True, return_inverse=True)
    return first, part_of


def _filled(
    group: Group,
    held: dict[int, dict[int, np.ndarray]],
    parts: dict[int, tuple[np.ndarray, np.ndarray]],
    owners: np.ndarray,
    of_leaves: Iterator[np.ndarray],
) -> np.ndarray:
    """The sum of the leaves' patterns in each cell, shape (cells, columns)."""
    firsts = np.ix_(*(first for first, _ in parts.values()))
    axes = dict(zip(parts, firsts, strict=True))
    values = np.zeros((*(first.size for first in firsts), owners.shape[1]))
    for leaf, given in zip(group.leaves, of_leaves, strict=False):  # the others are of the groups after this
        pattern = np.zeros((1,) * len(firsts), dtype=np.intp)
        for place, (feature, condition) in enumerate(leaf.conditions.items()):
            pattern = pattern | held[feature][condition][axes[feature]].astype(np.intp) << place
        values += (given @ owners[list(leaf.conditions)])[pattern]
    return values.reshape(-1, owners.shape[1])
