"""Leaves whose paths have too many features for a table of patterns: each row is computed."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from model.contributions import patterns
from model.contributions.groups import Group, Leaf, bits
from model.contributions.tables import by_column

_PART = 8
"""Features whose factors are multiplied beforehand, by pattern."""


class LongPath(NamedTuple):
    """A leaf. The integral of `patterns.contributions` is taken for each row, from products of eight factors."""

    output: int
    features: Sequence[int]
    held: Sequence[np.ndarray]
    """Of each feature, whether a bin satisfies its conditions, shape (bins,)."""
    products: Sequence[np.ndarray]
    """Of each eight features, by pattern, at each node of the integral; shape (patterns, nodes)."""
    gains: tuple[np.ndarray, np.ndarray]
    """Of each feature, what the whole product is taken times where its condition fails and holds; (features, nodes)."""
    owners: np.ndarray
    """Shape (features, columns)."""

    @classmethod
    def of(cls, group: Group, leaf: Leaf, bins: dict[int, int], owners: np.ndarray) -> Self:
        """That of a leaf; `bins` says how many each feature has, `owners` has shape (all features, columns)."""
        features, shares = list(leaf.conditions), np.array(leaf.shares)
        held = [bits(condition, bins[feature]) for feature, condition in leaf.conditions.items()]
        weights, fails, holds = patterns.factors(shares)
        parts = [slice(first, first + _PART) for first in range(0, len(features), _PART)]
        products = [patterns.products(fails[None, :, part], holds[None, :, part])[0].T for part in parts]
        scale = leaf.value * weights[:, None]
        gains = (-shares * scale / fails).T, ((1 - shares) * scale / holds).T
        return cls(group.output, features, held, products, gains, owners[features])

    @staticmethod
    def size(leaf: Leaf, bins: dict[int, int]) -> int:
        """The bytes of a leaf's, at most; but for its owners' row."""
        depth = len(leaf.shares)
        numbers = (
            (depth + 1) // 2 * (2 * depth + sum(1 << min(_PART, depth - first) for first in range(0, depth, _PART)))
        )
        return 8 * numbers + sum(bins[feature] for feature in leaf.conditions)

    def add(self, bins: dict[int, np.ndarray], total: np.ndarray) -> None:
        """Add what rows get, by their bins of each feature, to a total as `Chunk.add` does."""
        held = np.array([of_bin[bins[feature]] for feature, of_bin in zip(self.features, self.held, strict=True)])
        product = np.ones((1, 1))
        for place, by_pattern in enumerate(self.products):
            part = held[place * _PART : (place + 1) * _PART]
            product = product * by_pattern[(1 << np.arange(len(part))) @ part]  # shape (rows, nodes)
        # einsum, since BLAS would start threads of its own
        fails, holds = (np.einsum("fn,rn->fr", gain, product) for gain in self.gains)
        given = np.where(held, holds, fails)
        into = total[self.output] if by_column(self.owners.shape[1]) else total[self.output].T
        for place, column in zip(*self.owners.nonzero(), strict=True):
            into[column] += given[place] * self.owners[place, column]
