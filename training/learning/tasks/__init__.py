"""The tasks, a module each; the one place that knows which there are."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from model.outcomes import Outcome
from problems.base import Problem
from training.learning.tasks.base import Task, Trained
from training.learning.tasks.binary import BinaryTask
from training.learning.tasks.regression import RegressionTask

__all__ = ["Task", "Trained", "of", "of_outcome"]

_TASKS: Mapping[str, type[Task[Any]]] = {"regression": RegressionTask, "binary": BinaryTask}


def of(problem: Problem, silver: pd.DataFrame) -> Task[Any]:
    """The task of a problem with these rows; raises TableError if nothing can be learned from them."""
    return _TASKS[problem.task](problem, silver)


def of_outcome(outcome: Outcome) -> type[Task[Any]]:
    """The task that an outcome is of."""
    return _TASKS[outcome.task]
