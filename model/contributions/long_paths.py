"""Leaves whose paths have too many features for a table of patterns: each row is computed."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from model.contributions import patterns
from model.contributions.groups import Group, Leaf, bits


class LongPath(NamedTuple):
    """A leaf. It takes about as long as LightGBM's TreeSHAP; few leaves of a model are like it."""

    output: int
    value: float
    features: Sequence[int]
    held: Sequence[np.ndarray]
    """Of each feature, whether a bin satisfies its conditions, shape (bins,)."""
    shares: np.ndarray
    """Shape (features,)."""
    owners: np.ndarray
    """Shape (features, columns)."""

    @classmethod
    def of(cls, group: Group, leaf: Leaf, bins: dict[int, int], owners: np.ndarray) -> Self:
        """That of a leaf; `bins` says how many each feature has, `owners` has shape (all features, columns)."""
        features = list(leaf.conditions)
        held = [bits(condition, bins[feature]) for feature, condition in leaf.conditions.items()]
        return cls(group.output, leaf.value, features, held, np.array(leaf.shares), owners[features])

    def add(self, bins: dict[int, np.ndarray], total: np.ndarray) -> None:
        """Add what rows get, by their bins of each feature, to a total of shape (outputs, rows, columns)."""
        weights, fails, holds = patterns.factors(self.shares)
        held = [of_bin[bins[feature]] for feature, of_bin in zip(self.features, self.held, strict=True)]
        product = np.repeat(self.value * weights[:, None], total.shape[1], axis=1)  # shape (nodes, rows)
        for place, known in enumerate(held):
            product *= np.where(known, holds[:, place, None], fails[:, place, None])
        for place, (known, share) in enumerate(zip(held, self.shares, strict=True)):
            others = product / np.where(known, holds[:, place, None], fails[:, place, None])
            given = others.sum(axis=0) * (known - share)
            for column in np.flatnonzero(self.owners[place]):
                total[self.output, :, column] += given * self.owners[place, column]
