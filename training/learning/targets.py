"""What a model learns: numbers as they are, or which of two classes a row is of."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from problems.base import Problem
from training.data import classes, tables
from training.learning import loss
from validation.errors import SettingsError, TableError
from validation.names import normal

_LARGEST = 1e37
_ODD = ("objective_type", "app", "application", "loss", "reg_sqrt")
"""Other names of "objective", and what would have LightGBM learn square roots."""
_LINEAR = ("linear_tree", "linear_trees")
ClassWeights = Mapping[str, float] | Literal["balanced"] | None


class Targets:
    """The target of a problem as LightGBM learns it.

    Attributes:
        classes: the two labels of a classification, the positive one last; None for a regression.
        objective: LightGBM's name for it.
    """

    def __init__(self, problem: Problem, silver: pd.DataFrame) -> None:
        """Read off the classes, of which ingest let two pass; raises TableError if the rows have one."""
        self._target = problem.contract.target
        self.classes = None if problem.regression else classes.of(problem, silver)
        self.objective = "regression" if self.classes is None else "binary"
        self._contract = problem.contract

    def encode(self, silver: pd.DataFrame) -> np.ndarray:
        """The targets of rows, shape (rows,): numbers, or 1.0 for the positive class and 0.0 for the other.

        Raises TableError if a number is too large to learn.
        """
        if self.classes is None:
            return _bounded(self._target.name, tables.target(self._contract, silver))
        encoded: np.ndarray = (classes.labels(silver[self._target.name]) == self.classes[1]).to_numpy(dtype="float64")
        return encoded

    def demand_both(self, actual: np.ndarray) -> None:
        """Raise TableError if the encoded targets of the training split, shape (rows,), are of one class."""
        if self.classes is None or 0 < actual.sum() < len(actual):
            return
        seen, lacking = self.classes if not actual.any() else self.classes[::-1]
        raise TableError(
            f"Every row of the training split has {self._target.name} = {seen!r}: a model cannot learn what "
            f"{lacking!r} looks like. Bring more rows of {lacking!r}"
            + (" from earlier times." if self._contract.time else ".")
        )

    def demand_plain(self, settings: Mapping[str, Any]) -> None:
        """Raise SettingsError if LightGBM's parameters make its raw scores something else than answers here are."""
        plain = loss.OF_NUMBERS if self.classes is None else (self.objective,)
        if settings["objective"] not in plain:
            raise SettingsError(
                f"The booster's objective is {settings['objective']!r}, whose raw scores are not the values that are "
                f"answered. Take one of: {', '.join(plain)}."
            )
        odd = sorted(name for name in settings if name in _ODD)
        if odd:
            raise SettingsError(f"The booster's {odd[0]!r} is not supported; an objective is called 'objective'.")
        if any(settings.get(name) for name in _LINEAR):
            raise SettingsError(
                "The booster's linear_tree is not supported: LightGBM has no SHAP values for linear trees, and every "
                "answer here can be explained. Leave it out."
            )

    def weights(self, asked: ClassWeights, actual: np.ndarray, known: np.ndarray) -> np.ndarray | None:
        """A weight for each row, shape (rows,), or None; raises SettingsError for a class that there is not."""
        if self.classes is None or asked is None:
            return None
        if asked == "balanced":
            share = float(known.mean())
            pair = (0.5 / max(1 - share, 1e-9), 0.5 / max(share, 1e-9))
        else:
            asked = {normal(name): weight for name, weight in asked.items()}
            unknown = sorted(set(asked) - set(self.classes))
            if unknown:
                raise SettingsError(f"class_weights names {unknown[0]!r}; the classes are {', '.join(self.classes)}.")
            pair = (asked.get(self.classes[0], 1.0), asked.get(self.classes[1], 1.0))
        return np.where(actual > 0, pair[1], pair[0])


def _bounded(name: str, numbers: np.ndarray) -> np.ndarray:
    largest = float(np.abs(numbers).max(initial=0.0))
    if largest > _LARGEST:
        raise TableError(
            f"The target '{name}' goes to {largest:.3g}; LightGBM holds targets in 32 bits, so {_LARGEST:.0e} is the "
            "limit. Bring it in a larger unit."
        )
    return numbers
