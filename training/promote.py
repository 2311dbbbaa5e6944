"""Whether a challenger becomes champion: paired bootstrap on one holdout, overall and on every slice."""

from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from problems.base import Problem
from training import champion, metrics, slices, tables
from training.evaluate import ACTUAL
from training.split import TEST
from training.workspace import Workspace, read_json
from validation.errors import StoreError


class PromoteParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sure a verdict must be, and what counts as worse.

    `tolerance` is the relative rise of the mean loss that is let pass; `slice_rows` the fewest rows of a slice.
    """

    resamples: Annotated[int, msgspec.Meta(ge=100)] = 1_000
    seed: int = 1
    confidence: Annotated[float, msgspec.Meta(gt=0.5, lt=1)] = 0.95
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.02
    slice_rows: Annotated[int, msgspec.Meta(ge=2)] = 200


class Decision(msgspec.Struct, frozen=True):
    """Whether a version becomes champion, why, and which version it was compared with (None: the lookup)."""

    promoted: bool
    reasons: list[str]
    compared_with: str | None = None


def decide(problem: Problem, workspace: Workspace, best: ModelVersion | None) -> Decision:
    """Compare what was evaluated last with the champion, on the rows of its test split.

    Args:
        problem: whose model it is.
        workspace: where silver, split and evaluation of the challenger lie.
        best: the champion, if there is one.
    """
    document = read_json(workspace.metrics)
    beats = document["beats_lookup"]
    verdict = f"it {'beats' if beats else 'does not beat'} the lookup of group means"
    if best is None:
        return Decision(True, [f"it is the first model; {verdict}"])
    silver = tables.read(workspace.silver)
    test = silver[tables.read(workspace.split)["split"] == TEST]
    try:
        answers = champion.ask(best, tables.rows(problem.contract, test))
    except StoreError as error:
        reason = f"the champion, {error}; compared with the lookup instead: {verdict}"
        return Decision(beats, [reason])
    evaluated = tables.read(workspace.evaluation).reindex(test.index)
    theirs = _numbers(answers, document).set_axis(test.index)
    params = workspace.params("promote", PromoteParams)
    both = evaluated["model"].notna() & theirs.notna()
    loss, actual = metrics.LOSSES[document["task"]], evaluated.loc[both, ACTUAL].to_numpy()
    new, old = (loss(actual, values[both].to_numpy()) for values in (evaluated["model"], theirs))
    reasons = []
    refused = int((evaluated["model"].isna() & theirs.notna()).sum())
    if refused > params.tolerance * len(test):
        reasons.append(f"it refuses {refused:,} of {len(test):,} test rows that version answers")
    if len(new):
        reasons += _refusals(problem, test[both], new, old, document["task"], params)
    return Decision(not reasons, reasons or [_better(new, old, document["task"])], str(best.version))


def _numbers(answers: pd.DataFrame, document: dict[str, Any]) -> pd.Series:
    """The champion's predictions as the challenger's stand in the evaluation: values, or positive probabilities."""
    if document["task"] == "regression":
        return answers["prediction"].astype("float64")
    positive = f"probabilities.{document['decision']['classes'][1]}"
    return answers.get(positive, pd.Series(np.nan, index=answers.index)).astype("float64")


def _refusals(
    problem: Problem, rows: pd.DataFrame, new: np.ndarray, old: np.ndarray, task: str, params: PromoteParams
) -> list[str]:
    """Where the challenger's losses are surely worse than the champion's, overall first; empty if nowhere."""
    weights = metrics.draws(len(new), params.resamples, params.seed)
    reasons = []
    parts = [("", np.arange(len(new)))]
    parts += [
        (f" where {column} is {value}", places)
        for column, value, places in slices.find(problem.contract, rows, params.slice_rows)
    ]
    doubt = 1 - params.confidence
    for where, places in parts:
        # many slices are asked at once, so each must be surer (Bonferroni)
        level = doubt if not where else doubt / max(len(parts) - 1, 1)
        if _worse(new[places], old[places], weights[:, places], level, params.tolerance):
            was, now = (_shown(part[places], task) for part in (old, new))
            reasons.append(f"worse{where}: {metrics.LOSS_NAMES[task]} {now} instead of {was} on {len(places):,} rows")
    return reasons


def _worse(new: np.ndarray, old: np.ndarray, weights: np.ndarray, level: float, tolerance: float) -> bool:
    """Whether the mean loss has risen by more than the tolerance, in all but a share `level` of the resamples."""
    rise = metrics.means_of((new - (1 + tolerance) * old)[:, None], weights)
    return bool(len(rise) and np.quantile(rise, level) > 0)


def _better(new: np.ndarray, old: np.ndarray, task: str) -> str:
    if not len(new):
        return "the champion refuses every row of today's test"
    now, was = (_shown(losses, task) for losses in (new, old))
    return f"not worse overall or on any slice: {metrics.LOSS_NAMES[task]} {now}, the champion's {was}"


def _shown(losses: np.ndarray, task: str) -> str:
    mean = float(losses.mean())
    return f"{np.sqrt(mean) if task == 'regression' else mean:.4g}"
