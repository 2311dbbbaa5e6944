"""Two classes: calibrated probabilities, and the label that costs least."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from model.metrics import Decision, Scores
from model.outcomes import Binary
from problems.base import Problem
from training.data import classes
from training.data.split import CALIBRATION
from training.digits import EXACT
from training.learning import metrics, probability
from training.learning.boost import raw_scores
from training.learning.params import ClassWeights
from training.learning.tasks.base import Task, Trained
from validation.contract import Column
from validation.errors import SettingsError, TableError
from validation.names import normal

_CALIBRATION = ("brier", "ece")


class BinaryTask(Task[Binary]):
    """1.0 for the positive class and 0.0 for the other.

    Attributes:
        negative, positive: the labels.
    """

    objective = "binary"
    objectives = ("binary",)
    main_metrics = ("roc_auc", "log_loss", "ece")
    baseline = "majority"
    prior_rows = 10  # a group of one row would answer 0 or 1
    in_folds = True

    def __init__(self, problem: Problem, silver: pd.DataFrame) -> None:
        """Find the two classes; raises TableError if the rows have one. Ingest refuses more than two."""
        super().__init__(problem, silver)
        self.negative, self.positive = classes.of(problem, silver)

    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        encoded: np.ndarray = (classes.labels(silver[self.target.name]) == self.positive).to_numpy(dtype="float64")
        return encoded

    def require_enough(self, actual: np.ndarray) -> None:
        if 0 < actual.sum() < len(actual):
            return
        seen, lacking = (self.positive, self.negative) if actual.any() else (self.negative, self.positive)
        raise TableError(
            f"Every row of the training split has {self.target.name} = {seen!r}: a model cannot learn what "
            f"{lacking!r} looks like. Bring more rows of {lacking!r}"
            + (" from earlier times." if self.problem.contract.time else ".")
        )

    def weights(self, asked: ClassWeights, actual: np.ndarray, known: np.ndarray) -> np.ndarray | None:
        if asked is None:
            return None
        if asked == "balanced":
            share = float(known.mean())
            pair = (0.5 / max(1 - share, 1e-9), 0.5 / max(share, 1e-9))
        else:
            named = {normal(name): weight for name, weight in asked.items()}
            labels = (self.negative, self.positive)
            unknown = sorted(set(named) - set(labels))
            if unknown:
                raise SettingsError(f"class_weights names {unknown[0]!r}; the classes are {', '.join(labels)}.")
            pair = (named.get(self.negative, 1.0), named.get(self.positive, 1.0))
        return np.where(actual > 0, pair[1], pair[0])

    def finish(self, trained: Trained) -> tuple[Binary, dict[str, str]]:
        raw = raw_scores(trained.booster, trained.features[CALIBRATION])
        labels, costs = (self.negative, self.positive), trained.params.costs
        return probability.calibrate(labels, costs, raw, trained.actual[CALIBRATION]), {}

    judge = staticmethod(metrics.binary)

    @staticmethod
    def beside(outcome: Binary, scores: np.ndarray) -> dict[str, np.ndarray]:
        return {"before": probability.before_calibration(outcome, scores[:, 0])}

    @staticmethod
    def summary(outcome: Binary, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        """Probabilities before and after calibration, and what the threshold does."""
        actual = table[metrics.ACTUAL].to_numpy()
        before = metrics.binary(actual, table["before"].to_numpy(), weights)
        chosen = table["model"].to_numpy() >= outcome.threshold
        decision = Decision(
            classes=list(outcome.classes),
            threshold=outcome.threshold,
            before={name: before[name] for name in _CALIBRATION},
            after={name: scores[name] for name in _CALIBRATION},
            accuracy=metrics.share(chosen == (actual > 0), weights),
            recall=metrics.share(chosen[actual > 0], weights[:, actual > 0]) if actual.any() else None,
            precision=metrics.share(actual[chosen] > 0, weights[:, chosen]) if chosen.any() else None,
        )
        return {"decision": decision}

    @staticmethod
    def linear() -> LogisticRegression:
        return LogisticRegression(**EXACT)

    @staticmethod
    def forest(**settings: Any) -> RandomForestClassifier:
        return RandomForestClassifier(**settings)

    @staticmethod
    def predicted(fitted: Any, features: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class, shape (rows,)."""
        shares: np.ndarray = fitted.predict_proba(features)[:, -1]
        return shares

    @staticmethod
    def likeness(values: pd.Series, actual: pd.Series) -> float:
        """The area under the ROC curve of the values or of their negatives, whichever is larger."""
        [area] = metrics.roc_auc(actual.to_numpy(), values.to_numpy(), np.ones((1, len(values))))
        return float(max(area, 1 - area))

    @staticmethod
    def what(outcome: Binary, unit: str) -> str:
        return f"{' or '.join(outcome.classes)}, with probabilities"

    @staticmethod
    def limits(outcome: Binary) -> Iterator[str]:
        yield (
            "Probabilities are calibrated for rows like those of the calibration split; "
            "where classes are more or less frequent, or rows are of another kind, they are not."
        )

    @staticmethod
    def case(outcome: Binary, target: Column, actual: float, predicted: float, label: Callable[[object], str]) -> str:
        negative, positive = map(label, outcome.classes)
        return f"{predicted:.1%} {positive}, was {positive if actual > 0 else negative}"
