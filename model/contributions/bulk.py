"""SHAP values of many rows, gathered from tables."""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from model.contributions import groups as grouped
from model.contributions.bins import Names, Thresholds, bins_of
from model.contributions.groups import Group
from model.contributions.long_paths import LongPath
from model.contributions.tables import Chunk, by_column, chunk_of, size_of
from model.contributions.trees import Forest, Split, read_forest

_CELLS = 2048
"""Of a table, at most, unless a path of many features needs more by itself."""
_DEEPEST = 14
"""Features of a path that has a table, which has a cell for each subset of them."""
_CHUNK, _CHUNK_BYTES = 64, 1 << 26
"""Groups whose tables are made together, and the bytes that making them takes."""
_BLOCK = 1 << 16
"""Numbers of a block of rows: a core's cache holds them and a table."""
ROWS = 1 << 16
"""Rows for which tables that are not kept are made once."""


class _Block(NamedTuple):
    """Rows on their way."""

    bins: dict[int, np.ndarray]
    """By feature, shape (rows,)."""
    total: np.ndarray
    """Shape (outputs, rows, columns), or (outputs, columns, rows) where it is added column by column."""


class BulkContributions:
    """A model's contributions as tables. It holds no state between calls and may be called from several threads.

    SHAP values as TreeSHAP finds them (Lundberg et al., 2018), and LightGBM's `pred_contrib`, to about 14 digits. What
    a row gets depends only on which conditions of each path it satisfies: FastTreeSHAP (Yang, 2021) computes that once
    by pattern for each leaf, and WOODELF (Nadel and Wettenstein, 2025) gathers it for many rows. Here leaves of few
    features, of several trees too, share a table of the sums in each of its cells, and a row takes one line of each.
    """

    def __init__(self, text: str, owners: np.ndarray | None = None, kept: int = 1 << 27) -> None:
        """Make the tables; this takes as long as LightGBM takes to explain one or two thousand rows.

        Args:
            text: of the model, `Booster.model_to_string()`.
            owners: which column a feature's contribution belongs to, shape (features, columns): contributions are
                summed by it. By default each feature is a column.
            kept: bytes of tables that are kept, at most; the others are made again for each call.

        Raises:
            NotTabulated: its leaves hold linear models or have no rows, or a feature is a number and a category.
        """
        forest = read_forest(text)
        self._owners = np.eye(forest.features) if owners is None else owners
        self.outputs, self.columns = forest.outputs, self._owners.shape[1]
        self._bins = _bins(forest)
        self._counts = {feature: bins.count for feature, bins in self._bins.items()}
        groups, long = _groups(forest, self._bins, self._counts)
        parts = sorted([*self._parts(groups), *([group] for group in long)], key=self._size)
        sizes = np.cumsum([self._size(part) for part in parts])
        fit = int(np.searchsorted(sizes, kept, side="right"))
        self._kept = [made for part in parts[:fit] for made in self._made(part)]
        self._others = parts[fit:]
        self._base = np.zeros(forest.outputs)
        for tree in forest.trees:
            self._base[tree.output] += tree.expected

    @property
    def whole(self) -> bool:
        """Whether all tables are kept, so that few rows are explained fast too."""
        return not self._others

    def __call__(self, matrix: np.ndarray, threads: int = 1) -> np.ndarray:
        """The contributions of rows.

        Args:
            matrix: of float64, shape (rows, features).
            threads: at most so many at once. What a row gets does not depend on it, nor on the other rows; but for the
                last digits where a path has more than 14 features.

        Returns:
            Shape (rows, outputs, columns + 1), the base value last.
        """
        found = np.empty((len(matrix), self.outputs, self.columns + 1))
        with contextlib.ExitStack() as stack:
            each = map if threads == 1 else stack.enter_context(ThreadPoolExecutor(threads)).map
            for first in range(0, len(matrix), ROWS):
                part = slice(first, first + ROWS)
                self._explain(matrix[part], found[part], each)
        return found

    def _explain(self, rows: np.ndarray, into: np.ndarray, each: Callable[..., Iterable[Any]]) -> None:
        size = max(_BLOCK // self.columns, 4096)
        parts = [slice(first, first + size) for first in range(0, len(rows), size)]
        blocks = list(each(self._block, [rows[part] for part in parts]))
        for made in itertools.chain.from_iterable(map(self._made, self._others)):
            list(each(made.add, *zip(*blocks, strict=True)))
        for part, block in zip(parts, blocks, strict=True):
            into[part, :, :-1] = np.moveaxis(block.total, -1 if by_column(self.columns) else 1, 0)
        into[:, :, -1] = self._base

    def _block(self, rows: np.ndarray) -> _Block:
        """Rows with what the tables that are kept give them."""
        bins = {feature: bins.of(rows[:, feature]) for feature, bins in self._bins.items()}
        shape = (self.columns, len(rows)) if by_column(self.columns) else (len(rows), self.columns)
        block = _Block(bins, np.zeros((self.outputs, *shape)))
        for made in self._kept:
            made.add(*block)
        return block

    def _made(self, part: Sequence[Group]) -> Sequence[Chunk | LongPath]:
        """What adds the contributions of a part's leaves."""
        if _long(part[0]):
            return [LongPath.of(group, leaf, self._counts, self._owners) for group in part for leaf in group.leaves]
        return [chunk_of(part, self._counts, self._owners)]

    def _size(self, part: Sequence[Group]) -> int:
        """The bytes that it takes."""
        if _long(part[0]):
            return sum(LongPath.size(leaf, self._counts) for group in part for leaf in group.leaves)
        return size_of(part, self._counts, self._owners)

    def _parts(self, groups: Sequence[Group]) -> Iterator[list[Group]]:
        """Groups in the parts whose tables are made together."""
        part: list[Group] = []
        size = 0
        for group in groups:
            patterns = sum(8 * len(leaf.shares) << len(leaf.shares) for leaf in group.leaves)
            own = self._size([group]) + patterns
            if part and (len(part) == _CHUNK or size + own > _CHUNK_BYTES):
                yield part
                part, size = [], 0
            part.append(group)
            size += own
        if part:
            yield part


def _long(group: Group) -> bool:
    """Whether a path of it has too many features for a table."""
    return max(len(leaf.conditions) for leaf in group.leaves) > _DEEPEST


def _bins(forest: Forest) -> dict[int, Thresholds | Names]:
    splits: dict[int, list[Split]] = defaultdict(list)
    for tree in forest.trees:
        for split in tree.splits:
            splits[split.feature].append(split)
    return {feature: bins_of(of_feature) for feature, of_feature in sorted(splits.items())}


def _groups(
    forest: Forest, bins: dict[int, Thresholds | Names], counts: dict[int, int]
) -> tuple[list[Group], list[Group]]:
    """The leaves in groups that get a table, and those of long paths, which get none."""
    lefts: dict[Split, int] = {}
    for split in (split for tree in forest.trees for split in tree.splits):
        if split not in lefts:
            packed = np.packbits(bins[split.feature].left(split), bitorder="little")
            lefts[split] = int.from_bytes(packed.tobytes(), "little")
    found: tuple[list[Group], list[Group]] = [], []
    for tree in forest.trees:
        if tree.children:
            for group in grouped.of_tree(tree, [lefts[split] for split in tree.splits], counts, _CELLS):
                found[_long(group)].append(group)
    return grouped.joined(found[0], _CELLS), found[1]
