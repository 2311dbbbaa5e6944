"""What training makes and a bundle carries: all that it takes to answer a row."""

from collections.abc import Mapping
from dataclasses import dataclass

from model.features import Fitted
from model.outcomes import Outcome
from problems.base import Problem

BOOSTER, SPREAD = "model.txt", "spread.txt"
"""The boosters by the names of their files: what predicts, and a regression's other, of how large errors are."""


@dataclass(frozen=True)
class Model:
    """A fitted problem, which a `Predictor` asks.

    Attributes:
        problem: its contract and its features.
        fitted: what was fitted on the training split.
        outcome: what becomes of a raw score.
        boosters: in LightGBM's text format, by the names of their files.
    """

    problem: Problem
    fitted: Fitted
    outcome: Outcome
    boosters: Mapping[str, str]
