"""Two classes: a label with its calibrated probabilities."""

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec
import numpy as np

from model.outcomes.answer import Answer, Output
from problems.base import Task
from validation.contract import Column
from validation.decode import Columns


class Binary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="binary", tag_field="task"):
    """One of two labels, with calibrated probabilities.

    Platt scaling ("Probabilistic Outputs for Support Vector Machines", 1999): the calibrated log-odds are linear in the
    booster's raw score, so SHAP values stay additive through them.

    Attributes:
        classes: the labels, the positive one last.
        slope, intercept: of the calibrated log-odds over the raw score.
        threshold: the probability of the positive class from which it is the answer.
    """

    task: ClassVar[Task] = "binary"
    space: ClassVar[str] = "log-odds"
    kind: ClassVar[type[str]] = str
    parts: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    spread: ClassVar[bool] = False

    classes: tuple[str, str]
    slope: float
    intercept: float
    threshold: float

    def fits(self, target: Column) -> bool:
        """Whether a target has these labels, as far as its contract says."""
        return not target.numeric and (target.choices is None or target.choices == self.classes)

    def scores(self, raw: np.ndarray, spread: np.ndarray, columns: Columns) -> np.ndarray:
        """The probability of the positive class, shape (rows, 1)."""
        log_odds = self.slope * raw + self.intercept
        return (1.0 / (1.0 + np.exp(-np.clip(log_odds, -700, 700))))[:, None]

    def answer(self, score: list[float]) -> Answer:
        """The answer for one row of `scores`."""
        [positive] = score
        shares = dict(zip(self.classes, (1.0 - positive, positive), strict=True))
        return Answer(self.classes[positive >= self.threshold], probabilities=shares)

    def contributions(self, values: np.ndarray, raw: np.ndarray, columns: Columns, inputs: list[str]) -> np.ndarray:
        """SHAP values of the raw score as those of the calibrated log-odds of the positive class."""
        scaled = self.slope * values
        scaled[:, -1] += self.intercept
        return scaled

    @property
    def subject(self) -> str:
        """What its score is the probability of."""
        return self.classes[1]

    @property
    def score_columns(self) -> Sequence[str]:
        """The columns of a table that may hold the score; the second is what versions of earlier code call it."""
        return (probability_columns(self.classes)[self.subject], f"probabilities.{self.subject}")

    @property
    def outputs(self) -> Sequence[Output]:
        """The label and the probability of each class."""
        return (
            Output("prediction", self.kind, (), self._labels),
            Output("probabilities", float, (len(self.classes),), self._shares),
        )

    def _labels(self, scores: np.ndarray) -> np.ndarray:
        labels: np.ndarray = np.array(self.classes, dtype=object)[(scores[:, 0] >= self.threshold).astype(np.intp)]
        return labels

    def _shares(self, scores: np.ndarray) -> np.ndarray:
        return np.column_stack([1.0 - scores[:, 0], scores[:, 0]])

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a table that hold the other parts of an answer than the prediction."""
        return list(probability_columns(self.classes).values())

    def cells(self, scores: np.ndarray) -> Sequence[np.ndarray]:
        """The values of these columns, each of shape (rows,)."""
        return list(self._shares(scores).T)


def probability_columns(labels: Iterable[str]) -> dict[str, str]:
    """The column of a table for each label; numbered where labels differ only in characters that columns cannot have.

    Names have letters, digits and underscores only, which Spark takes without backticks.
    """
    plain = {label: re.sub(r"[^0-9A-Za-z]", "_", label) for label in labels}
    if len(set(plain.values())) < len(plain):
        plain = {label: str(place) for place, label in enumerate(plain)}
    return {label: f"probability_{name}" for label, name in plain.items()}
