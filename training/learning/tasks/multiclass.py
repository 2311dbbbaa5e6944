"""Three classes or more: calibrated probabilities, and the label that costs least."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from model.metrics import ClassReport, Scores
from model.outcomes import Multiclass
from problems.parameters import PARAMS
from training.digits import EXACT
from training.learning import class_metrics, curves, metrics, probability
from training.learning.metrics import ACTUAL, BEFORE, MODEL
from training.learning.params import TrainParams
from training.learning.scales import Scale
from training.learning.tasks.base import Finished, Reliability, Trained
from training.learning.tasks.classification import ClassificationTask
from validation.contract import Column
from validation.errors import SettingsError
from validation.names import normal

_CALIBRATION = ("log_loss", "ece")
_MOST_COSTS = 10


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
        super().check_params(params)
        self._costs(params)

    def finish(self, trained: Trained, params: TrainParams) -> Finished[Multiclass]:
        costs, names = self._costs(params), self.classes.names
        outcome = probability.of_several(names, costs, params.coverage, trained.raw, trained.actual)
        return Finished(outcome, {}, outcome.scores(trained.raw, trained.raw, trained.columns))

    def uncalibrated(self, raw: np.ndarray, scale: Scale) -> np.ndarray:
        shares: np.ndarray = softmax(raw, axis=1)
        return shares

    def _costs(self, params: TrainParams) -> tuple[tuple[float, ...], ...] | None:
        """The cost of each answer, by the class that is right; raises SettingsError for costs that name no class."""
        if not params.costs:
            return None
        where = f"{PARAMS}, {self.problem.name}.train.costs"
        places = {name: place for place, name in enumerate(self.classes.names)}
        matrix = 1.0 - np.eye(len(places))
        for right, answers in params.costs.items():
            if not isinstance(answers, dict):
                raise SettingsError(
                    f"{where}: the costs of several classes are written {{right class: {{answered class: cost}}}}; "
                    f"{right!r} has the number {answers:g}."
                )
            for name in map(normal, (right, *answers)):
                if name not in places:
                    raise SettingsError(f"{where} names {name!r}; the classes are {', '.join(places)}.")
            for answered, cost in answers.items():
                if normal(answered) == normal(right):
                    raise SettingsError(f"{where} has a cost for answering {answered!r} rightly; leave it out.")
                matrix[places[normal(right)], places[normal(answered)]] = cost
        return tuple(map(tuple, matrix.tolist()))

    @staticmethod
    def monitored(outcome: Multiclass, scores: np.ndarray) -> np.ndarray:
        labels: np.ndarray = np.array(outcome.classes, dtype=object)[outcome.answered(scores)]
        return labels

    @staticmethod
    def judged(scores: np.ndarray) -> np.ndarray:
        return scores

    @staticmethod
    def judge(outcome: Multiclass, actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
        costs = None if outcome.costs is None else np.array(outcome.costs)
        return class_metrics.multiclass(actual, predicted, weights, outcome.answered(predicted), costs)

    @staticmethod
    def beside(outcome: Multiclass, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        covered = ClassificationTask.beside(outcome, scores, actual)
        return metrics.columns(BEFORE, probability.before_several(outcome, scores)) | covered

    @staticmethod
    def summary(outcome: Multiclass, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        """Which classes are taken for which, how probabilities agree with shares, and prediction sets."""
        actual, predicted = table[ACTUAL].to_numpy(), metrics.predicted(table, MODEL)
        before = class_metrics.multiclass(actual, metrics.predicted(table, BEFORE), weights)
        answered = outcome.answered(predicted)
        report = ClassReport(
            classes=list(outcome.classes),
            confusion=class_metrics.confusion(actual, answered, len(outcome.classes)).astype(int).tolist(),
            accuracy=scores["accuracy"],
            turned=float((answered != predicted.argmax(axis=1)).mean()),
            before={name: before[name] for name in _CALIBRATION},
            after={name: scores[name] for name in _CALIBRATION},
        )
        right, _, likeliest, _ = MulticlassTask.reliability(outcome, table, str)
        sets = ClassificationTask.sets_of(outcome, table, predicted, weights)
        return {"classes": report, "sets": sets, "reliability": curves.of_shares(right, likeliest)}

    @staticmethod
    def limits(outcome: Multiclass) -> Iterator[str]:
        yield from ClassificationTask.limits(outcome)
        if outcome.costs is not None:
            stated = [
                f"{cost:g} for {answered} where {right} is right"
                for right, costs in outcome.stated_costs.items()
                for answered, cost in costs.items()
            ]
            more = f" and {len(stated) - _MOST_COSTS} more" if len(stated) > _MOST_COSTS else ""
            yield (
                "The answer is the class that costs least, which is not always the most probable one. A wrong answer "
                f"costs 1, and {', '.join(stated[:_MOST_COSTS])}{more}."
            )

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
