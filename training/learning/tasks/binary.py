"""Two classes: calibrated probabilities, and the label that costs least."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model.metrics import Decision, Scores
from model.outcomes import Binary
from problems.parameters import PARAMS
from training.digits import EXACT
from training.learning import curves, metrics, probability
from training.learning.metrics import ACTUAL, BEFORE, MODEL
from training.learning.params import PairCosts, TrainParams
from training.learning.scales import Scale
from training.learning.tasks.base import Finished, Reliability, Trained
from training.learning.tasks.classification import ClassificationTask
from validation.contract import Column
from validation.errors import SettingsError

_CALIBRATION = ("brier", "ece")


class BinaryTask(ClassificationTask[Binary]):
    """1.0 for the positive class and 0.0 for the other."""

    objective = "binary"
    objectives = ("binary",)
    main_metrics = ("roc_auc", "log_loss", "ece")

    def check_params(self, params: TrainParams) -> None:
        super().check_params(params)
        _costs(self.problem.name, params)

    def finish(self, trained: Trained, params: TrainParams) -> Finished[Binary]:
        negative, positive = self.classes.names
        threshold = _costs(self.problem.name, params).threshold
        outcome = probability.of_two((negative, positive), threshold, params.coverage, trained.raw, trained.actual)
        return Finished(outcome, {}, outcome.scores(trained.raw, trained.raw, trained.columns))

    def uncalibrated(self, raw: np.ndarray, scale: Scale) -> np.ndarray:
        shares: np.ndarray = expit(raw)
        return shares

    @staticmethod
    def judge(outcome: Binary, actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
        return metrics.binary(actual, predicted, weights)

    @staticmethod
    def beside(outcome: Binary, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        covered = ClassificationTask.beside(outcome, scores, actual)
        return {BEFORE: probability.before_two(outcome, scores[:, 0]), **covered}

    @staticmethod
    def summary(outcome: Binary, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        """How probabilities agree with shares, what the threshold does and others would, and prediction sets."""
        actual, predicted = table[ACTUAL].to_numpy(), metrics.predicted(table, MODEL)
        before = metrics.binary(actual, metrics.predicted(table, BEFORE), weights)
        chosen = predicted >= outcome.threshold
        decision = Decision(
            classes=list(outcome.classes),
            threshold=outcome.threshold,
            before={name: before[name] for name in _CALIBRATION},
            after={name: scores[name] for name in _CALIBRATION},
            accuracy=metrics.share(chosen == (actual > 0), weights),
            recall=metrics.share(chosen[actual > 0], weights[:, actual > 0]) if actual.any() else None,
            precision=metrics.share(actual[chosen] > 0, weights[:, chosen]) if chosen.any() else None,
            curve=curves.of_thresholds(actual, predicted, outcome.threshold),
        )
        sets = ClassificationTask.sets_of(outcome, table, predicted[:, None], weights)
        return {
            "decision": decision,
            "sets": sets,
            "reliability": curves.of_shares(actual, predicted, outcome.threshold),
        }

    @staticmethod
    def reliability(outcome: Binary, table: pd.DataFrame, label: Callable[[object], str]) -> Reliability:
        actual, before, after = (table[name].to_numpy() for name in (ACTUAL, BEFORE, MODEL))
        return Reliability(actual, before, after, label(outcome.classes[1]))

    @staticmethod
    def linear() -> LogisticRegression:
        return LogisticRegression(**EXACT)

    @staticmethod
    def predicted(fitted: Any, features: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class, shape (rows,)."""
        shares: np.ndarray = fitted.predict_proba(features)[:, -1]
        return shares

    @staticmethod
    def likeness(values: pd.Series, actual: pd.Series) -> float:
        """The area under the ROC curve of the values or of their negatives, whichever is larger."""
        area = metrics.area(actual.to_numpy(), values.to_numpy())
        return float(max(area, 1 - area))

    @staticmethod
    def what(outcome: Binary, unit: str) -> str:
        return f"{' or '.join(outcome.classes)}, with probabilities"

    @staticmethod
    def case(
        outcome: Binary, target: Column, actual: float, predicted: np.ndarray, label: Callable[[object], str]
    ) -> str:
        negative, positive = map(label, outcome.classes)
        return f"{predicted.item():.1%} {positive}, was {positive if actual > 0 else negative}"


def _costs(problem: str, params: TrainParams) -> PairCosts:
    """The costs of two classes; raises SettingsError for others."""
    try:
        return msgspec.convert(params.costs, PairCosts)
    except msgspec.ValidationError as error:
        names = " and ".join(PairCosts.__struct_fields__)
        raise SettingsError(
            f"{PARAMS}, {problem}.train.costs: {error}. With two classes the costs are {names}."
        ) from error
