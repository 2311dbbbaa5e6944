"""What the model answers to all test rows, added up by partition: the exact mean loss and coverage."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from model import loss
from model.model import Model
from model.predictor import Predictor
from problems import base
from training import digits
from training.data import tables
from training.data.split import SPLITS, TEST
from training.distributed.gate import silver_of
from training.distributed.listing import Partition
from training.distributed.plan import Plan
from training.learning import tasks
from training.learning.metrics import COVERED
from validation.errors import TableError


@dataclass(frozen=True)
class Portable:
    """A model as workers get it: its problem by name, since contracts hold functions."""

    plan: Plan
    model: Model

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Pickle it without the problem, which the worker's code has."""
        model = self.model
        return _portable, (self.plan, model.problem.name, model.fitted, model.outcome, dict(model.boosters))


def _portable(plan: Plan, name: str, *parts: object) -> Portable:
    return Portable(plan, Model(base.load(name), *parts))  # type: ignore[arg-type]  # as __reduce__ gave them


@dataclass(frozen=True)
class Judged:
    """Sums over test rows.

    Attributes:
        splits: how many rows each split has.
        refused: test rows that the model does not answer.
        loss: the sum of the others' losses.
        covered: how many of them an interval or a set covers; None of a model without.
    """

    splits: dict[str, int]
    refused: int
    loss: float
    covered: int | None

    @property
    def answered(self) -> int:
        """The test rows that the model answers."""
        return self.splits[TEST] - self.refused


def judged(partition: Partition, portable: Portable) -> Judged:
    """Ask the model for the test rows of a partition, as a caller would; run by a worker."""
    model, plan = portable.model, portable.plan
    problem = model.problem
    silver = silver_of(problem, partition).silver
    labels = plan.order.labels(problem, silver)
    splits = {name: int((labels == name).sum()) for name in SPLITS}
    test = silver[labels == TEST]
    if test.empty:
        return Judged(splits, 0, 0.0, None)
    task = tasks.of(problem, plan.targets, plan.fitted.bounds)
    try:
        places, scores = tables.ask(Predictor(model), test)
    except TableError:  # it refuses every row of this partition
        return Judged(splits, len(test), 0.0, None)
    scores = digits.rounded(scores, digits.ANSWERS)
    actual = task.encode(test.iloc[places])
    covered = task.beside(model.outcome, scores, actual).get(COVERED)
    losses = loss.of(plan.stated).rows(actual, task.judged(scores))
    return Judged(splits, len(test) - len(places), float(losses.sum()), None if covered is None else int(covered.sum()))


def added(parts: Iterable[Judged]) -> Judged:
    """The sums of all partitions; in the order of their numbers, so that they are the same every time."""
    found = list(parts)
    covered = [part.covered for part in found if part.covered is not None]
    return Judged(
        {name: sum(part.splits[name] for part in found) for name in SPLITS},
        sum(part.refused for part in found),
        float(np.sum([part.loss for part in found])),
        sum(covered) if covered else None,
    )
