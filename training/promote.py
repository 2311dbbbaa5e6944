"""Whether a challenger becomes champion: both asked for one holdout, overall and on every slice."""

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
from validation.contract import Contract
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
    rows = (row for _, part in tables.in_parts(problem.contract, test) for row in part)
    by_hand = f"`python -m training registry promote {problem.name} VERSION` promotes it all the same"
    try:
        answers = champion.ask(best, rows)
    except StoreError as error:
        return Decision(False, [f"the champion, {error}, so nothing says that this is not worse; {by_hand}"])
    theirs = _numbers(answers, document).set_axis(test.index)
    if theirs.isna().all() and answers["prediction"].notna().any():
        return Decision(False, [f"version {best.version} predicts something else; {by_hand}"], str(best.version))
    params = workspace.params("promote", PromoteParams)
    evaluated = tables.read(workspace.evaluation).reindex(test.index)
    both = evaluated["model"].notna() & theirs.notna()
    loss, actual = metrics.LOSSES[document["task"]], evaluated.loc[both, ACTUAL].to_numpy()
    new, old = (loss(actual, values[both].to_numpy()) for values in (evaluated["model"], theirs))
    reasons = []
    refused = int((evaluated["model"].isna() & theirs.notna()).sum())
    if refused > params.tolerance * len(test):
        reasons.append(f"it refuses {refused:,} of {len(test):,} test rows that version answers")
    if len(new):
        reasons += refusals(problem.contract, test[both], new, old, document["task"], params)
    return Decision(not reasons, reasons or [_better(new, old, document["task"])], str(best.version))


def _numbers(answers: pd.DataFrame, document: dict[str, Any]) -> pd.Series:
    """The champion's predictions as the challenger's stand in the evaluation: values, or positive probabilities.

    Missing where it refused the row, and everywhere if it predicts something else.
    """
    column = "prediction"
    if document["task"] == "binary":
        column = f"probabilities.{document['decision']['classes'][1]}"
    values = answers.get(column, pd.Series(np.nan, index=answers.index))
    return pd.to_numeric(values, errors="coerce").astype("float64")


def refusals(
    contract: Contract, rows: pd.DataFrame, new: np.ndarray, old: np.ndarray, task: str, params: PromoteParams
) -> list[str]:
    """What speaks against a challenger, overall first; empty if nothing does.

    Its mean loss must not be above the champion's by more than the tolerance. On a slice, where a mean says less, all
    but a share of the resamples must agree that it is; that share is divided among the slices (Bonferroni), and is one
    resample at least.

    Args:
        contract: which columns make slices.
        rows: the silver rows that both answered.
        new: the losses of the challenger on them, shape (rows,).
        old: those of the champion.
        task: "regression" or "binary".
        params: how sure a verdict must be.
    """
    rise = (1 + params.tolerance) * old
    weights = metrics.draws(len(new), params.resamples, params.seed)
    parts = [("", np.arange(len(new)))] if new.mean() > rise.mean() else []
    found = list(slices.find(contract, rows, params.slice_rows))
    doubt = (1 - params.confidence) / max(len(found), 1)
    for column, value, places in found:
        worse = metrics.means_of((new - rise)[places, None], weights[:, places])
        if len(worse) and np.quantile(worse, doubt) > 0:
            parts.append((f" where {column} is {value}", places))
    return [
        f"worse{where}: {metrics.LOSS_NAMES[task]} {_shown(new[places], task)} instead of {_shown(old[places], task)} "
        f"on {len(places):,} rows"
        for where, places in parts
    ]


def _better(new: np.ndarray, old: np.ndarray, task: str) -> str:
    if not len(new):
        return "the champion refuses every row of today's test"
    now, was = (_shown(losses, task) for losses in (new, old))
    compared = "is below" if new.mean() < old.mean() else "is within the tolerance of"
    return f"{metrics.LOSS_NAMES[task]} {now} {compared} the champion's {was}, and no slice is surely worse"


def _shown(losses: np.ndarray, task: str) -> str:
    mean = float(losses.mean())
    return f"{np.sqrt(mean) if task == 'regression' else mean:.4g}"
