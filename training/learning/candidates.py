"""Parameter sets are tried on rows that they do not learn from, and the one with the least loss is taken."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import lightgbm as lgb
import numpy as np

from model.features import FeatureMatrix
from problems.parameters import PARAMS
from training.learning.boost import GaveUp, Part, begun, dataset, grown, loss
from training.learning.checkpoints import NONE, Checkpoints, State
from training.learning.continued import Before
from training.learning.growing import made_of
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
        places = range(1, len(params.boosters) + 1)
        losses = ", ".join(f"{tried[place].loss:.5g}" if place in tried else "none" for place in places)
        say("train", f"parameter set {chosen} of {len(params.boosters)} has the least loss on held-out rows: {losses}")
    return tried[chosen]


def stopped(
    task: Task[Any], params: TrainParams, pairs: Sequence[Pair], kept: Checkpoints = NONE, every: float = 3.0
) -> Stopped:
    """Grow a booster for each pair, tree by tree, until their mean loss on held-out rows falls no more.

    All of them get the same number of trees: where each had its own, a fold with an odd row in it would stop at once,
    and its errors would tell nothing of those of the model that is kept.

    Args:
        task: of the problem.
        params: of the boosters.
        pairs: the rows.
        kept: where they leave their state, and take it up.
        every: seconds between two lines about the progress.

    Raises:
        SettingsError: LightGBM does not take the parameters.
        GaveUp: it fails by them.
    """
    all_settings = [task.settings_of(pair.matrix, params) for pair in pairs]
    progress = kept.of(all_settings[0], lambda: [all_settings, params.rounds, params.stop_after, *_made_of(pairs)])
    found = progress.found()
    if found is not None and found.done:
        return _finished([lgb.Booster(model_str=text) for text in found.boosters], found.best, found.loss)
    boosters = _begun(all_settings, params.rounds, pairs, found)
    first, trees, least = (found.trees, found.best, found.loss) if found is not None else (0, 0, np.inf)
    weights, said = [len(pair.held_out.target) for pair in pairs], time.monotonic()
    for number in range(first + 1, params.rounds + 1):
        now = _grown(boosters, weights)
        if now < least:
            least, trees = now, number
        elif number - trees >= params.stop_after:
            break
        progress.keep(boosters, number, trees, least)
        if time.monotonic() - said >= every:
            said = time.monotonic()
            say("train", f"{number} of at most {params.rounds} trees, loss {now:.4g} on held-out rows")
    done = _finished(boosters, trees, least)
    progress.finish(*done)
    return done


def _finished(boosters: list[lgb.Booster], trees: int, least: float) -> Stopped:
    if not trees:
        raise GaveUp(
            f"With the parameters in {PARAMS}, train.booster, no loss on held-out rows is a number. Take a smaller "
            "learning_rate."
        )
    for booster in boosters:
        booster.best_iteration = trees
    return Stopped(boosters, trees, least)


def _grown(boosters: Sequence[lgb.Booster], weights: Sequence[int]) -> float:
    """Give each one more tree, and return their mean loss a row on held-out rows, of which there are so many."""
    losses = []
    for booster in boosters:
        grown(booster)
        losses.append(loss(booster))
    return float(np.average(losses, weights=np.array(weights, dtype=float)))


def _made_of(pairs: Sequence[Pair]) -> Iterator[Any]:
    for pair in pairs:
        yield from made_of(pair.matrix, pair.known)
        yield from pair.held_out


def _begun(
    all_settings: Sequence[dict[str, Any]], rounds: int, pairs: Sequence[Pair], found: State | None
) -> list[lgb.Booster]:
    """A booster for each pair, without trees or with those that were found."""
    befores = [Before(text, found.trees) for text in found.boosters] if found is not None else [None] * len(pairs)
    boosters = []
    for settings, pair, before in zip(all_settings, pairs, befores, strict=True):
        data, held_out = (dataset(pair.matrix, part, settings) for part in (pair.known, pair.held_out))
        boosters.append(begun(settings, rounds, data, held_out, before))
    return boosters
