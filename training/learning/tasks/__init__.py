"""The tasks, a module each; the one place that knows which there are."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from model.outcomes import Outcome
from problems.base import Problem
from training.learning.tasks.base import Finished, Task, Trained
from training.learning.tasks.binary import BinaryTask
from training.learning.tasks.multiclass import MulticlassTask
from training.learning.tasks.regression import RegressionTask

__all__ = ["Finished", "Task", "Trained", "of", "of_outcome"]

_TASKS: Mapping[str, type[Task[Any]]] = {
    "regression": RegressionTask,
    "binary": BinaryTask,
    "multiclass": MulticlassTask,
}


def of(problem: Problem, silver: pd.DataFrame, bounds: Sequence[float] | None = None) -> Task[Any]:
    """The task of a problem with these rows; raises TableError if nothing can be learned from them.

    Args:
        problem: what to learn.
        silver: the rows.
        bounds: where the classes of a target with bins meet, as training found them; those of these rows where left
            out.
    """
    return _TASKS[problem.task](problem, silver, bounds)


def of_outcome(outcome: Outcome) -> type[Task[Any]]:
    """The task that an outcome is of."""
    return _TASKS[outcome.task]
