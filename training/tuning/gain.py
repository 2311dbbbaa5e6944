"""Whether the best trial is better than the problem's own parameters, or had luck.

The best of many trials looks better than it is: the folds that chose it are the folds that judge it. Where rows have no
order, both parameter sets are judged once more, on folds that are drawn anew. Rows in time have one order only.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from model.metrics import Score
from problems.base import Problem
from training.learning import metrics
from training.learning.params import TrainParams
from training.tuning import held_out
from training.tuning.held_out import Folds
from training.tuning.space import Booster

_ANEW = 1_000_003
"""What is added to the seed for folds that chose nothing."""


class Gain(NamedTuple):
    """The relative fall of the mean loss, and whether it is that of folds which chose nothing."""

    score: Score
    fresh: bool

    @property
    def sure(self) -> bool:
        """Whether its interval has no loss in it."""
        return self.score.low is not None and self.score.low > 0

    @property
    def better(self) -> bool:
        """Whether there is any."""
        return self.score.value is not None and self.score.value > 0

    @property
    def figures(self) -> dict[str, float | None]:
        """The gain and the ends of its interval, as shares of the loss of the defaults."""
        return {"gain": self.score.value, "gain_low": self.score.low, "gain_high": self.score.high}

    def told(self, trials: int) -> str:
        """The gain as a sentence."""
        value, low, high = self.score.value, self.score.low, self.score.high
        if value is None or low is None or high is None:
            return "the loss of the defaults is 0 on held-out rows: there is nothing to gain"
        where = "on folds that are drawn anew" if self.fresh else "on the rows that chose it"
        side = "below" if value >= 0 else "above"
        ends = sorted((low, high) if value >= 0 else (-high, -low))
        told = (
            f"the best trial's loss is {abs(value):z.1%} {side} the defaults' {where} "
            f"(95 % interval {ends[0]:z.1%} to {ends[1]:z.1%})"
        )
        told += "" if self.sure else ": nothing was gained surely"
        if not self.fresh:
            told += (
                f". It is the best of {trials} on these very rows, which flatters it: rows in time have no other folds"
            )
        return told


def judge(
    problem: Problem, params: TrainParams, known: pd.DataFrame, rivals: tuple[Booster, Booster], resamples: int
) -> Gain:
    """Judge a parameter set beside the best of the defaults, by the paired losses of rows that neither learned from.

    Args:
        problem: what is learned.
        params: how.
        known: silver rows; none of the test.
        rivals: the parameter set, and that of the defaults.
        resamples: of the bootstrap (Efron, 1979).
    """
    fresh = problem.contract.time is None
    folds = Folds(problem, params, known, params.seed + _ANEW if fresh else params.seed)
    losses = np.column_stack([held_out.row_losses(folds, params, booster) for booster in rivals])
    resampled = metrics.means_of(losses, metrics.draws(len(losses), resamples, params.seed))
    return Gain(metrics.interval(float(_fall(losses.mean(axis=0))), _fall(resampled)), fresh)


def _fall(mean: np.ndarray) -> np.ndarray:
    """How far the first of two mean losses, shape (…, 2), is below the second, as a share of it; NaN of zero."""
    tuned, default = mean[..., 0], mean[..., 1]
    fall: np.ndarray = np.divide(default - tuned, default, out=np.full_like(default, np.nan), where=default > 0)
    return fall
