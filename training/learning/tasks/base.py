"""What training asks of a task: everything that depends on what kind of thing is predicted."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import lightgbm as lgb
import numpy as np
import pandas as pd

from model.features import FeatureMatrix, Fitted
from model.metrics import Scores
from model.outcomes import Outcome
from model.outcomes.regression import Trend
from problems.base import Problem
from training.learning.boost import settings_of
from training.learning.level import Level
from training.learning.params import ClassWeights, TrainParams
from training.learning.scales import AS_IT_IS, Scale
from validation.contract import Column
from validation.decode import Columns
from validation.errors import SettingsError

OutcomeT = TypeVar("OutcomeT", bound=Outcome)
_OTHER_NAMES = ("objective_type", "app", "application", "loss", "reg_sqrt")
"""Other names of "objective", and the option that makes LightGBM learn square roots."""
_ROWS_A_FOLD = 10
_LINEAR = ("linear_tree", "linear_trees")


class Trained(ABC):
    """A booster, and rows that say how wrong it is: no booster learned from those that it scored here.

    Attributes:
        fitted: what was fitted to the rows that it learned from.
        booster: the model.
        gold: the model matrices of the rows that were used, by their split.
        trend: growth that was taken out of the targets.
        raw: the raw scores of the held-out rows, shape (rows,) or (rows, classes).
        actual: their encoded targets, without the growth of `trend`; shape (rows,).
        columns: their inputs.
    """

    fitted: Fitted
    booster: lgb.Booster
    gold: Mapping[str, pd.DataFrame]
    trend: Trend | None
    raw: np.ndarray
    actual: np.ndarray
    columns: Columns

    @property
    @abstractmethod
    def error_sizes(self) -> tuple[lgb.Booster, np.ndarray]:
        """A booster of how large errors are, and what such boosters say of the held-out rows, shape (rows,)."""

    def gain(self, size: Callable[[np.ndarray], float]) -> float:
        """How large the model's errors are on rows that it did not see, beside those of `raw`: a factor up to 1.

        Args:
            size: of the errors, from raw scores as those of `raw`.
        """
        return 1.0


class Finished(NamedTuple, Generic[OutcomeT]):
    """A calibrated outcome, the texts of further boosters by the names of their files, and scores of held-out rows."""

    outcome: OutcomeT
    boosters: dict[str, str]
    scores: np.ndarray


class Reliability(NamedTuple):
    """What a reliability diagram shows: shape (rows,) each, and the words for what was predicted.

    Attributes:
        actual: 1.0 where it came about.
        before, after: its probabilities before and after calibration.
        what: its name.
    """

    actual: np.ndarray
    before: np.ndarray
    after: np.ndarray
    what: str


class Task(ABC, Generic[OutcomeT]):
    """The target of a problem as LightGBM learns it, and as answers are judged.

    Attributes:
        objective: LightGBM's name for it.
        objectives: those whose raw scores are the answers.
        main_metrics: the metrics that are shown of slices.
        baseline: the name of the baseline that knows the targets only.
        prior_rows: how many rows of the overall mean the lookup mixes a group's mean with.
        in_folds: whether models of it are cross-validated.
        has_level: whether targets have one, see `level`.
    """

    objective: ClassVar[str]
    objectives: ClassVar[tuple[str, ...]]
    main_metrics: ClassVar[tuple[str, ...]]
    baseline: ClassVar[str]
    prior_rows: ClassVar[int]
    in_folds: ClassVar[bool]
    has_level: ClassVar[bool] = False

    def __init__(self, problem: Problem, silver: pd.DataFrame, bounds: Sequence[float] | None = None) -> None:
        """Look at the targets of all rows; raises TableError if nothing can be learned from them."""
        self.problem = problem
        self.target = problem.contract.target
        self.bounds: Sequence[float] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """LightGBM's parameters that follow from the target."""
        return {}

    @abstractmethod
    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        """The targets of rows as numbers, shape (rows,); raises TableError for one that cannot be learned."""

    def require_enough(self, actual: np.ndarray) -> None:
        """Raise TableError if the encoded targets of the training split, shape (rows,), teach nothing."""

    def targets(self, actual: np.ndarray) -> np.ndarray:
        """Encoded targets of shape (rows,) as numbers whose means predict them: (rows,), or (rows, classes)."""
        return actual

    def check_params(self, params: TrainParams) -> None:
        """Raise SettingsError for parameters that do not fit the target."""

    def check_objective(self, settings: Mapping[str, Any]) -> None:
        """Raise SettingsError if LightGBM's raw scores are not the answers under these parameters."""
        if settings["objective"] not in self.objectives:
            raise SettingsError(
                f"The booster's objective is {settings['objective']!r}, whose raw scores are not the values that are "
                f"answered. Take one of: {', '.join(self.objectives)}."
            )
        odd = sorted(name for name in settings if name in _OTHER_NAMES)
        if odd:
            raise SettingsError(f"The booster's {odd[0]!r} is not supported; an objective is called 'objective'.")
        if any(settings.get(name) for name in _LINEAR):
            raise SettingsError(
                "The booster's linear_tree is not supported: LightGBM has no SHAP values for linear trees, and every "
                "answer here can be explained. Leave it out."
            )

    def weights(self, asked: ClassWeights, actual: np.ndarray, known: np.ndarray) -> np.ndarray | None:
        """A weight for each row of `actual`, or None; `known` are the targets of the training split.

        Raises SettingsError for weights that name an unknown class.
        """
        return None

    def scale(self, params: TrainParams) -> Scale:
        """How what the booster learns belongs to the encoded targets."""
        return AS_IT_IS

    def uncalibrated(self, raw: np.ndarray, scale: Scale) -> np.ndarray:
        """What a booster's raw scores answer by themselves, as `model.loss` takes it; of and in the shape of `raw`.

        Args:
            raw: scores, shape (rows,) or (rows, classes).
            scale: of what it learned.
        """
        return np.exp(raw) if scale.log else raw

    def level(self, actual: np.ndarray, expected: np.ndarray) -> Level | None:
        """How far targets are from what a model of before expects, all alike; None where targets have no level.

        Args:
            actual: encoded targets, shape (rows,).
            expected: what is judged of the model's scores of these rows, see `judged`.
        """
        return None

    def growth(self, known: Columns, held_out: Columns) -> Trend | None:
        """The steady growth of the target in time, to be taken out of it; from training and validation columns."""
        return None

    @abstractmethod
    def finish(self, trained: Trained, params: TrainParams) -> Finished[OutcomeT]:
        """Calibrate the outcome by the held-out rows."""

    def settings_of(self, matrix: FeatureMatrix, params: TrainParams) -> dict[str, Any]:
        """LightGBM's parameters; raises SettingsError if its raw scores would not be the answers."""
        settings = {**settings_of(matrix, self.objective, params.seed, params.booster), **self.settings}
        self.check_objective(settings)
        return settings

    def enough_for(self, folds: int, actual: np.ndarray) -> bool:
        """Whether so many folds can each learn from all that there is to learn; from encoded targets, shape (rows,)."""
        return len(actual) >= _ROWS_A_FOLD * folds

    @staticmethod
    def monitored(outcome: OutcomeT, scores: np.ndarray) -> np.ndarray:
        """By what the distribution of answers is watched: numbers, or labels as objects; shape (rows,)."""
        return scores[:, 0]

    @staticmethod
    def judged(scores: np.ndarray) -> np.ndarray:
        """What of scores of shape (rows, outputs) is judged, as `judge` takes it."""
        return scores[:, 0]

    @staticmethod
    @abstractmethod
    def judge(outcome: OutcomeT, actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> Scores:
        """The metrics of predictions, with intervals.

        Args:
            outcome: which answers follow from predictions; of the model, and of others by the same costs.
            actual: the encoded targets, shape (rows,).
            predicted: shape (rows,), or (rows, classes) of several classes.
            weights: bootstrap weights, shape (resamples, rows).
        """

    @staticmethod
    @abstractmethod
    def beside(outcome: OutcomeT, scores: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
        """Further columns of the evaluation's table, shape (rows,) each, `metrics.COVERED` among them.

        Args:
            outcome: what made the scores.
            scores: of shape (rows, outputs).
            actual: the encoded targets, shape (rows,).
        """

    @staticmethod
    @abstractmethod
    def summary(outcome: OutcomeT, table: pd.DataFrame, scores: Scores, weights: np.ndarray) -> dict[str, Any]:
        """The members of `Metrics` that only this task has; `table` is the evaluation's."""

    @staticmethod
    def reliability(outcome: OutcomeT, table: pd.DataFrame, label: Callable[[object], str]) -> Reliability | None:
        """How probabilities agree with shares, for a picture with names written by `label`; None without them."""
        return None

    @staticmethod
    @abstractmethod
    def linear() -> Any:
        """scikit-learn's linear model for the baseline."""

    @staticmethod
    @abstractmethod
    def forest(**settings: Any) -> Any:
        """scikit-learn's forest for the baseline."""

    @staticmethod
    @abstractmethod
    def predicted(fitted: Any, features: np.ndarray) -> np.ndarray:
        """The predictions of one of them, as `judge` takes them."""

    @staticmethod
    @abstractmethod
    def likeness(values: pd.Series, actual: pd.Series) -> float:
        """How strongly a column of numbers reveals the encoded target, from 0 to 1; both of shape (rows,)."""

    def suspicions(self, silver: pd.DataFrame) -> Iterator[str]:
        """Sentences about targets that look like those of another task."""
        return iter(())

    @staticmethod
    @abstractmethod
    def what(outcome: OutcomeT, unit: str) -> str:
        """What is predicted, for the card."""

    @staticmethod
    @abstractmethod
    def limits(outcome: OutcomeT) -> Iterator[str]:
        """What answers do not promise, a sentence each, for the card."""

    @staticmethod
    @abstractmethod
    def case(
        outcome: OutcomeT, target: Column, actual: float, predicted: np.ndarray, label: Callable[[object], str]
    ) -> str:
        """A row's prediction, of shape () or (classes,), and its actual value, as the title of a picture."""
