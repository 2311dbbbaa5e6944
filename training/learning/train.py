"""Split → trained: fitted state, boosters that stopped in time, and a calibrated outcome."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd

from model.features import Fitted
from model.model import BOOSTER, Model
from model.outcomes import Outcome
from problems.base import Problem
from training import digits
from training.data import classes, labelled, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import tasks
from training.learning.checkpoints import NONE, Checkpoints
from training.learning.folds import Folds
from training.learning.one_split import OneSplit
from training.learning.params import TrainParams
from training.workspace import Workspace, atomic_folder, say

FITTED, OUTCOME, HELD_OUT = "fitted.json", "outcome.json", "held_out.npy"


class Learned(NamedTuple):
    """A model, the model matrices that it was made of by split, and its scores of rows that were held out of it."""

    model: Model
    gold: Mapping[str, pd.DataFrame]
    scores: np.ndarray


def main(problem: Problem) -> None:
    """Fit on the training split, stop on validation, calibrate on calibration; the test split is not read.

    It goes on where a run of the same was killed, see `training.learning.checkpoints`.
    """
    workspace = Workspace(problem.name)
    params = workspace.params("train", TrainParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    parts = {part: silver[split == part] for part in (TRAIN, VALIDATION, CALIBRATION)}
    kept = Checkpoints(workspace.checkpoints, params.checkpoint)
    if labelled.of(parts[TRAIN]).any():
        from training.learning import recency  # which asks for models of this module

        model, gold, scores = recency.best(problem, params, parts, kept)
    else:
        model, gold, scores = learn(problem, params, parts, kept)
    write(workspace, Learned(model, gold, scores))
    kept.clear()


def write(workspace: Workspace, learned: Learned) -> None:
    """Write what was learned, as `read` and `read_scores` take it up."""
    model, gold, scores = learned
    tables.write(workspace.gold, pd.concat(gold, names=["split", "row"]))
    with atomic_folder(workspace.trained) as folder:
        for name, text in model.boosters.items():
            (folder / name).write_text(text)
        (folder / FITTED).write_bytes(msgspec.json.encode(model.fitted))
        (folder / OUTCOME).write_bytes(msgspec.json.encode(model.outcome))
        np.save(folder / HELD_OUT, digits.rounded(scores, digits.ANSWERS))
    names = model.fitted.feature_names
    some = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    say("train", f"{model.boosters[BOOSTER].count('Tree=')} trees over {len(names)} features: {some}")


def read_scores(workspace: Workspace) -> np.ndarray:
    """The scores of held-out rows that `main` wrote, shape (rows, outputs)."""
    scores: np.ndarray = np.load(workspace.trained / HELD_OUT)
    return scores


def read(problem: Problem, workspace: Workspace) -> Model:
    """The model that `main` wrote."""
    folder = workspace.trained
    return Model(
        problem,
        msgspec.json.decode((folder / FITTED).read_bytes(), type=Fitted),
        msgspec.json.decode((folder / OUTCOME).read_bytes(), type=Outcome),
        {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))},
    )


def learn(
    problem: Problem,
    params: TrainParams,
    parts: Mapping[str, pd.DataFrame],
    kept: Checkpoints = NONE,
    weights: np.ndarray | None = None,
) -> Learned:
    """Train on three disjoint parts of a silver table, or on folds of all of their rows.

    Args:
        problem: what to learn.
        params: how.
        parts: silver rows for "train", "validation" and "calibration".
        kept: where trainings leave their state, and take it up.
        weights: of the "train" rows, shape (rows,); folds have none.

    Raises:
        ContractError: the problem's features do not pass the gold gate.
        SettingsError: the parameters do not fit the target.
        TableError: the training rows lack a class, or a target is too large to learn.
    """
    known = pd.concat(parts.values())
    by_folds = _affordable(problem, params, len(known))
    task = tasks.of(problem, known, classes.cut(problem, known if by_folds else parts[TRAIN]))
    task.check_params(params)
    trained: tasks.Trained
    if by_folds and task.enough_for(params.folds, task.encode(known)):
        trained = Folds(task, params, known.sort_index(), kept)
    else:
        trained = OneSplit(task, params, parts, kept, weights)
    return finished(task, params, trained)


def finished(task: tasks.Task[Any], params: TrainParams, trained: tasks.Trained) -> Learned:
    """The model of a booster, with its outcome calibrated by the rows that are held out of it."""
    outcome, further_boosters, scores = task.finish(trained, params)
    booster = trained.booster.model_to_string(num_iteration=trained.booster.best_iteration)
    model = Model(task.problem, trained.fitted, outcome, {BOOSTER: booster, **further_boosters})
    return Learned(model, trained.gold, scores)


def _affordable(problem: Problem, params: TrainParams, rows: int) -> bool:
    """Whether folds are wanted, cost little enough, and are honest: where rows follow each other in time none are."""
    cells = rows * len(problem.contract.inputs)
    return bool(params.folds) and problem.contract.time is None and cells <= params.most_cells
