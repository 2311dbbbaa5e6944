"""How good answers are: expected from the answers alone, and in truth once it is known."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from model.watched import Watched
from monitoring.estimates.base import Estimator, Expected
from monitoring.estimates.classes import Classes
from monitoring.estimates.numbers import Numbers
from monitoring.truth import ACTUAL
from problems.base import Task
from validation.contract import Column

__all__ = ["ACTUAL", "Estimator", "Expected", "of"]

_BY_TASK: Mapping[Task, type[Estimator[Any]]] = {"regression": Numbers, "binary": Classes, "multiclass": Classes}


def of(watched: Watched, columns: list[Column], reference: pd.DataFrame) -> Estimator[Any]:
    """What estimates the performance of a model.

    Args:
        watched: the model.
        columns: the inputs that are compared.
        reference: rows with inputs, target and scores; those that are held out say how large errors are.
    """
    return _BY_TASK[watched.outcome.task](watched, columns, reference)
