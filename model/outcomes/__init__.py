"""What a booster's raw score becomes, one module a task.

A bundle keeps an outcome as numbers only; how they are found is training's business. All outcomes have the same
members, so nothing else asks which one it has:

    task, space      what it is called, and what explanations add up to
    kind, parts      the type of a prediction, and the members that answers may have beside it; `given`: those they have
    raw_scores       how many a booster gives for a row
    spread           whether it needs a second booster, of how large errors are
    fits             whether a contract's target is answered so
    stated_costs     of wrong answers among several classes
    scores, answers  raw scores to numbers, and those to what callers read
    contributions    SHAP values in that space, of each of its `subjects`; `explained` says which one answers explain
    observed         what is counted of answers
    score_columns    how tables of answers call the scores
    promised         the share of rows that intervals or sets are to cover
    judged, covered  what losses compare with the target, and whether the interval or set of a row has it
    outputs          many answers as tensors
    columns, cells   many answers as columns of a table, beside their predictions
"""

from collections.abc import Mapping

from model.outcomes.binary import Binary
from model.outcomes.multiclass import Multiclass
from model.outcomes.regression import Regression
from problems.base import Task

__all__ = ["BY_TASK", "Binary", "Multiclass", "Outcome", "Regression"]

Outcome = Regression | Binary | Multiclass
BY_TASK: Mapping[Task, type[Outcome]] = {kind.task: kind for kind in (Regression, Binary, Multiclass)}
"""The outcome of each task, which is also its tag in a bundle."""
