"""Leaves that share a table: a row's bins of their features are one cell of it."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple, Self

import numpy as np

from model.contributions.trees import Tree

_LATEST = 12
"""With how many of the latest groups a group is tried to be joined."""


class Leaf(NamedTuple):
    """A leaf and the features of its path."""

    value: float
    conditions: dict[int, int]
    """By feature, the bins that come here, as bits."""
    shares: tuple[float, ...]
    """Of each feature, the share of the training rows that satisfy its conditions, among those that come to them."""


class Cut(NamedTuple):
    """How conditions divide the bins of a feature."""

    conditions: frozenset[int]
    bounds: int
    """The places between two bins that a condition tells apart, as bits."""
    most: int
    """Parts, at most."""

    @classmethod
    def of(cls, condition: int, bins: int) -> Self:
        """That of one condition, or of its opposite."""
        everything = (1 << bins) - 1
        if condition in (0, everything):
            return cls(frozenset(), 0, 1)
        bounds = (condition ^ condition >> 1) & everything >> 1
        return cls(frozenset([min(condition, everything ^ condition)]), bounds, 2)

    def __or__(self, other: Self) -> Self:
        """That of the conditions of both."""
        if other.conditions <= self.conditions:
            return self
        bounds = self.bounds | other.bounds
        most = min(self.most * other.most, bounds.bit_count() + 1)
        return type(self)(self.conditions | other.conditions, bounds, most)


class Group(NamedTuple):
    """Leaves of one raw score that share a table."""

    output: int
    cuts: dict[int, Cut]
    """By feature."""
    leaves: tuple[Leaf, ...]

    @property
    def cells(self) -> int:
        """Cells of its table, at most."""
        return prod(cut.most for cut in self.cuts.values())

    def joined(self, other: "Group", most: int) -> "Group | None":
        """The leaves of both, unless their table has more than so many cells."""
        cells = self.cells * prod(cut.most for feature, cut in other.cuts.items() if feature not in self.cuts)
        if cells > most:  # what is soon known is soon refused
            return None
        cuts = self.cuts | other.cuts
        for feature in self.cuts.keys() & other.cuts.keys():
            old = self.cuts[feature]
            new = cuts[feature] = old | other.cuts[feature]
            cells = cells // old.most * new.most
            if cells > most:
                return None
        return Group(self.output, cuts, self.leaves + other.leaves)


def of_tree(tree: Tree, lefts: Sequence[int], bins: dict[int, int], most: int) -> list[Group]:
    """The leaves of a tree in groups: the largest subtrees whose tables have at most so many cells.

    Args:
        tree: with more than one leaf.
        lefts: the bins that go to the left at each node, as bits.
        bins: how many there are of each feature.
        most: cells of a table.
    """
    groups: dict[int, list[Group]] = {}
    known: dict[tuple[int, int], Cut] = {}
    for place, leaf in enumerate(_leaves(tree, lefts, bins)):
        for feature, condition in leaf.conditions.items():
            if (feature, condition) not in known:
                known[feature, condition] = Cut.of(condition, bins[feature])
        groups[~place] = [Group(tree.output, {item[0]: known[item] for item in leaf.conditions.items()}, (leaf,))]
    for node in range(len(tree.children) - 1, -1, -1):
        left, right = (groups.pop(child) for child in tree.children[node])
        joined = left[0].joined(right[0], most) if len(left) == len(right) == 1 else None
        groups[node] = left + right if joined is None else [joined]
    return groups[0]


def _leaves(tree: Tree, lefts: Sequence[int], bins: dict[int, int]) -> list[Leaf]:
    paths: dict[int, dict[int, tuple[int, float]]] = {0: {}}
    for node, (split, children, left) in enumerate(zip(tree.splits, tree.children, lefts, strict=True)):
        path, feature = paths.pop(node), split.feature
        everything = (1 << bins[feature]) - 1
        condition, share = path.get(feature, (everything, 1.0))
        for child, side in zip(children, (left, everything ^ left), strict=True):
            passed = tree.rows(child) / tree.node_rows[node]
            paths[child] = {**path, feature: (condition & side, share * passed)}
    found = []
    for place, value in enumerate(tree.values.tolist()):
        path = paths[~place]
        conditions = {feature: condition for feature, (condition, _) in path.items()}
        found.append(Leaf(value, conditions, tuple(share for _, share in path.values())))
    return found


def joined(groups: Iterable[Group], most: int) -> list[Group]:
    """Fewer groups of the same leaves: each is joined with the one of the latest whose table grows least.

    Groups of the same features come one after another, those of many features first.
    """
    ordered = sorted(groups, key=lambda group: (group.output, -len(group.cuts), sorted(group.cuts)))
    found: list[Group] = []
    for group in ordered:
        first = max(len(found) - _LATEST, 0)
        tried = [
            (both.cells - old.cells, place, both)
            for place, old in enumerate(found[first:], first)
            if old.output == group.output and (both := old.joined(group, most)) is not None
        ]
        if tried:
            _, place, both = min(tried, key=lambda found: found[:2])
            found[place] = both
        else:
            found.append(group)
    return found


def bits(condition: int, bins: int) -> np.ndarray:
    """A condition as an array of truth values, shape (bins,)."""
    packed = np.frombuffer(condition.to_bytes((bins + 7) // 8, "little"), dtype=np.uint8)
    return np.unpackbits(packed, count=bins, bitorder="little").astype(bool)
