"""Two classes: a label with its calibrated probabilities."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np
from msgspec import UNSET

from model.outcomes import labels
from model.outcomes.answer import Answer, Output
from model.outcomes.sets import Sets
from problems.base import Task
from validation.contract import Column
from validation.decode import Columns
from validation.wire import PredictionSet


class Binary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="binary", tag_field="task"):
    """One of two labels, with calibrated probabilities.

    Platt scaling ("Probabilistic Outputs for Support Vector Machines", 1999): the calibrated log-odds are linear in the
    booster's raw score, so SHAP values stay additive through them.

    Attributes:
        classes: the labels, the positive one last.
        slope, intercept: of the calibrated log-odds over the raw score.
        threshold: the probability of the positive class from which it is the answer.
        sets: what makes prediction sets; None in bundles of format 3 and before.
    """

    task: ClassVar[Task] = "binary"
    space: ClassVar[str] = "log-odds"
    kind: ClassVar[type[str]] = str
    parts: ClassVar[frozenset[str]] = labels.PARTS
    spread: ClassVar[bool] = False
    raw_scores: ClassVar[int] = 1
    stated_costs: ClassVar[dict[str, dict[str, float]]] = {}

    classes: tuple[str, str]
    slope: float
    intercept: float
    threshold: float
    sets: Sets | None = None

    def fits(self, target: Column) -> bool:
        """Whether a target has these labels, as far as its contract says."""
        return not target.continuous and (target.labels is None or target.labels == self.classes)

    def scores(self, raw: np.ndarray, spread: np.ndarray, columns: Columns) -> np.ndarray:
        """The probability of the positive class, shape (rows, 1)."""
        log_odds = self.slope * raw + self.intercept
        return (1.0 / (1.0 + np.exp(-np.clip(log_odds, -700, 700))))[:, None]

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """The answers to rows, from scores of shape (rows, 1)."""
        return [self._answer(positive) for [positive] in scores.tolist()]

    def _answer(self, positive: float) -> Answer:
        shares = (1.0 - positive, positive)
        answered = positive >= self.threshold
        label = self.classes[answered]
        named = dict(zip(self.classes, shares, strict=True))
        if self.sets is None:
            return Answer(label, UNSET, named)
        members = [*self.classes] if shares[answered] <= self.sets.mass else [label]
        return Answer(label, UNSET, named, PredictionSet(members, self.sets.coverage))

    def contributions(self, values: np.ndarray, raw: np.ndarray, columns: Columns, inputs: list[str]) -> np.ndarray:
        """SHAP values of the raw score, shape (rows, 1, inputs + 1), as those of the calibrated log-odds of each class.

        Those of the first class, in shape (rows, 2, inputs + 1), are those of the other with the sign turned.
        """
        scaled = self.slope * values
        scaled[:, :, -1] += self.intercept
        return np.concatenate([-scaled, scaled], axis=1)

    @property
    def subjects(self) -> Sequence[str]:
        """The classes, whose log-odds can be explained."""
        return self.classes

    def explained(self, scores: np.ndarray) -> np.ndarray:
        """Which of the subjects answers explain, shape (rows,): always the positive class."""
        return np.ones(len(scores), dtype=np.intp)

    def observed(self, scores: np.ndarray) -> np.ndarray:
        """The probability of the positive class, for histograms; shape (rows,)."""
        return scores[:, 0]

    @property
    def promised(self) -> float | None:
        """The share of rows whose class is in its prediction set; None without sets."""
        return None if self.sets is None else self.sets.coverage

    def judged(self, scores: np.ndarray) -> np.ndarray:
        """What losses compare with the target: the probability of the positive class, shape (rows,)."""
        return scores[:, 0]

    def covered(self, scores: np.ndarray, actual: np.ndarray) -> np.ndarray:
        """Whether classes, by their places of shape (rows,), are in the prediction sets, shape (rows,)."""
        return labels.covered(self.shares(scores), self.answered(scores), self.sets, actual)

    @property
    def given(self) -> frozenset[str]:
        """The parts that answers of this model have."""
        return self.parts if self.sets is not None else self.parts - {labels.SET}

    @property
    def score_columns(self) -> Sequence[Sequence[str]]:
        """The columns of a table that may hold the scores; the second is what versions of earlier code call them."""
        positive = self.classes[1]
        return ([labels.probability_columns(self.classes)[positive]], [f"probabilities.{positive}"])

    @property
    def outputs(self) -> Sequence[Output]:
        """The label, the probability of each class, and whether each is in the prediction set."""
        return labels.outputs(self.classes, self.answered, self.shares, self.sets)

    def answered(self, scores: np.ndarray) -> np.ndarray:
        """The place of the answered class, shape (rows,)."""
        return (scores[:, 0] >= self.threshold).astype(np.intp)

    def shares(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each class, shape (rows, 2)."""
        return np.column_stack([1.0 - scores[:, 0], scores[:, 0]])

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a table that hold the other parts of an answer than the prediction."""
        return labels.columns(self.classes, self.sets)

    def cells(self, scores: np.ndarray) -> Sequence[np.ndarray]:
        """The values of these columns, each of shape (rows,)."""
        return labels.cells(self.classes, self.shares(scores), self.answered(scores), self.sets)
