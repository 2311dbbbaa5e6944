"""What a booster's raw score becomes, one module a task.

A bundle keeps an outcome as numbers only; how they are found is training's business. All outcomes have the same
members, so nothing else asks which one it has:

    task, space      what it is called, and what explanations add up to
    kind, parts      the type of a prediction, and the members of an answer beside it
    spread           whether it needs a second booster, of how large errors are
    fits             whether a contract's target is answered so
    subject          what its first score is of, and `score_columns` how tables of answers call it
    scores, answer   raw scores to numbers, and those to what a caller reads
    contributions    SHAP values in that space
    outputs          many answers as tensors
    columns, cells   many answers as columns of a table, beside their predictions
"""

from collections.abc import Mapping

from model.outcomes.binary import Binary
from model.outcomes.regression import Regression
from problems.base import Task

__all__ = ["BY_TASK", "Binary", "Outcome", "Regression"]

Outcome = Regression | Binary
BY_TASK: Mapping[Task, type[Outcome]] = {kind.task: kind for kind in (Regression, Binary)}
"""The outcome of each task, which is also its tag in a bundle."""
