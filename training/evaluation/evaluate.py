"""Bundle → metrics: the untouched test split, predicted by the Predictor as for a caller, and by the baselines."""

import functools
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd

from model import loss
from model.features import FeatureMatrix
from model.metrics import CrossValidation, Duplicates, Importance, Metrics, Slice
from model.predictor import Predictor, open_predictor
from problems.base import Problem
from training import digits
from training.data import copies, tables
from training.data.split import SPLITS, TEST, SplitParams
from training.evaluation import examples, pairs, reference, similar, slices, suspicions
from training.evaluation.baselines import Baselines
from training.evaluation.crossvalidate import cross_validate
from training.learning import metrics, tasks
from training.learning.metrics import ACTUAL, COVERED, MODEL
from training.learning.params import LOG, TrainParams
from training.workspace import Seed, Workspace, say, write_json
from validation.errors import TableError


class EvaluateParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bootstrap resamples and their seed, the fewest rows of a slice, and folds of a cross-validation (0: none)."""

    resamples: Annotated[int, msgspec.Meta(ge=1)]
    seed: Seed
    slice_rows: Annotated[int, msgspec.Meta(ge=2)] = 500
    folds: Annotated[int, msgspec.Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.folds == 1:
            raise ValueError("a cross-validation has at least two folds; 0 leaves it out")


def main(problem: Problem, workspace: Workspace | None = None) -> None:
    """Judge the bundle; every predictor answers the same rows."""
    workspace = workspace or Workspace(problem.name)
    params = workspace.params("evaluate", EvaluateParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    predictor = open_predictor(workspace.bundle)
    fitted = predictor.model.fitted
    task = tasks.of(problem, silver, fitted.bounds)
    answered, scores = tables.ask(predictor, silver[split == TEST])
    scores = digits.rounded(scores, digits.ANSWERS)
    test, other_rows = silver[split == TEST].iloc[answered], silver[split != TEST]
    how = workspace.params("train", TrainParams)
    objective, log = how.booster.get("objective", task.objective), how.target == LOG
    stated = loss.stated(objective, how.booster, log=log)
    baselines = Baselines(FeatureMatrix(problem, fitted), fitted.vocabularies, task, loss.of(stated))
    actual = task.encode(test)
    answers = {MODEL: task.judged(scores), **baselines.predict(other_rows, test)}
    columns = {ACTUAL: actual, **task.beside(predictor.outcome, scores, actual)}
    for name, values in answers.items():
        columns |= metrics.columns(name, values)
    table = pd.DataFrame(columns, index=test.index)
    tables.write(workspace.evaluation, table)
    shares, moving = workspace.params("split", SplitParams), importance(predictor, test)
    evaluation = Metrics(
        **_judged(predictor, test, table, list(answers), params, stated),
        duplicates=_duplicates(task, silver),
        splits={name: int((split == name).sum()) for name in SPLITS},
        quarantined=len(pd.read_csv(workspace.quarantine, usecols=[0])),
        refused=int((split == TEST).sum()) - len(test),
        importance=moving,
        suspicions=suspicions.find(task, silver, split, shares),
        **_of_other_rows(predictor, task, other_rows, moving),
        cross_validation=_folds(problem, workspace, shares, silver, params) if task.in_folds else None,
    )
    write_json(workspace.metrics, msgspec.to_builtins(evaluation))
    reference.write(workspace, predictor, silver, split, evaluation)
    say("evaluate", f"{len(test):,} test rows through the Predictor, {evaluation.refused} refused by the contract")


def _duplicates(task: tasks.Task[Any], silver: pd.DataFrame) -> Duplicates:
    contract = task.problem.contract
    inputs = [column.name for column in contract.inputs]
    found = copies.summary(silver, inputs)
    if not found.rows or not contract.target.continuous:
        return found
    return msgspec.structs.replace(found, noise=copies.noise(silver, inputs, task.encode(silver)))


def _folds(
    problem: Problem, workspace: Workspace, shares: SplitParams, silver: pd.DataFrame, params: EvaluateParams
) -> CrossValidation | None:
    if not params.folds:
        return None
    how = workspace.params("train", TrainParams)
    try:
        return cross_validate(problem, how, shares, silver, params.folds, params.resamples)
    except TableError as error:  # a table can be large enough for a model and too small for folds of it
        say("evaluate", f"no {params.folds}-fold cross-validation: {error}")
        return None


def _judged(
    predictor: Predictor,
    test: pd.DataFrame,
    table: pd.DataFrame,
    candidates: list[str],
    params: EvaluateParams,
    stated: dict[str, Any],
) -> dict[str, Any]:
    """The members of `Metrics` that say how good the answers are."""
    outcome, contract = predictor.outcome, predictor.contract
    task = tasks.of_outcome(outcome)
    judge = metrics.with_loss(functools.partial(task.judge, outcome), loss.of(stated))
    weights = metrics.draws(len(test), params.resamples, params.seed)
    actual = table[ACTUAL].to_numpy()
    scores = {name: judge(actual, metrics.predicted(table, name), weights) for name in candidates}
    by, predicted = stated["name"], metrics.predicted(table, MODEL)
    covered = table[COVERED].to_numpy() if COVERED in table else None
    judged_slices = []
    for column, value, places in slices.find(contract, test, params.slice_rows):
        drawn = weights[:, places]
        held = None if covered is None else metrics.share(covered[places], drawn)
        judged = judge(actual[places], predicted[places], drawn)
        judged_slices.append(Slice(column, value, len(places), judged, held))
    return {
        "version": predictor.version,
        "task": outcome.task,
        "rows": len(test),
        "unit": contract.target.answer_unit,
        "loss": stated,
        "scores": scores,
        "beats_lookup": metrics.number(scores[MODEL][by]) < metrics.number(scores["lookup"][by]),
        "slices": judged_slices,
        **task.summary(outcome, table, scores[MODEL], weights),
    }


def _of_other_rows(
    predictor: Predictor, task: tasks.Task[Any], rows: pd.DataFrame, moving: Importance
) -> dict[str, Any]:
    """The members of `Metrics` that are about the rows that are not of the test."""
    contract = predictor.contract
    return {
        "examples": examples.find(predictor, rows),
        "similar": similar.find(contract, rows, task.encode(rows), predictor.outcome.subjects),
        "ties": pairs.strongest(contract, rows, list(moving.columns), pairs.TIED),
    }


def importance(predictor: Predictor, test: pd.DataFrame) -> Importance:
    """How much each of the caller's columns moves an answer, over a sample of rows.

    Args:
        predictor: the model.
        test: silver rows, all of which it answers.
    """
    rows = test.iloc[metrics.sample(len(test), metrics.MOST_EXPLAINED)]
    decoded = predictor.decode(tables.requested(predictor.contract, rows)).raise_if_rejected()
    sizes = np.abs(predictor.contributions(decoded.inputs)[:, :-1]).mean(axis=0).tolist()
    columns = dict(zip((column.name for column in predictor.contract.inputs), sizes, strict=True))
    largest_first = dict(sorted(columns.items(), key=lambda column: -column[1]))
    return Importance(predictor.outcome.space, len(rows), largest_first)
