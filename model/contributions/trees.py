"""The trees of a LightGBM model, read from its text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T", int, float)
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
"""Bits of a node's decision type; the two above them are its missing type."""

NAME = np.dtype("<u4")
"""A number of a category."""


class NotTabulated(Exception):
    """A model whose contributions are left to LightGBM; the message says why."""


@dataclass(frozen=True)
class Split:
    """Which values of a feature go to the left: those up to a threshold, or those of a set."""

    feature: int
    threshold: float = 0.0
    missing: int = 0
    """What counts as missing: 0 nothing (NaN is read as 0), 1 zero (and NaN), 2 NaN."""
    default_left: bool = False
    names: bytes | None = None
    """The whole numbers that go to the left, ascending, as `NAME`; None where a threshold says it."""


@dataclass(frozen=True)
class Tree:
    """A tree. Nodes come before their children; a child is a node, or a leaf as the complement of its place."""

    output: int
    """Which raw score it adds to."""
    splits: Sequence[Split]
    children: Sequence[tuple[int, int]]
    """Left and right of each node; empty in a tree of one leaf."""
    node_rows: Sequence[int]
    """Training rows of each node."""
    leaf_rows: Sequence[int]
    values: np.ndarray
    """What each leaf adds, shape (leaves,)."""

    def rows(self, child: int) -> int:
        """The training rows of a node or a leaf."""
        return self.leaf_rows[~child] if child < 0 else self.node_rows[child]

    @property
    def expected(self) -> float:
        """The mean of its leaves over the training rows."""
        if not self.children:
            return float(self.values[0])
        return float(np.sum(np.array(self.leaf_rows) / self.node_rows[0] * self.values))


@dataclass(frozen=True)
class Forest:
    """The trees of a model."""

    features: int
    outputs: int
    """Raw scores a row."""
    trees: Sequence[Tree]


def read_forest(text: str) -> Forest:
    """Read the text of a model, `Booster.model_to_string()`, whose 17 digits are the numbers themselves.

    Raises:
        NotTabulated: its leaves hold linear models, or a part of a tree has no training rows.
    """
    head, *blocks = text.split("\nend of trees", 1)[0].split("\nTree=")
    about = _fields(head)
    outputs = int(about["num_tree_per_iteration"])
    trees = [_tree(_fields(block), place % outputs) for place, block in enumerate(blocks)]
    return Forest(int(about["max_feature_idx"]) + 1, outputs, trees)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(fields: dict[str, str], output: int) -> Tree:
    if int(fields.get("is_linear", "0")):
        raise NotTabulated("The leaves of its trees hold linear models, which have no path-dependent SHAP values.")
    values = np.array(_numbers(fields, "leaf_value", float))
    if int(fields["num_leaves"]) == 1:
        return Tree(output, [], [], [], [], values)
    children = list(zip(_numbers(fields, "left_child", int), _numbers(fields, "right_child", int), strict=True))
    node_rows, leaf_rows = _numbers(fields, "internal_count", int), _numbers(fields, "leaf_count", int)
    if min(*node_rows, *leaf_rows) <= 0:
        raise NotTabulated("A part of a tree has no training rows, so that its weight is not known.")
    return Tree(output, _splits(fields), children, node_rows, leaf_rows, values)


def _splits(fields: dict[str, str]) -> list[Split]:
    bounds = _numbers(fields, "cat_boundaries", int)
    words = np.fromstring(fields.get("cat_threshold", ""), dtype="<u4", sep=" ")
    nodes = zip(
        _numbers(fields, "split_feature", int),
        _numbers(fields, "threshold", float),
        _numbers(fields, "decision_type", int),
        strict=True,
    )
    splits = []
    for feature, threshold, kind in nodes:
        if kind & _CATEGORICAL:  # the threshold is the place of its set
            first, end = bounds[int(threshold)], bounds[int(threshold) + 1]
            splits.append(Split(feature, names=_names(words[first:end])))
        else:
            splits.append(Split(feature, threshold, kind >> 2 & 3, bool(kind & _DEFAULT_LEFT)))
    return splits


def _names(words: np.ndarray) -> bytes:
    """The numbers of the bits that are set in words of 32, as `NAME`: there may be few in a million."""
    some = np.flatnonzero(words)
    word, bit = np.unpackbits(words[some].view(np.uint8).reshape(-1, 4), axis=1, bitorder="little").nonzero()
    return (32 * some[word] + bit).astype(NAME).tobytes()


def _numbers(fields: dict[str, str], name: str, kind: Callable[[str], T]) -> list[T]:
    return [kind(number) for number in fields.get(name, "").split()]
