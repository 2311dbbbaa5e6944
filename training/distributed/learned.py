"""The model: its main booster is of all rows to learn from, and all else of the sample, by the code for one machine."""

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd

from model import loss
from model.features import fit
from problems.base import Problem
from training.data import classes, tables
from training.data.split import CALIBRATION, TRAIN
from training.distributed.order import Order
from training.distributed.plan import FOLDS, Plan
from training.learning import tasks
from training.learning.boost import raw_scores
from training.learning.checkpoints import Checkpoints
from training.learning.gold import fitted_to_others
from training.learning.one_split import OneSplit
from training.learning.params import LOG, TrainParams
from training.learning.prepared import Names
from training.learning.tasks.base import Task
from training.learning.train import Learned, finished

Grow = Callable[["OnAllRows"], lgb.Booster]


class OnAllRows(OneSplit):
    """A booster of the sample's rows to learn from, whose place one of all such rows takes.

    The first chooses the parameters. The size of errors is learned from the errors of boosters like it, and calibration
    rows, which neither saw, correct what it gets wrong.
    """

    def __init__(
        self,
        task: Task[Any],
        params: TrainParams,
        parts: Mapping[str, pd.DataFrame],
        kept: Checkpoints,
        further: Names,
        grow: Grow,
    ) -> None:
        """Train on the sample as `OneSplit` does, and then by `grow`; `further` are names of rows that it lacks."""
        super().__init__(task, params, parts, kept, None, further)
        self.sample = parts[TRAIN]
        of_sample = self.booster
        self.booster = grow(self)
        self.raw = raw_scores(self.booster, self._features[CALIBRATION])
        self.of_sample = of_sample

    @property
    def chosen(self) -> TrainParams:
        """The parameters with the least loss on validation."""
        return self._params

    def settings(self) -> dict[str, Any]:
        """LightGBM's parameters."""
        return self._task.settings_of(self._matrix, self._params)

    def features(self) -> tuple[list[str], list[str]]:
        """The names of all features, and of those that are categories."""
        return self._matrix.names, self._matrix.categorical

    def plan(self, order: Order) -> Plan:
        """What workers need to make the same of their rows."""
        task, problem = self._task, self._task.problem
        target = problem.contract.target
        objective = self._params.booster.get("objective", task.objective)
        return Plan(
            problem.name,
            order,
            self.fitted,
            self._of_others(order),
            self.sample[[target.name]].head(1) if target.continuous else self.sample[[target.name]].drop_duplicates(),
            self.trend,
            self._scale,
            self._class_weights(),
            loss.stated(objective, self._params.booster, log=self._params.target == LOG),
        )

    def _of_others(self, order: Order) -> dict[int, Any]:
        problem = self._task.problem
        if problem.cross_fit is None:
            return {}
        folds = (order.drawn(problem, self.sample) % FOLDS).astype(int)
        columns = {**tables.inputs(problem.contract, self.sample)}
        columns[problem.contract.target.name] = self._task.encode(self.sample)
        return fitted_to_others(problem, self.fitted, columns, folds)

    def _class_weights(self) -> np.ndarray | None:
        """The weight of each class by its place."""
        known = self._actual
        places = np.arange(known.max() + 1) if self._params.class_weights is not None else known[:1]
        return self._task.weights(self._params.class_weights, places, known)


def learn(
    problem: Problem,
    params: TrainParams,
    parts: Mapping[str, pd.DataFrame],
    kept: Checkpoints,
    further: Names,
    grow: Grow,
) -> Learned:
    """The model of a table, from the sample of its rows and from what `grow` makes of all.

    Args:
        problem: what to learn.
        params: how; folds are for small tables.
        parts: the sample's rows by split.
        kept: where the sample's trainings leave their state.
        further: names of rows that the sample lacks.
        grow: the booster of all rows, by a cluster.

    Raises: as `train.learn`.
    """
    params = msgspec.structs.replace(params, folds=0)
    task = tasks.of(problem, pd.concat(parts.values()), classes.cut(problem, parts[TRAIN]))
    task.check_params(params)
    return finished(task, params, OnAllRows(task, params, parts, kept, further, grow))


def fitted_first(problem: Problem, parts: Mapping[str, pd.DataFrame], further: Names) -> Any:
    """What is fitted to the sample, to find out which names the features of other rows have."""
    task = tasks.of(problem, pd.concat(parts.values()), classes.cut(problem, parts[TRAIN]))
    rows = parts[TRAIN]
    known = {**tables.inputs(problem.contract, rows), problem.contract.target.name: task.encode(rows)}
    return fit(problem, known, task.bounds, further)
