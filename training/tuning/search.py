"""Trying parameter sets: the problem's own first, then what Optuna proposes.

A tree-structured Parzen estimator proposes (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011);
Hyperband stops after a fold or three what does worse than others (Li et al., 2018).
"""

import time
from collections.abc import Callable

import numpy as np
from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from training.learning.boost import GaveUp
from training.learning.params import TrainParams
from training.tuning import held_out
from training.tuning.held_out import Folds
from training.tuning.space import Booster, Space, booster_of
from training.tuning.studies import DEFAULT, done
from training.workspace import say

BOOSTER = "booster"
"""The attribute of a trial with all of LightGBM's parameters that it tried."""
_BEFORE_TPE = 5
"""Trials at random before the estimator proposes. Each of Hyperband's two brackets has its own."""
_LINES = 50
_SEEDS = 2**32
"""NumPy takes seeds below it."""


def run(
    study: Study,
    space: Space,
    folds: Folds,
    params: TrainParams,
    trials: int,
    until: float,
    ended: Callable[[FrozenTrial], None],
) -> None:
    """Try parameter sets until so many are done, or the time is over; a trial that has begun ends.

    Args:
        study: what is known, and gets what is found.
        space: what is tried.
        folds: the rows.
        params: how it is trained besides.
        trials: how many trials there are to be, with those that are done.
        until: when `time.monotonic` has this value no trial begins; the first of this process always does.
        ended: called with each trial that ended.
    """
    first = len(done(study))
    for number in range(first, trials):
        if number > first and time.monotonic() >= until:
            say("tune", f"the time is over; {number} of {trials} trials are done")
            break
        # one seed a trial: a study that goes on would begin again with the same random numbers
        study.sampler = TPESampler(seed=(params.seed + number) % _SEEDS, n_startup_trials=_BEFORE_TPE)
        trial = study.ask(space)
        best = _best_value(study)
        try:
            _tried(study, trial, folds, params)
        except GaveUp:
            study.tell(trial, state=TrialState.PRUNED)
        except BaseException:  # Ctrl-C, too
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise
        frozen = study.get_trials(deepcopy=False)[trial.number]
        _tell(study, frozen, number + 1, trials, len(folds), best)
        ended(frozen)


def _tried(study: Study, trial: Trial, folds: Folds, params: TrainParams) -> None:
    """Judge a trial fold by fold. The problem's own sets are never stopped: all others are compared with them."""
    default = trial.user_attrs.get(DEFAULT)
    booster = booster_of(params.booster, trial.params) if default is None else params.boosters[default]
    trial.set_user_attr(BOOSTER, booster)
    mean = np.nan
    for judged, mean in enumerate(held_out.means(folds, params, booster), start=1):
        if not np.isfinite(mean):
            study.tell(trial, state=TrialState.PRUNED)
            return
        trial.report(mean, judged)
        stop = trial.should_prune()  # to be asked of each, so that others are compared with it
        if stop and default is None and judged < len(folds):
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, mean)


def _best_value(study: Study) -> float:
    return min((trial.value for trial in complete(study) if trial.value is not None), default=float("inf"))


def complete(study: Study) -> list[FrozenTrial]:
    """The trials that were judged on every fold."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def best_of(study: Study, *, defaults: bool) -> FrozenTrial | None:
    """The trial with the least loss, of the problem's own parameter sets or of all; None before one is complete."""
    found = [trial for trial in complete(study) if not defaults or DEFAULT in trial.user_attrs]
    return min(found, key=lambda trial: (trial.value, trial.number), default=None)


def booster_tried(trial: FrozenTrial) -> Booster:
    """All of LightGBM's parameters of a trial that ended."""
    booster: Booster = trial.user_attrs[BOOSTER]
    return booster


def _tell(study: Study, trial: FrozenTrial, number: int, trials: int, folds: int, before: float) -> None:
    """A line about a trial; of very many trials one in some, and those that are better than all before."""
    best = best_of(study, defaults=False)
    better = trial.state is TrialState.COMPLETE and trial.value is not None and trial.value < before
    default = trial.user_attrs.get(DEFAULT)
    if number % max(trials // _LINES, 1) and not better and default is None:
        return
    what = "" if default is None else ", the problem's own" if default == 0 else f", its alternative {default}"
    loss = f"loss {trial.value:.5g}" if trial.state is TrialState.COMPLETE else _stopped(trial, folds)
    so_far = "the best so far" if better else f"best so far {best.value:.5g}" if best is not None else "none so far"
    say("tune", f"trial {number} of {trials}{what}: {loss}, {so_far}")


def _stopped(trial: FrozenTrial, folds: int) -> str:
    judged = trial.last_step
    if judged is None:
        return "no loss"
    return f"stopped after {judged} of {folds} folds at {trial.intermediate_values[judged]:.5g}"
