"""The tables of groups of leaves, and how rows find their cells."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from model.contributions import patterns
from model.contributions.groups import Cut, Group, bits

_NARROW = 24
"""Of up to so many columns a table has all, and its lines are added whole; of more its own, added one by one."""
_SPARSE = 6
"""If groups together have so many times the features of one, the cells of each are found by itself."""


class Table(NamedTuple):
    """What the leaves of a group give each column, by cell."""

    output: int
    columns: np.ndarray | None
    """Places of the columns that they give something; None: all."""
    values: np.ndarray
    """Shape (cells, columns) of all columns, (columns, cells) of some."""
    steps: Sequence[tuple[int, np.ndarray]]
    """Of each feature of the group, what its bins add to the cell, shape (bins,); none where the chunk has them."""

    def add(self, cells: np.ndarray, total: np.ndarray) -> None:
        """Add what rows get, by their cells of shape (rows,), to a total.

        Args:
            cells: below their count; "clip" only saves a copy of what is gathered.
            total: shape (rows, columns) for a table of all columns, (columns, rows) for one of some.
        """
        if self.columns is None:
            total += self.values.take(cells, axis=0, mode="clip")
        else:
            for column, values in zip(self.columns, self.values, strict=True):
                total[column] += values.take(cells, mode="clip")


class Chunk(NamedTuple):
    """Several tables."""

    steps: Sequence[tuple[int, np.ndarray]]
    """Of each of their features, what its bins add to the cell in each table, shape (bins, tables); none: see those."""
    tables: Sequence[Table]

    def add(self, bins: dict[int, np.ndarray], total: np.ndarray) -> None:
        """Add what rows get, by their bins of each feature, to a total of shape (outputs, rows, columns).

        Of many columns its shape is (outputs, columns, rows), see `by_column`.
        """
        if self.steps:
            cells = sum(step.take(bins[feature], axis=0) for feature, step in self.steps)
            for table, places in zip(self.tables, np.asarray(cells).T, strict=True):
                table.add(places.astype(np.intp), total[table.output])
        else:
            for table in self.tables:
                places = np.asarray(sum(step.take(bins[feature]) for feature, step in table.steps))
                table.add(places, total[table.output])


def by_column(columns: int) -> bool:
    """Whether what rows get is added column by column, since their tables have few of so many columns."""
    return columns > _NARROW


def size_of(groups: Sequence[Group], bins: dict[int, int], owners: np.ndarray) -> int:
    """The bytes of a chunk of these groups, at most; arguments as of `chunk_of`."""
    values = 0
    for group in groups:
        columns = _columns(group, owners)
        values += group.cells * (owners.shape[1] if columns is None else len(columns))
    together = _together(groups)
    if together:
        return 8 * values + 2 * len(groups) * sum(bins[feature] for feature in together)
    return 8 * values + 8 * sum(bins[feature] for group in groups for feature in group.cuts)


def _columns(group: Group, owners: np.ndarray) -> np.ndarray | None:
    """The columns that a group's table has, None for all."""
    return np.flatnonzero(owners[list(group.cuts)].any(axis=0)) if by_column(owners.shape[1]) else None


def chunk_of(groups: Sequence[Group], bins: dict[int, int], owners: np.ndarray) -> Chunk:
    """The tables of groups.

    Args:
        groups: whose tables have at most 65,536 cells each.
        bins: how many there are of each feature.
        owners: which column a feature's contribution belongs to, shape (features, columns).
    """
    of_leaves = iter(_patterns(groups))
    tables = []
    for group in groups:
        held = {feature: _held(cut, bins[feature]) for feature, cut in group.cuts.items()}
        parts = {feature: _parts(conditions) for feature, conditions in held.items()}
        columns = _columns(group, owners)
        values = _filled(group, held, parts, owners if columns is None else owners[:, columns], of_leaves)
        steps, step = [], 1
        for feature, (first, part_of) in reversed(parts.items()):
            steps.append((feature, part_of * step))
            step *= len(first)
        values = values if columns is None else np.ascontiguousarray(values.T)
        tables.append(Table(group.output, columns, values, steps))
    together = _together(groups)
    if not together:
        return Chunk([], tables)
    return Chunk(_side_by_side(tables, bins, together), [table._replace(steps=[]) for table in tables])


def _together(groups: Sequence[Group]) -> list[int]:
    """The features whose steps stand side by side for all tables, none if most of them would be zeros."""
    features = sorted({feature for group in groups for feature in group.cuts})
    few = len(features) * len(groups) <= _SPARSE * sum(len(group.cuts) for group in groups)
    return features if few else []


def _side_by_side(
    tables: Sequence[Table], bins: dict[int, int], features: Sequence[int]
) -> list[tuple[int, np.ndarray]]:
    """The steps of all tables in one array for each feature."""
    steps = {feature: np.zeros((bins[feature], len(tables)), dtype=np.uint16) for feature in features}
    for place, table in enumerate(tables):
        for feature, step in table.steps:
            steps[feature][:, place] = step
    return list(steps.items())


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
