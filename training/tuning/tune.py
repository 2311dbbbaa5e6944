"""`make tune`: look for parameters of LightGBM that lose less than the problem's own on rows that were held out."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from optuna.trial import FrozenTrial

from problems.base import Problem
from problems.parameters import PARAMS
from training.data import tables
from training.data.split import TEST
from training.evaluation.evaluate import EvaluateParams
from training.learning.params import TrainParams
from training.registry import stores
from training.tuning import gain, pictures, search, space, studies, written
from training.tuning.gain import Gain
from training.tuning.held_out import Folds
from training.tuning.space import Booster
from training.tuning.tracked import Tracked
from training.workspace import Workspace, atomic_folder, counted, say, write_json
from validation.errors import SettingsError, TableError

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


class _Best(NamedTuple):
    """The parameters with the least loss, and what they gain; None where they are the problem's own."""

    booster: Booster
    gain: Gain | None


def main(problem: Problem, trials: int, minutes: float | None = None, *, write: bool = False) -> None:
    """Try parameter sets on the rows that are not of the test, and say what is gained and how surely.

    Args:
        problem: what is learned; it must have a split.
        trials: how many parameter sets are tried in all, those of earlier runs and the problem's own among them.
        minutes: after which no trial begins.
        write: whether params.yaml gets the best.

    Raises:
        SettingsError: the numbers or the parameters of `train` cannot be worked with.
        StoreError: the problem is being tuned already, or MLflow is not there.
        TableError: there is no split, or nothing can be learned from it.
    """
    if trials < 1:
        raise SettingsError(f"TRIALS is {trials}; one parameter set at least is tried.")
    if minutes is not None and not minutes > 0:
        raise SettingsError(f"MINUTES is {minutes:g}; it must be above 0. Leave it out for no limit.")
    until = time.monotonic() + (60 * minutes if minutes is not None else float("inf"))
    workspace = Workspace(problem.name)
    params = workspace.params("train", TrainParams)
    space.demand_comparable(problem, params)
    known = known_rows(workspace)
    stores.look()
    with studies.alone(problem):
        try:
            best = _tuned(problem, params, known, trials, until)
        except KeyboardInterrupt:
            say("tune", "stopped; the same command goes on from here")
            sys.exit(INTERRUPTED)
    if best is not None:
        _leave(workspace, params, best, write=write)


def known_rows(workspace: Workspace) -> pd.DataFrame:
    """The silver rows that are not of the test; raises TableError before there is a split."""
    problem = workspace.problem
    way_out = f"run `make train PROBLEM={problem}` first."
    if not (workspace.split.exists() and workspace.silver.exists()):
        raise TableError(f"'{problem}' has no split yet: {way_out}")
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    if not silver.index.equals(split.index):
        raise TableError(f"The split of '{problem}' is of another table than {workspace.silver}: {way_out}")
    return silver[split != TEST]


def _tuned(problem: Problem, params: TrainParams, known: pd.DataFrame, trials: int, until: float) -> _Best | None:
    """Search, judge what was found, and record it; None where no parameter set has a loss."""
    ranges = space.of(problem, params, len(known))
    folds = Folds(problem, params, known, params.seed)
    study = studies.opened(problem, len(folds), studies.made_of(problem, params, known, ranges))
    studies.enqueue_defaults(study, ranges, params)
    say("tune", f"{len(folds)} folds of {counted(len(known), 'row')}, none of them of the test")
    with Tracked(problem.name, study) as tracked:
        search.run(study, ranges, folds, params, trials, until, tracked.trial)
        folds.forget()
        best, default = (search.best_of(study, defaults=defaults) for defaults in (False, True))
        if best is None or default is None:
            say(
                "tune", f"none of the {'trials' if best is None else 'parameter sets of ' + PARAMS.name} has a loss yet"
            )
            return None
        rivals = search.booster_tried(best), search.booster_tried(default)
        gained = None if best.number == default.number else _judged(problem, params, known, rivals)
        finished = len(studies.done(study))
        told = f"none of the trials has less loss than {_called(default)}" if gained is None else gained.told(finished)
        say("tune", told)
        document = {"study": study.study_name, "trials": finished, "said": told, "best": rivals[0]}
        document |= {"loss": best.value, "loss_of_the_defaults": default.value}
        document |= {} if gained is None else gained.figures
        folder = result_folder(Workspace(problem.name))
        with atomic_folder(folder) as temporary:
            pictures.draw(temporary, study, ranges)
            write_json(temporary / "result.json", document)
        tracked.result(document, folder)
    return _Best(rivals[0], gained)


def _called(trial: FrozenTrial) -> str:
    """One of the problem's own parameter sets in words."""
    place = trial.user_attrs[studies.DEFAULT]
    return f"the problem's own {'`booster`' if place == 0 else f'alternative {place}'}, which stays the best"


def _judged(problem: Problem, params: TrainParams, known: pd.DataFrame, rivals: tuple[Booster, Booster]) -> Gain:
    resamples = Workspace(problem.name).params("evaluate", EvaluateParams).resamples
    return gain.judge(problem, params, known, rivals, resamples)


def result_folder(workspace: Workspace) -> Path:
    """Where pictures and the result of the last tuning are."""
    return workspace.folder / "tuning"


def _leave(workspace: Workspace, params: TrainParams, best: _Best, *, write: bool) -> None:
    """Write the best parameters if that is wanted and they are better; else print them, and say so."""
    if best.gain is None or not best.gain.better:
        say("tune", f"{PARAMS} stays as it is")
        return
    text = written.snippet(workspace.problem, best.booster)
    if not write:
        say("tune", f"{PARAMS} stays as it is; ARGS=--write puts the best trial into it:")
        print(text, end="", flush=True)
    elif workspace.params("train", TrainParams) != params:
        say("tune", f"{PARAMS} was changed meanwhile and stays as it is; the best trial is:")
        print(text, end="", flush=True)
    else:
        try:
            written.write(workspace.problem, best.booster)
        except SettingsError:
            print(text, end="", flush=True)  # of what may have taken hours
            raise
        say("tune", f"{PARAMS}, {workspace.problem}.train has the best trial now; `make train` learns by it")
