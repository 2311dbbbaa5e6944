"""Three classes or more: calibrated probabilities, and the label that costs least."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from model.metrics import ClassReport, Scores
from model.outcomes import Multiclass
from training.data.split import CALIBRATION
from training.digits import EXACT
from training.learning import class_metrics, metrics, probability
from training.learning.boost import raw_scores
from training.learning.metrics import ACTUAL, BEFORE, MODEL
from training.learning.params import TrainParams
from training.learning.tasks.base import Reliability, Trained
from training.learning.tasks.classification import ClassificationTask
from training.workspace import PARAMS
from validation.contract import Column
from validation.errors import SettingsError
from validation.names import normal

_CALIBRATION = ("log_loss", "ece")


class MulticlassTask(ClassificationTask[Multiclass]):
    """0.0 for the first class, 1.0 for the second, and so on."""

    objective = "multiclass"
    objectives = ("multiclass",)
    main_metrics = ("macro_f1", "log_loss", "ece")

    @property
    def settings(self) -> dict[str, Any]:
        return {"num_class": len(self.classes.names)}

    def targets(self, actual: np.ndarray) -> np.ndarray:
        """1.0 for the class of a row and 0.0 for the others, shape (rows, classes)."""
        indicators: np.ndarray = np.eye(len(self.classes.names))[actual.astype(np.intp)]
        return indicators

    def check_params(self, params: TrainParams) -> None:
        self._costs(params)

    def finish(self, trained: Trained) -> tuple[Multiclass, dict[str, str]]:
        raw = raw_scores(trained.booster, trained.features[CALIBRATION])
        costs, coverage = self._costs(trained.params), trained.params.coverage
        return probability.of_several(self.classes.names, costs, coverage, raw, trained.actual[CALIBRATION]), {}

    def _costs(self, params: TrainParams) -> tuple[tuple[float, ...], ...] | None:
        """The cost of each answer, by the class that is right; raises SettingsError for costs that name no class."""
        if not params.costs:
            return None
        places = {name: place for place, name in enumerate(self.classes.names)}
        matrix = 1.0 - np.eye(len(places))
        for right, answers in params.costs.items():
            if not isinstance(answers, dict):
                raise SettingsError(
                    f"{PARAMS}, train.costs: the costs of several classes are written "
                    f"{{right class: {{answered class: cost}}}}; {right!r} has the number {answers:g}."
                )
            for answered, cost in answers.items():
                pair = [normal(name) for name in (right, answered)]
                unknown = [name for name in pair if name not in places]
                if unknown or pair[0] == pair[1]:
                    what = f"names {unknown[0]!r}" if unknown else f"has a cost for answering {pair[0]!r} rightly"
                    raise SettingsError(f"{PARAMS}, train.costs {what}; the classes are {', '.join(places)}.")
                matrix[places[pair[0]], places[pair[1]]] = cost
        return tuple(map(tuple, matrix.tolist()))

    @staticmethod
    def monitored(outcome: Multiclass, scores: np.ndarray) -> np.ndarray:
        labels: np.ndarray = np.array(outcome.classes, dtype=object)[outcome.answered(scores)]
        return labels

    @staticmethod
    def judged(scores: np.ndarray) -> np.ndarray:
        return scores

    judge = staticmethod(class_metrics.multiclass)

    @staticmethod
    def beside(outcome: Multiclass, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        covered = ClassificationTask.beside(outcome, scores, actual)
        return metrics.columns(BEFORE, probability.before_several(outcome, scores)) | covered

    @staticmethod
    def summary(outcome: Multiclass, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        """Which classes are taken for which, probabilities before and after calibration, and prediction sets."""
        actual, predicted = table[ACTUAL].to_numpy(), metrics.predicted(table, MODEL)
        before = class_metrics.multiclass(actual, metrics.predicted(table, BEFORE), weights)
        answered = outcome.answered(predicted)
        report = ClassReport(
            classes=list(outcome.classes),
            confusion=class_metrics.confusion(actual, answered, len(outcome.classes)).astype(int).tolist(),
            accuracy=metrics.share(answered == actual, weights),
            before={name: before[name] for name in _CALIBRATION},
            after={name: scores[name] for name in _CALIBRATION},
        )
        return {"classes": report, "sets": ClassificationTask.sets_of(outcome, table, predicted, weights)}

    @staticmethod
    def reliability(outcome: Multiclass, table: pd.DataFrame, label: Callable[[object], str]) -> Reliability:
        """Of the most probable class of each row."""
        after = metrics.predicted(table, MODEL)
        likeliest = after.argmax(axis=1)
        before = metrics.predicted(table, BEFORE)[np.arange(len(after)), likeliest]
        right = (likeliest == table[ACTUAL].to_numpy()).astype(np.float64)
        return Reliability(right, before, after.max(axis=1), "the most probable class")

    @staticmethod
    def linear() -> OneVsRestClassifier:
        """A logistic regression for each class: a joint one has a Hessian of classes times columns squared."""
        return OneVsRestClassifier(LogisticRegression(**EXACT))

    @staticmethod
    def predicted(fitted: Any, features: np.ndarray) -> np.ndarray:
        """Probabilities, shape (rows, classes)."""
        shares: np.ndarray = fitted.predict_proba(features)
        return shares

    @staticmethod
    def likeness(values: pd.Series, actual: pd.Series) -> float:
        """How well the values separate the classes at each of their borders: the least area under a ROC curve there."""
        borders = np.unique(actual)[1:]
        areas = [metrics.area((actual >= border).to_numpy(dtype="float64"), values.to_numpy()) for border in borders]
        return float(max(min(areas), 1 - max(areas)))

    @staticmethod
    def case(
        outcome: Multiclass, target: Column, actual: float, predicted: np.ndarray, label: Callable[[object], str]
    ) -> str:
        [answered] = outcome.answered(predicted[None, :])
        names = outcome.classes
        return f"{predicted[answered]:.1%} {label(names[answered])}, was {label(names[int(actual)])}"
