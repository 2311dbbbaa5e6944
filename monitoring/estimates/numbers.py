"""Numbers: how wide an interval is says how large the error is to be expected.

Direct loss estimation (as NannyML calls it): the booster of error sizes that makes intervals has learned the loss of
each row; held-out rows say what of it came true.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from model.outcomes import Regression
from model.watched import Watched
from monitoring import answers
from monitoring.estimates.base import ACTUAL, Estimator, Measure, Parts, mean
from validation.contract import Column

_BINS = 8
_LEAST = 1e-9
_NORMAL = 2 / np.pi
"""The square of the mean size of a normal error, divided by its variance."""


def _root(parts: np.ndarray) -> float:
    return float(np.sqrt(parts[:, 0].mean()))


def _ratio(parts: np.ndarray) -> float:
    """The sum of errors divided by that of values."""
    return float(parts[:, 0].sum() / max(parts[:, 1].sum(), _LEAST))


_MEASURES: Mapping[str, Measure] = {
    "mae": Measure("lower", mean),
    "rmse": Measure("lower", _root),
    "wmape": Measure("lower", _ratio),
}


class Numbers(Estimator[Regression]):
    """The mean absolute and squared errors of a regression."""

    measures = _MEASURES
    main = "mae"

    def __init__(self, watched: Watched, columns: list[Column], reference: pd.DataFrame) -> None:
        """See `Estimator`."""
        super().__init__(watched, columns, reference)
        half, errors = self._half(self.held_out), self._errors(self.held_out)
        self._edges = np.unique(np.quantile(half, np.linspace(0, 1, _BINS + 1)[1:-1]))
        places = np.searchsorted(self._edges, half)
        self._sizes = _by_bin(places, errors, half)
        self._squares = _by_bin(places, errors**2, half**2)

    def effects(self, rows: pd.DataFrame) -> np.ndarray:
        """The value, or its logarithm where intervals are factors."""
        values = answers.scores(rows)[:, 0]
        effects: np.ndarray = np.log(np.maximum(values, _LEAST)) if self._logarithmic else values
        return effects

    def true(self, rows: pd.DataFrame) -> Parts:
        """The absolute and squared errors, and the size of the values."""
        errors = self._errors(rows)
        sizes = np.abs(rows[ACTUAL].to_numpy(dtype=float))
        return _parts(errors, errors**2, sizes)

    def expected(self, rows: pd.DataFrame, variance: np.ndarray) -> Parts:
        """What half widths say, and what is added beyond what the model learned from."""
        half, values = self._half(rows), np.abs(answers.scores(rows)[:, 0])
        places = np.searchsorted(self._edges, half)
        added = variance * values**2 if self._logarithmic else variance
        sizes, squares = self._sizes[places] * half, self._squares[places] * half**2
        return _parts(np.sqrt(sizes**2 + _NORMAL * added), squares + added, values)

    @property
    def _logarithmic(self) -> bool:
        """Whether intervals are factors, so that effects are factors too."""
        return self.outcome.log or self.outcome.ratio

    @staticmethod
    def _half(rows: pd.DataFrame) -> np.ndarray:
        scores = answers.scores(rows)
        half: np.ndarray = np.maximum((scores[:, 2] - scores[:, 1]) / 2, _LEAST)
        return half

    @staticmethod
    def _errors(rows: pd.DataFrame) -> np.ndarray:
        errors: np.ndarray = np.abs(rows[ACTUAL].to_numpy(dtype=float) - answers.scores(rows)[:, 0])
        return errors


def _by_bin(places: np.ndarray, errors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The mean error divided by the mean size in each bin, shape (bins,)."""
    bins = int(places.max()) + 1
    ratios: np.ndarray = np.bincount(places, errors, bins) / np.bincount(places, sizes, bins)
    return ratios


def _parts(errors: np.ndarray, squares: np.ndarray, sizes: np.ndarray) -> Parts:
    return {"mae": errors[:, None], "rmse": squares[:, None], "wmape": np.column_stack([errors, sizes])}
