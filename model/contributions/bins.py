"""The bins of each feature's values: all values of a bin go the same way at every split of the model."""

from collections.abc import Iterable, Sequence

import numpy as np

from model.contributions.trees import NAME, NotTabulated, Split

ZERO = float(np.float32(1e-35))
"""Up to which size LightGBM reads a number as 0."""
_ABOVE = 2**31
"""LightGBM's numbers of categories are below it."""


class Thresholds:
    """The bins between a feature's thresholds, each with its upper bound; the last is NaN's where that has its own."""

    def __init__(self, splits: Iterable[Split]) -> None:
        splits = list(splits)
        ends = {split.threshold for split in splits}
        if any(split.missing == 1 for split in splits):
            ends |= {np.nextafter(-ZERO, -np.inf), ZERO}
        self._ends = np.array(sorted(ends))
        bounds = [*self._ends, np.inf]
        self._of_nan = int(np.searchsorted(self._ends, 0.0))
        if any(split.missing == 2 for split in splits):
            self._of_nan = len(bounds)
            bounds.append(np.nan)
        self._bounds = np.array(bounds)
        self.count = len(bounds)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The bins of values, both of shape (rows,)."""
        values = np.where(np.abs(values) <= ZERO, 0.0, values)
        bins = np.searchsorted(self._ends, values)
        bins[np.isnan(values)] = self._of_nan
        return bins

    def left(self, split: Split) -> np.ndarray:
        """Whether the values of each bin go to the left, shape (bins,)."""
        values = self._bounds if split.missing == 2 else np.nan_to_num(self._bounds, nan=0.0, posinf=np.inf)
        left = values <= split.threshold
        if split.missing:
            left[np.isnan(values) if split.missing == 2 else np.abs(values) <= ZERO] = split.default_left
        return left


class Names:
    """The bins of a category: one for each whole number that a split sends to the left, the last for all others."""

    def __init__(self, splits: Iterable[Split]) -> None:
        numbers = np.concatenate([_numbers(split) for split in splits])
        self._numbers = np.append(np.unique(numbers), _ABOVE)
        self.count = len(self._numbers)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The bins of values, both of shape (rows,). LightGBM cuts off decimals: -0.5 is name 0."""
        known = (values > -1) & (values < _ABOVE)  # NaN is not
        numbers = np.where(known, values, -1).astype(np.int64)
        bins = np.searchsorted(self._numbers, numbers)
        return np.where(self._numbers[bins] == numbers, bins, self.count - 1)

    def left(self, split: Split) -> np.ndarray:
        """Whether the values of each bin go to the left, shape (bins,)."""
        left = np.zeros(self.count, dtype=bool)
        left[np.searchsorted(self._numbers, _numbers(split))] = True
        return left


def _numbers(split: Split) -> np.ndarray:
    """The whole numbers that a split sends to the left, ascending."""
    return np.frombuffer(split.names or b"", dtype=NAME).astype(np.int64)


def bins_of(splits: Sequence[Split]) -> Thresholds | Names:
    """The bins of the feature that these splits are of; raises NotTabulated where it is a number and a category."""
    categorical = {split.names is not None for split in splits}
    if len(categorical) == 2:
        raise NotTabulated(f"Feature {splits[0].feature} is a number in some splits and a category in others.")
    return Names(splits) if categorical == {True} else Thresholds(splits)
