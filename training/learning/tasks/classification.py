"""What all classifications share, of two classes or of several."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from model.metrics import SetCoverage
from model.outcomes import Binary, Multiclass
from problems.base import Problem
from problems.parameters import PARAMS
from training.data import classes
from training.learning import metrics
from training.learning.params import ClassWeights, TrainParams
from training.learning.tasks.base import Task
from training.workspace import counted
from validation.errors import SettingsError
from validation.names import normal

_FEW = 20
"""With fewer rows in the whole table a class has some four in the test."""
LabelsT = TypeVar("LabelsT", Binary, Multiclass)


class ClassificationTask(Task[LabelsT]):
    """The places of labels among the classes, as floats.

    Attributes:
        classes: of the target.
    """

    baseline = "majority"
    prior_rows = 10  # a group of one row would answer 0 or 1
    in_folds = True

    def __init__(self, problem: Problem, silver: pd.DataFrame, bounds: Sequence[float] | None = None) -> None:
        """Find the classes; raises TableError if the rows have one. Ingest refuses those that nobody listed."""
        super().__init__(problem, silver, bounds)
        self.classes = classes.of(problem, silver, bounds)
        self.bounds = self.classes.bounds

    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        return self.classes.encode(silver)

    def require_enough(self, actual: np.ndarray) -> None:
        classes.demand_learned(self.classes, actual)

    def enough_for(self, folds: int, actual: np.ndarray) -> bool:
        rarest = np.bincount(actual.astype(np.intp), minlength=len(self.classes.names)).min()
        return super().enough_for(folds, actual) and bool(rarest >= 2 * folds)

    def check_params(self, params: TrainParams) -> None:
        if params.target is not None:
            raise SettingsError(
                f"{PARAMS}, {self.problem.name}.train.target is {params.target!r}: only the logarithm of a number can "
                "be learned. Leave it out."
            )

    def weights(self, asked: ClassWeights, actual: np.ndarray, known: np.ndarray) -> np.ndarray | None:
        if asked is None:
            return None
        names = self.classes.names
        if asked == "balanced":
            counts = np.bincount(known.astype(np.intp), minlength=len(names))
            each = len(known) / (len(names) * np.maximum(counts, 1))
        else:
            named = {normal(name): weight for name, weight in asked.items()}
            unknown = sorted(set(named) - set(names))
            if unknown:
                raise SettingsError(
                    f"{PARAMS}, {self.problem.name}.train.class_weights names {unknown[0]!r}; the classes are "
                    f"{', '.join(names)}."
                )
            each = np.array([named.get(name, 1.0) for name in names])
        weights: np.ndarray = each[actual.astype(np.intp)]
        return weights

    def suspicions(self, silver: pd.DataFrame) -> Iterator[str]:
        counts = self.classes.labels(silver).value_counts()
        rare = [f"{name!r} ({counted(rows, 'row')})" for name, rows in counts.items() if rows < _FEW]
        if rare:
            yield (
                f"`{self.target.name}` has classes that are too rare to be learned or judged: {', '.join(rare[:5])}"
                f"{', …' if len(rare) > 5 else ''}. Join them with others by `parse`, or bring more rows of them."
            )

    @staticmethod
    def beside(outcome: LabelsT, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        """Whether each row's set has its class; nothing of a model without sets."""
        if outcome.sets is None:
            return {}
        inside = outcome.sets.members(outcome.shares(scores), outcome.answered(scores))
        return {metrics.COVERED: np.take_along_axis(inside, actual.astype(np.intp)[:, None], axis=1)[:, 0]}

    @staticmethod
    def sets_of(outcome: LabelsT, table: pd.DataFrame, scores: np.ndarray, weights: np.ndarray) -> SetCoverage | None:
        """How the prediction sets of the test rows do, from their scores of shape (rows, outputs)."""
        if outcome.sets is None:
            return None
        sizes = outcome.sets.members(outcome.shares(scores), outcome.answered(scores)).sum(axis=1)
        covered = metrics.share(table[metrics.COVERED].to_numpy(), weights)
        return SetCoverage(outcome.sets.coverage, covered, float(sizes.mean()), float((sizes == 1).mean()))

    @staticmethod
    def forest(**settings: Any) -> RandomForestClassifier:
        return RandomForestClassifier(**settings)

    @staticmethod
    def what(outcome: LabelsT, unit: str) -> str:
        return f"{', '.join(outcome.classes[:-1])} or {outcome.classes[-1]}, with probabilities"

    @staticmethod
    def limits(outcome: LabelsT) -> Iterator[str]:
        yield (
            "Probabilities are calibrated for rows like those of the calibration split; "
            "where classes are more or less frequent, or rows are of another kind, they are not."
        )
        if outcome.sets is not None:
            yield (
                f"Prediction sets have the right class for {outcome.sets.coverage:.0%} of rows like those of the "
                "calibration split, on average. They promise nothing about one row, nor about rows of another kind."
            )
