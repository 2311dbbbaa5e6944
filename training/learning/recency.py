"""How much the rows of before are worth where newer, labelled ones are beside them: several ways are tried.

The world may have changed since, or not, and which is which shows in the newest rows that nothing learned from.
"""

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
import pandas as pd

from model import loss
from model.predictor import Predictor
from problems.base import Problem
from training.data import labelled, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION, stretches
from training.learning import tasks
from training.learning.checkpoints import Checkpoints
from training.learning.level import Level
from training.learning.params import LOG, TrainParams
from training.learning.train import Learned, learn
from training.workspace import say
from validation.errors import TableError

_STRETCHES = 10
"""Of the earlier rows, of which a model is made that knows nothing of the newer ones."""
Way = tuple[str, Mapping[str, pd.DataFrame], np.ndarray | None]
"""What it is called; the rows to learn from, stop by and calibrate by; the weights of the first, shape (rows,)."""


def best(problem: Problem, params: TrainParams, parts: Mapping[str, pd.DataFrame], kept: Checkpoints) -> Learned:
    """The model with the least loss on the validation rows, of those that learn from older and newer rows differently.

    Args:
        problem: what to learn.
        params: how; folds are no way, because the rows follow each other.
        parts: silver rows for "train", "validation" and "calibration", labelled ones among the first.
        kept: where trainings leave their state, and take it up.

    Raises:
        ContractError, SettingsError, TableError: as `train.learn`.
    """
    params = msgspec.structs.replace(params, folds=0)
    tried: list[tuple[float, str, Learned]] = []
    for name, rows, weights in _ways(problem, params, parts):
        made = learn(problem, params, rows, kept, weights)
        tried.append((_loss(problem, params, made, parts), name, made))
        say("train", f"{name}: loss {tried[-1][0]:.5g} on the newest rows before calibration and test")
    _, name, made = min(tried, key=lambda one: one[0])
    say("train", f"taken: {name}")
    return made


def _ways(problem: Problem, params: TrainParams, parts: Mapping[str, pd.DataFrame]) -> Iterator[Way]:
    new = labelled.of(parts[TRAIN]).to_numpy()
    yield "all rows alike", parts, None
    if new.all():
        return
    for share in params.recent:
        yield f"newer rows with {share:.0%} of the weight", parts, _weights(new, share)
    at_level = _at_level(problem, params, parts[TRAIN], new)
    if at_level is not None:
        level, rows = at_level
        yield f"older rows at the level of the newer ones ({level})", {**parts, TRAIN: rows}, None


def _weights(new: np.ndarray, share: float) -> np.ndarray:
    """Weights of rows by which the new ones have that share of the whole, 1 in the mean; shape (rows,)."""
    weights: np.ndarray = np.where(new, share / new.mean(), (1 - share) / (1 - new.mean()))
    return weights


def _at_level(
    problem: Problem, params: TrainParams, rows: pd.DataFrame, new: np.ndarray
) -> tuple[Level, pd.DataFrame] | None:
    """Rows whose older targets are moved to where the newer ones are, and how far that is; None where there is no way.

    Where they are is what a model of the older rows alone gets wrong of them on average. All else that it knows stays
    true after a shock that moves all targets alike, and a few new rows need not teach it again.
    """
    if not tasks.of(problem, rows).has_level:
        return None
    older = rows[~new]
    target = problem.contract.target.name
    try:
        place = stretches(problem, older, _STRETCHES, params.seed)
        older_parts = {
            name: older[place == number]
            for name, number in ((CALIBRATION, _STRETCHES - 1), (VALIDATION, _STRETCHES - 2))
        }
        older_parts[TRAIN] = older[place < _STRETCHES - 2]
        predictor = Predictor(learn(problem, params, older_parts).model)
        answered, scores = tables.ask(predictor, rows[new])
    except TableError:  # too few older rows, or newer ones that it refuses
        return None
    task = tasks.of(problem, rows, predictor.model.fitted.bounds)
    actual = task.encode(rows)
    level = task.level(actual[new][answered], task.judged(scores))
    if level is None:
        return None
    return level, rows.assign(**{target: np.where(new, actual, level.of(actual))})


def _loss(problem: Problem, params: TrainParams, made: Learned, parts: Mapping[str, pd.DataFrame]) -> float:
    """A model's mean loss, by what it was trained on, on the validation rows; all ways know the same names of those."""
    answered, scores = tables.ask(Predictor(made.model), parts[VALIDATION])
    rows = parts[VALIDATION].iloc[answered]
    task = tasks.of(problem, pd.concat(parts.values()), made.model.fitted.bounds)
    objective = params.booster.get("objective", task.objective)
    judged = loss.of(loss.stated(objective, params.booster, log=params.target == LOG))
    return float(judged.rows(task.encode(rows), task.judged(scores)).mean())
