"""Studies on disk: one for each table, problem and set of parameters, which goes on where a killed process left it."""

import contextlib
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import optuna
import pandas as pd
from optuna.distributions import distribution_to_json
from optuna.pruners import HyperbandPruner
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from problems.base import Problem
from training.data import copies
from training.learning.params import TrainParams
from training.tuning.space import Space, nearest
from training.workspace import counted, exclusive, say

FOLDER = Path("stores/tuning")
MADE_OF, DEFAULT = "made_of", "default"
"""Attributes: what a study is of; which of the problem's parameter sets a trial tries, from 0."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
_IRRELEVANT = ("coverage", "costs", "most_cells")
"""Parameters of training that no loss depends on."""
_THREADS = "num_threads"


def made_of(problem: Problem, params: TrainParams, known: pd.DataFrame, space: Space) -> dict[str, str]:
    """A hash of each thing that losses depend on, by what people call it."""
    inputs = [column.name for column in problem.contract.inputs]
    rows = copies.hashes(known, inputs, problem.contract.target.name)[copies.ROWS]
    settings = {name: value for name, value in msgspec.to_builtins(params).items() if name not in _IRRELEVANT}
    settings["booster"] = {name: value for name, value in params.booster.items() if name != _THREADS}
    tools = [importlib.metadata.version("lightgbm"), *(f"{name}{distribution_to_json(space[name])}" for name in space)]
    return {
        "the table": hashlib.sha256(rows.to_numpy().tobytes()).hexdigest(),
        "the problem": f"{problem.contract.hash}{problem.features_hash}",
        "the parameters of `train`": _hash(settings),
        "LightGBM or what is tried": _hash(tools),
    }


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def alone(problem: Problem) -> Iterator[None]:
    """The right to work on the studies of a problem; raises StoreError while another process does."""
    with exclusive(
        FOLDER / f"{problem.name}.running", f"'{problem.name}' is being tuned already; nothing was changed."
    ):
        yield


def opened(problem: Problem, folds: int, parts: Mapping[str, str]) -> Study:
    """The study of what losses depend on, `made_of`; a new one says what has changed since the last. To be `alone`.

    Trials that a process left unfinished are marked as failed.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name = f"{problem.name}-{_hash(parts)[:12]}"
    storage = JournalStorage(JournalFileBackend(str(_file(problem))))
    before = optuna.get_all_study_summaries(storage, include_best_trial=False)
    # one fold is judged before a trial can be stopped, a third of those that got there goes on (Li et al., 2018)
    pruner = HyperbandPruner(min_resource=1, max_resource=folds, reduction_factor=3)
    study = optuna.create_study(storage=storage, study_name=name, pruner=pruner, load_if_exists=True)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    if MADE_OF not in study.user_attrs:
        study.set_user_attr(MADE_OF, dict(parts))
    _tell(study, [summary.user_attrs[MADE_OF] for summary in before if MADE_OF in summary.user_attrs])
    return study


def _file(problem: Problem) -> Path:
    """The journal of a problem's studies, without what a killed process left: half a line, and Optuna's own lock."""
    path = FOLDER / f"{problem.name}.journal"
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if path.exists():
        whole = path.read_bytes()
        if not whole.endswith(b"\n"):
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    return path


def _tell(study: Study, before: list[Mapping[str, str]]) -> None:
    finished = len(done(study))
    if finished:
        say("tune", f"study {study.study_name} goes on: {counted(finished, 'trial')} of it are done")
    elif before and study.user_attrs[MADE_OF] not in before:
        last, now = before[-1], study.user_attrs[MADE_OF]
        changed = [what for what in now if now[what] != last.get(what)]
        say("tune", f"a new study begins, {study.study_name}: since the last one {_listed(changed)} changed")
    else:
        say("tune", f"a new study begins, {study.study_name}")


def _listed(names: list[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


def done(study: Study) -> list[FrozenTrial]:
    """The trials that came to an end, whole or stopped early; not those that were interrupted."""
    return study.get_trials(deepcopy=False, states=DONE)


def enqueue_defaults(study: Study, space: Space, params: TrainParams) -> None:
    """Let the problem's own parameter sets be tried first, those that were not yet."""
    states = (*DONE, TrialState.WAITING)
    known = {trial.user_attrs.get(DEFAULT) for trial in study.get_trials(deepcopy=False, states=states)}
    for number, booster in enumerate(params.boosters):
        if number not in known:
            study.enqueue_trial(nearest(space, booster), user_attrs={DEFAULT: number})
