"""Parameter sets are tried on rows that they do not learn from, and the one with the least loss is taken."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import lightgbm as lgb
import numpy as np

from model.features import FeatureMatrix
from training.learning.boost import GaveUp, Part, begun, dataset, grown
from training.learning.params import TrainParams
from training.learning.tasks.base import Task
from training.workspace import say


class Pair(NamedTuple):
    """Rows to learn from and rows that are held out of them, and what made the features of both."""

    matrix: FeatureMatrix
    known: Part
    held_out: Part


class Stopped(NamedTuple):
    """Boosters that stopped in time, one a pair, their trees, and their mean loss a row with that many."""

    boosters: list[lgb.Booster]
    trees: int
    loss: float


class _Tried(Protocol):
    @property
    def loss(self) -> float:
        """On held-out rows."""


TriedT = TypeVar("TriedT", bound=_Tried)


def best(params: TrainParams, try_one: Callable[[TrainParams], TriedT]) -> TriedT:
    """What came of the parameter set with the least loss on held-out rows.

    Args:
        params: whose `boosters` are the sets.
        try_one: trains by one of them.

    Raises:
        GaveUp: LightGBM gave up on each of them; a set that it gives up on is left out where another works.
    """
    tried: dict[int, TriedT] = {}
    for place, booster in enumerate(params.boosters, 1):
        try:
            tried[place] = try_one(params.with_booster(booster))
        except GaveUp as error:
            if not tried and place == len(params.boosters):
                raise
            say("train", f"parameter set {place} is left out: {error}")
    chosen = min(tried, key=lambda place: tried[place].loss)
    if len(params.boosters) > 1:
        losses = ", ".join(f"{one.loss:.5g}" for one in tried.values())
        say("train", f"parameter set {chosen} of {len(params.boosters)} has the least loss on held-out rows: {losses}")
    return tried[chosen]


def stopped(task: Task[Any], params: TrainParams, pairs: Sequence[Pair], every: float = 3.0) -> Stopped:
    """Grow a booster for each pair, tree by tree, until their mean loss on held-out rows falls no more.

    All of them get the same number of trees: where each had its own, a fold with an odd row in it would stop at once,
    and its errors would tell nothing of those of the model that is kept.

    Raises:
        SettingsError: LightGBM does not take the parameters.
        GaveUp: it fails by them.
    """
    boosters = [_begun(task, params, pair) for pair in pairs]
    weights = np.array([len(pair.held_out.target) for pair in pairs], dtype=float)
    least, trees, said = np.inf, 0, time.monotonic()
    for number in range(1, params.rounds + 1):
        loss = float(np.average([grown(booster) for booster in boosters], weights=weights))
        if loss < least:
            least, trees = loss, number
        elif number - trees >= params.stop_after:
            break
        if time.monotonic() - said >= every:
            said = time.monotonic()
            say("train", f"{number} of at most {params.rounds} trees, loss {loss:.4g} on held-out rows")
    for booster in boosters:
        booster.best_iteration = max(trees, 1)
    return Stopped(boosters, max(trees, 1), least)


def _begun(task: Task[Any], params: TrainParams, pair: Pair) -> lgb.Booster:
    settings = task.settings_of(pair.matrix, params)
    data, held_out = (dataset(pair.matrix, part, settings) for part in (pair.known, pair.held_out))
    held_out.set_reference(data)
    return begun(settings, params.rounds, data, held_out)
