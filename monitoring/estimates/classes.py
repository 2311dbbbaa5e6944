"""Classes: calibrated probabilities say how often they are right.

Confidence-based performance estimation (as NannyML calls it): of answers with a probability of 0.8, eight of ten are
expected to be right, as long as the probabilities hold.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from model.outcomes import Binary, Multiclass
from model.watched import Watched
from monitoring import answers
from monitoring.estimates.base import Bias, Estimator, Measure, Parts, mean
from monitoring.truth import ACTUAL, encoded
from validation.contract import Column

_CERTAIN = 1e-9


def _area(parts: np.ndarray) -> float:
    """The area under the ROC curve, of probabilities and how much each row is of the positive class."""
    order = np.argsort(parts[:, 0], kind="stable")
    scores, positive = parts[order, 0], parts[order, 1]
    starts = np.flatnonzero(np.diff(scores, prepend=-np.inf))
    good, bad = np.add.reduceat(positive, starts), np.add.reduceat(1 - positive, starts)
    below = np.cumsum(bad) - bad / 2
    pairs = good.sum() * bad.sum()
    return float((good * below).sum() / pairs) if pairs else 0.5


class Classes(Estimator[Binary | Multiclass]):
    """The log loss and the accuracy of a classification, and of two classes the area under the ROC curve."""

    main, called = "log_loss", "log loss"
    _all: ClassVar[Mapping[str, Measure]] = {
        "log_loss": Measure("lower", mean),
        "accuracy": Measure("higher", mean),
        "roc_auc": Measure("higher", _area),
    }

    def __init__(self, watched: Watched, columns: list[Column], reference: pd.DataFrame) -> None:
        """See `Estimator`."""
        super().__init__(watched, columns, reference)
        two = len(self.outcome.classes) == 2
        self.measures = {name: measure for name, measure in self._all.items() if two or name != "roc_auc"}

    def effects(self, rows: pd.DataFrame) -> np.ndarray:
        """The log-odds of the last class."""
        shares = np.clip(self._shares(rows)[:, -1], _CERTAIN, 1 - _CERTAIN)
        effects: np.ndarray = np.log(shares / (1 - shares))
        return effects

    def true(self, rows: pd.DataFrame) -> Parts:
        """By the class that each row was of."""
        return self._parts(rows, self._came(rows))

    def expected(self, rows: pd.DataFrame, variance: np.ndarray) -> Parts:
        """By the probabilities, which are less certain where log-odds vary (MacKay, "The evidence framework", 1992)."""
        shares = np.clip(self._shares(rows), _CERTAIN, None)
        certain = shares ** (1 / np.sqrt(1 + np.pi * variance / 8))[:, None]
        return self._parts(rows, certain / certain.sum(axis=1, keepdims=True))

    def bias(self, rows: pd.DataFrame) -> Bias:
        """How often each class came, beside the sum of its probabilities (calibration in the large).

        What it costs is the divergence of the shares that came from those that were expected (Kullback and Leibler,
        1951): as much log loss would be saved by answers that know them.
        """
        usual, came = self._surplus(self.held_out), self._surplus(rows)
        surplus = came.mean(axis=0) - usual.mean(axis=0)
        spread = sum(np.cov(each.T, bias=True) / len(each) for each in (usual, came))
        chance = float(stats.chi2.sf(surplus @ np.linalg.pinv(spread) @ surplus, len(surplus) - 1))
        expected = np.clip(self._shares(rows).mean(axis=0), _CERTAIN, None)
        shares = np.clip(expected + surplus, _CERTAIN, None)
        cost = float(stats.entropy(shares, expected))
        loss = float(self.expected_losses(rows).known.mean())
        most = int(np.argmax(np.abs(surplus)))
        name, way = self.outcome.classes[most], "more" if surplus[most] > 0 else "less"
        clause = f"'{name}' came {way} often than its probabilities say ({shares[most]:.1%}, not {expected[most]:.1%})"
        return Bias(cost / max(loss, _CERTAIN), chance, clause)

    def expected_coverage(self, rows: pd.DataFrame) -> np.ndarray:
        """The probabilities of the classes in the set, together."""
        scores, shares = answers.scores(rows), self._shares(rows)
        inside = [self.outcome.covered(scores, np.full(len(rows), float(place))) for place in range(shares.shape[1])]
        expected: np.ndarray = (np.column_stack(inside) * shares).sum(axis=1)
        return expected

    def _surplus(self, rows: pd.DataFrame) -> np.ndarray:
        """1 where a class came, less its probability; shape (rows, classes)."""
        surplus: np.ndarray = self._came(rows) - self._shares(rows)
        return surplus

    def _parts(self, rows: pd.DataFrame, classes: np.ndarray) -> Parts:
        """What rows contribute that are of each class to these shares, shape (rows, classes)."""
        shares = self._shares(rows)
        answered = self.outcome.answered(answers.scores(rows))
        losses = -(classes * np.log(np.clip(shares, _CERTAIN, None))).sum(axis=1)
        right = np.take_along_axis(classes, answered[:, None], axis=1)
        parts = {"log_loss": losses[:, None], "accuracy": right}
        return parts | {"roc_auc": np.column_stack([shares[:, -1], classes[:, -1]])}

    def _shares(self, rows: pd.DataFrame) -> np.ndarray:
        shares: np.ndarray = self.outcome.shares(answers.scores(rows))
        return shares

    def _came(self, rows: pd.DataFrame) -> np.ndarray:
        """1 for the class that came, 0 for others; shape (rows, classes)."""
        places = encoded(self.watched, rows[ACTUAL]).astype(int)
        came: np.ndarray = np.eye(len(self.outcome.classes))[places]
        return came
