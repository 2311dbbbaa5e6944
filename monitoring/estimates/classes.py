"""Classes: calibrated probabilities say how often they are right.

Confidence-based performance estimation (as NannyML calls it): of answers with a probability of 0.8, eight of ten are
expected to be right, as long as the probabilities hold.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from model.outcomes import Binary, Multiclass
from model.watched import Watched
from monitoring import answers
from monitoring.estimates.base import Estimator, Measure, Parts, mean
from monitoring.truth import ACTUAL
from validation.contract import Column, Kind

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

    main = "log_loss"
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
        return self._parts(rows, np.eye(len(self.outcome.classes))[self._places(rows[ACTUAL])])

    def expected(self, rows: pd.DataFrame, variance: np.ndarray) -> Parts:
        """By the probabilities, which are less certain where log-odds vary (MacKay, "The evidence framework", 1992)."""
        shares = np.clip(self._shares(rows), _CERTAIN, None)
        certain = shares ** (1 / np.sqrt(1 + np.pi * variance / 8))[:, None]
        return self._parts(rows, certain / certain.sum(axis=1, keepdims=True))

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

    def _places(self, actual: pd.Series) -> np.ndarray:
        """The place of each true class, shape (rows,)."""
        target = self.contract.target
        if self.watched.bounds:
            return np.searchsorted(self.watched.bounds, actual.to_numpy(dtype=float), side="right")
        labels = actual.astype("str").str.lower() if target.kind is Kind.FLAG else actual.astype("str")
        return pd.Index(list(self.outcome.classes)).get_indexer(pd.Index(labels))
