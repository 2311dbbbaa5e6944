"""What workers need to make of silver rows what a booster learns from, and is stopped by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from model import loss
from model.features import Fitted, only_known
from model.outcomes.regression import Trend
from problems import base
from problems.base import Problem
from training.data import tables
from training.data.split import TRAIN, VALIDATION
from training.distributed.gate import silver_of
from training.distributed.listing import Partition
from training.distributed.order import Order
from training.learning import tasks
from training.learning.boost import Part
from training.learning.gold import crossed_gold, gold_of
from training.learning.scales import Scale, demand
from validation.decode import Columns

FOLDS = 5
"""Of the rows to learn from: features of the target say of a row what the sample's rows of other folds do."""
_CHUNK = 65_536


@dataclass(frozen=True)
class Plan:
    """How rows become a `Part`; all of it was found out from the sample.

    Attributes:
        problem: its name.
        order: which split a row is in.
        fitted: what was fitted to the sample's rows, with the names of all.
        of_others: the same by fold, of a problem with `cross_fit`.
        targets: rows with the targets that there are, of a classification one a class.
        trend: growth that is taken out of the targets.
        scale: of what the booster learns.
        weights: of the classes by their place; None for the same of all.
        stated: the loss by which the number of trees is chosen, see `model.loss.stated`.
    """

    problem: str
    order: Order
    fitted: Fitted
    of_others: Mapping[int, Fitted]
    targets: pd.DataFrame
    trend: Trend | None
    scale: Scale
    weights: np.ndarray | None
    stated: Mapping[str, Any]

    def part(self, problem: Problem, rows: pd.DataFrame, *, learned: bool) -> Part:
        """Silver rows as a booster takes them; those that are learned from do not see their own target in a feature."""
        task = tasks.of(problem, self.targets, self.fitted.bounds)
        inputs = tables.inputs(problem.contract, rows)
        if learned and self.of_others:
            folds = (self.order.drawn(problem, rows) % FOLDS).astype(int)
            gold = crossed_gold(problem, self.fitted, self.of_others, inputs, folds)
        else:
            gold = gold_of(problem, self.fitted, inputs)
        actual = task.encode(rows)
        if self.trend is not None:
            actual = actual / self.trend.index(inputs)
        demand(self.scale, problem.contract.target.name, actual)
        weights = None if self.weights is None else self.weights[actual.astype(np.intp)]
        target = self.scale.learned(actual) if learned else actual
        return Part(np.ascontiguousarray(gold.to_numpy()), target, weights)


@dataclass(frozen=True)
class Grown:
    """A booster of all rows.

    Attributes:
        text: as LightGBM writes it.
        trees: the number of trees with the least mean loss on validation.
        loss: that loss.
        rows: how many rows taught it.
    """

    text: str
    trees: int
    loss: float
    rows: int


@dataclass(frozen=True)
class Made:
    """A partition's rows to learn from, cut into pieces for the workers, and those to stop by."""

    pieces: tuple[Part, ...]
    validation: Part


def made(partition: Partition, plan: Plan, pieces: int) -> Made:
    """Make them; run by a worker. Each piece has rows of the whole partition, so that all workers see all kinds."""
    problem = base.load(plan.problem)
    silver = silver_of(problem, partition).silver
    labels = plan.order.labels(problem, silver)
    known = plan.part(problem, silver[labels == TRAIN], learned=True)
    cut = tuple(
        Part(
            np.ascontiguousarray(known.features[first::pieces]),
            known.target[first::pieces],
            None if known.weights is None else known.weights[first::pieces],
        )
        for first in range(pieces)
    )
    return Made(cut, plan.part(problem, silver[labels == VALIDATION], learned=False))


def piece(whole: Made, number: int) -> Part:
    """One of the pieces, to lie on the worker that learns from it."""
    features, target, weights = whole.pieces[number]
    return Part(features.copy(), target.copy(), None if weights is None else weights.copy())


def validation(whole: Made) -> Part:
    """The rows to stop by."""
    return whole.validation


def size(part: Part) -> int:
    """How many rows it has."""
    return len(part.target)


def names_of(partition: Partition, problem: str, order: Order, fitted: Fitted) -> dict[str, set[str]]:
    """The names that the rows to learn from have in each categorical feature; run by a worker."""
    loaded = base.load(problem)
    silver = silver_of(loaded, partition).silver
    rows = silver[order.labels(loaded, silver) == TRAIN]
    features = loaded.features(only_inputs(loaded, fitted, rows), fitted.state)
    return {name: set(filter(None, features[name].tolist())) for name in fitted.encodings}


def only_inputs(problem: Problem, fitted: Fitted, rows: pd.DataFrame) -> Columns:
    """The inputs of rows with the names that are known."""
    return only_known(tables.inputs(problem.contract, rows), fitted.vocabularies)


def losses(part: Part, plan: Plan, text: str) -> tuple[np.ndarray, float]:
    """The sum of the losses of rows with one tree, two trees, and so on, and the sum of their weights; by a worker.

    Args:
        part: rows to stop by; their targets are as they are judged.
        plan: of all.
        text: the booster.

    Returns:
        Sums of shape (rounds,), and their weight.
    """
    booster, judged = lgb.Booster(model_str=text), loss.of(plan.stated)
    task = tasks.of(base.load(plan.problem), plan.targets, plan.fitted.bounds)
    rounds = booster.num_trees() // booster.num_model_per_iteration()
    sums = np.zeros(rounds)
    for start in range(0, len(part.target), _CHUNK):
        rows = slice(start, start + _CHUNK)
        weights = 1.0 if part.weights is None else part.weights[rows]
        raw = 0.0
        for number in range(rounds):
            raw = raw + booster.predict(
                part.features[rows], start_iteration=number, num_iteration=1, raw_score=True, num_threads=1
            )
            sums[number] += float((judged.rows(part.target[rows], task.uncalibrated(raw, plan.scale)) * weights).sum())
    return sums, float(len(part.target) if part.weights is None else part.weights.sum())
