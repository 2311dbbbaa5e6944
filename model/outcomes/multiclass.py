"""Three classes or more: a label with its calibrated probabilities."""

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


class Multiclass(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="multiclass", tag_field="task"):
    """One of several labels, with calibrated probabilities.

    Bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar, "Maximum Likelihood with Bias-Corrected
    Calibration is Hard-To-Beat at Label Shift Adaptation", 2020): one slope for all classes and an intercept for each.
    So the logits, whose softmax are the probabilities, are linear in the booster's raw scores, and SHAP values stay
    additive through them.

    Attributes:
        classes: the labels, in the order of the contract.
        slope, intercepts: of the logits over the raw scores.
        costs: what each answer costs, by the class that is right and the one that is answered; None where all wrong
            answers cost the same.
        sets: what makes prediction sets.
    """

    task: ClassVar[Task] = "multiclass"
    space: ClassVar[str] = "logit"
    kind: ClassVar[type[str]] = str
    parts: ClassVar[frozenset[str]] = labels.PARTS
    spread: ClassVar[bool] = False

    classes: tuple[str, ...]
    slope: float
    intercepts: tuple[float, ...]
    costs: tuple[tuple[float, ...], ...] | None
    sets: Sets

    @property
    def raw_scores(self) -> int:
        """How many raw scores a row has."""
        return len(self.classes)

    @property
    def stated_costs(self) -> dict[str, dict[str, float]]:
        """The costs of wrong answers that are not 1, by the class that is right and the one that is answered."""
        stated: dict[str, dict[str, float]] = {}
        for right, costs in zip(self.classes, self.costs or (), strict=False):
            others = {name: cost for name, cost in zip(self.classes, costs, strict=True) if name != right and cost != 1}
            stated |= {right: others} if others else {}
        return stated

    def fits(self, target: Column) -> bool:
        """Whether a target has these labels."""
        return not target.continuous and target.labels == self.classes

    def scores(self, raw: np.ndarray, spread: np.ndarray, columns: Columns) -> np.ndarray:
        """The probability of each class, shape (rows, classes), from raw scores of that shape."""
        return softmax(self.slope * raw + np.array(self.intercepts))

    def answered(self, scores: np.ndarray) -> np.ndarray:
        """The place of the class whose expected cost is least, shape (rows,)."""
        if self.costs is None:
            likeliest: np.ndarray = scores.argmax(axis=1)
            return likeliest
        expected = (scores[:, :, None] * np.array(self.costs)).sum(axis=1)
        cheapest: np.ndarray = expected.argmin(axis=1)
        return cheapest

    def shares(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each class, shape (rows, classes)."""
        return scores

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """The answers to rows, from scores of shape (rows, classes)."""
        answered = self.answered(scores)
        inside = labels.members(self.classes, self.sets.members(scores, answered))
        rows = zip(answered.tolist(), scores.tolist(), inside, strict=True)
        return [
            Answer(
                self.classes[place],
                UNSET,
                dict(zip(self.classes, shares, strict=True)),
                PredictionSet(names, self.sets.coverage),
            )
            for place, shares, names in rows
        ]

    def contributions(self, values: np.ndarray, raw: np.ndarray, columns: Columns, inputs: list[str]) -> np.ndarray:
        """SHAP values of the raw scores as those of the logits, shape (rows, classes, inputs + 1)."""
        scaled = self.slope * values
        scaled[:, :, -1] += np.array(self.intercepts)
        return scaled

    @property
    def subjects(self) -> Sequence[str]:
        """The classes, whose logits are explained."""
        return self.classes

    @property
    def promised(self) -> float | None:
        """The share of rows whose class is in its prediction set."""
        return self.sets.coverage

    def judged(self, scores: np.ndarray) -> np.ndarray:
        """What losses compare with the target: the probability of each class, shape (rows, classes)."""
        return scores

    def covered(self, scores: np.ndarray, actual: np.ndarray) -> np.ndarray:
        """Whether classes, by their places of shape (rows,), are in the prediction sets, shape (rows,)."""
        return labels.covered(scores, self.answered(scores), self.sets, actual)

    def explained(self, scores: np.ndarray) -> np.ndarray:
        """Which of the subjects is explained of each row, shape (rows,): the answered class."""
        return self.answered(scores)

    def observed(self, scores: np.ndarray) -> np.ndarray:
        """The probability of the most probable class, for histograms; shape (rows,)."""
        highest: np.ndarray = scores.max(axis=1)
        return highest

    @property
    def given(self) -> frozenset[str]:
        """The parts that answers of this model have."""
        return self.parts

    @property
    def score_columns(self) -> Sequence[Sequence[str]]:
        """The columns of a table that hold the scores."""
        return ([*labels.probability_columns(self.classes).values()],)

    @property
    def outputs(self) -> Sequence[Output]:
        """The label, the probability of each class, and whether each is in the prediction set."""
        return labels.outputs(self.classes, self.answered, self.shares, self.sets)

    @property
    def columns(self) -> Sequence[str]:
        """The columns of a table that hold the other parts of an answer than the prediction."""
        return labels.columns(self.classes, self.sets)

    def cells(self, scores: np.ndarray) -> Sequence[np.ndarray]:
        """The values of these columns, each of shape (rows,)."""
        return labels.cells(self.classes, scores, self.answered(scores), self.sets)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities that sum to 1, of the shape of the logits, (rows, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
