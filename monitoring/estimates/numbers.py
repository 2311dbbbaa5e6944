"""Numbers: how wide an interval is says how large the error is to be expected.

Direct loss estimation (as NannyML calls it): the booster of error sizes that makes intervals has learned the loss of
each row. How errors of held-out rows follow from half widths and from values is learned here: where prices rise with
the season, so do their errors, and more than a booster has seen of it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import PoissonRegressor

from model.outcomes import Regression
from model.watched import Watched
from monitoring import answers
from monitoring.estimates.base import Bias, Estimator, Measure, Parts, mean
from monitoring.truth import ACTUAL
from validation.contract import Column

_LEAST = 1e-9
_SMALL = 0.05
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
    main, called = "mae", "mean absolute error"

    def __init__(self, watched: Watched, columns: list[Column], reference: pd.DataFrame) -> None:
        """See `Estimator`."""
        super().__init__(watched, columns, reference)
        errors = np.abs(self._errors(self.held_out))
        self._small = float(np.quantile(np.abs(answers.scores(self.held_out)[:, 0]), _SMALL))
        self._sizes, self._squares = (_Power(self._causes(self.held_out), losses) for losses in (errors, errors**2))
        self._usual = self._relative(self.held_out)

    def effects(self, rows: pd.DataFrame) -> np.ndarray:
        """The value, or its logarithm where intervals are factors."""
        values = answers.scores(rows)[:, 0]
        effects: np.ndarray = np.log(np.maximum(values, _LEAST)) if self._logarithmic else values
        return effects

    def true(self, rows: pd.DataFrame) -> Parts:
        """The absolute and squared errors, and the size of the values."""
        errors = np.abs(self._errors(rows))
        sizes = np.abs(rows[ACTUAL].to_numpy(dtype=float))
        return _parts(errors, errors**2, sizes)

    def expected(self, rows: pd.DataFrame, variance: np.ndarray) -> Parts:
        """What half widths say, and what is added beyond what the model learned from."""
        causes, values = self._causes(rows), np.abs(answers.scores(rows)[:, 0])
        added = variance * values**2 if self._logarithmic else variance
        return _parts(np.sqrt(self._sizes(causes) ** 2 + _NORMAL * added), self._squares(causes) + added, values)

    def bias(self, rows: pd.DataFrame) -> Bias:
        """The mean error, in units of the expected size of each; as if it came to the errors of held-out rows."""
        usual, now = self._usual, self._relative(rows)
        mean, error = now.mean() - usual.mean(), np.hypot(*(each.std() / np.sqrt(len(each)) for each in (usual, now)))
        rise = float(np.abs(usual + mean).mean() / max(np.abs(usual).mean(), _LEAST)) - 1
        off = self._errors(rows).mean() / max(float(np.abs(answers.scores(rows)[:, 0]).mean()), _LEAST)
        chance = float(2 * stats.norm.sf(abs(mean) / max(error, _LEAST)))
        way = "above" if off > 0 else "below"
        return Bias(rise, chance, f"true values are on average {abs(off):.1%} {way} the answers")

    def expected_coverage(self, rows: pd.DataFrame) -> np.ndarray:
        """The share of held-out errors that would be in the interval, each in units of its expected size."""
        scores, usual = answers.scores(rows), np.sort(np.abs(self._usual))
        reach = (scores[:, 2] - scores[:, 1]) / 2 / np.maximum(self._sizes(self._causes(rows)), _LEAST)
        expected: np.ndarray = np.searchsorted(usual, reach, side="right") / len(usual)
        return expected

    def _relative(self, rows: pd.DataFrame) -> np.ndarray:
        """Errors with their sign, in units of the size that is expected of each; shape (rows,)."""
        relative: np.ndarray = self._errors(rows) / np.maximum(self._sizes(self._causes(rows)), _LEAST)
        return relative

    def _causes(self, rows: pd.DataFrame) -> np.ndarray:
        """The logarithms of half widths and of values, shape (rows, 2); values near 0 have the errors of small ones."""
        scores = answers.scores(rows)
        half, values = (scores[:, 2] - scores[:, 1]) / 2, np.abs(scores[:, 0])
        causes = np.column_stack([half, np.maximum(values, self._small)])
        logarithms: np.ndarray = np.log(np.maximum(causes, _LEAST))
        return logarithms

    @property
    def _logarithmic(self) -> bool:
        """Whether intervals are factors, so that effects are factors too."""
        return self.outcome.log or self.outcome.ratio

    @staticmethod
    def _errors(rows: pd.DataFrame) -> np.ndarray:
        """True values less answers, shape (rows,)."""
        errors: np.ndarray = rows[ACTUAL].to_numpy(dtype=float) - answers.scores(rows)[:, 0]
        return errors


class _Power:
    """A mean loss that is a product of powers of its causes, fitted by Poisson quasi-likelihood."""

    def __init__(self, causes: np.ndarray, losses: np.ndarray) -> None:
        """Fit it to logarithms of causes, shape (rows, causes), and losses, shape (rows,)."""
        self._centre, self._spread = causes.mean(axis=0), causes.std(axis=0) + _LEAST
        self._scale = losses.mean() or 1.0
        self._fitted = PoissonRegressor(alpha=1e-4, max_iter=300).fit(
            self._standard(causes), losses / self._scale + _LEAST
        )

    def __call__(self, causes: np.ndarray) -> np.ndarray:
        """The mean loss of each row, shape (rows,)."""
        losses: np.ndarray = self._fitted.predict(self._standard(causes)) * self._scale
        return losses

    def _standard(self, causes: np.ndarray) -> np.ndarray:
        standard: np.ndarray = (causes - self._centre) / self._spread
        return standard


def _parts(errors: np.ndarray, squares: np.ndarray, sizes: np.ndarray) -> Parts:
    return {"mae": errors[:, None], "rmse": squares[:, None], "wmape": np.column_stack([errors, sizes])}
