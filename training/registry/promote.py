"""Whether a challenger becomes champion: both asked for one holdout, overall and on every slice."""

import math
from typing import Annotated

import msgspec
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from model.loss import Loss
from model.metrics import Metrics
from problems.base import Problem
from training.evaluation import report, slices
from training.learning import metrics
from training.registry.champion import Best
from training.registry.rivals import Holdout, Rival
from training.workspace import Seed, Workspace
from validation.contract import Contract
from validation.errors import StoreError

_MOST_BREAKING = 5
_MOST_MOVED = 0.1
"""The share of rows that may change their class with the bounds of a target that is cut into bins."""


class PromoteParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sure a verdict must be, and what counts as worse.

    `tolerance` is the relative rise of the mean loss that is let pass, above the champion's and above that of the best
    champion so far; `slice_rows` the fewest rows of a slice; `fewest_rows` the fewest that both models answer and
    neither learned from (or half of the test rows, where that is less).
    """

    resamples: Annotated[int, msgspec.Meta(ge=100)] = 1_000
    seed: Seed = 1
    confidence: Annotated[float, msgspec.Meta(gt=0.5, lt=1)] = 0.95
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.02
    slice_rows: Annotated[int, msgspec.Meta(ge=2)] = 200
    fewest_rows: Annotated[int, msgspec.Meta(ge=1)] = 100


class Decision(msgspec.Struct, frozen=True):
    """Whether a version becomes champion, and why.

    Attributes:
        promoted: whether it does.
        reasons: a sentence each.
        compared_with: the champion's version, if it was compared with one.
        best: the version of the champion with the least loss so far; None if it is this one.
        above_best: its mean loss divided by that of the best, on the same rows; 1 if it is the best.
    """

    promoted: bool
    reasons: list[str]
    compared_with: str | None = None
    best: str | None = None
    above_best: float = 1.0


def decide(problem: Problem, workspace: Workspace, current: ModelVersion | None, best: Best | None = None) -> Decision:
    """Compare what was evaluated last with the champion, on the rows of its test split.

    Args:
        problem: whose model it is.
        workspace: where silver, split and evaluation of the challenger lie.
        current: the champion, if there is one.
        best: the best champion so far, if that is another.
    """
    if current is None:
        return _first(report.read(workspace))
    holdout = Holdout(problem, workspace)
    decision = _against(holdout, current, best, workspace.params("promote", PromoteParams))
    if decision.promoted:
        return decision
    return msgspec.structs.replace(decision, reasons=[*holdout.changed_since(current), *decision.reasons])


def _against(holdout: Holdout, current: ModelVersion, best: Best | None, params: PromoteParams) -> Decision:
    """The decision where there is a champion."""
    try:
        rival = holdout.hear(current)
    except StoreError as error:
        return Decision(False, [f"it cannot be compared with the champion: {error}"])
    best = best or Best(rival.number)
    reasons = _objections(holdout, rival, params)
    both = _comparable(holdout, rival)
    if too_few := _too_few(holdout, both, rival, params):
        return Decision(False, [*reasons, too_few], rival.number)
    reasons += _useless(holdout, params)
    new, old = holdout.losses(holdout.model, both), holdout.losses(rival.values, both, rival.actual)
    reasons += refusals(holdout.contract, holdout.test[both], new, old, holdout.loss, params)
    times, worse = _above_best(holdout, both, ratio(new, old), best, params)
    reasons += worse
    if reasons:
        return Decision(False, reasons, rival.number)
    moved = [f"{rival.moved:.1%} of the test rows are of another class by its bounds"] if rival.moved else []
    reasons = [_better(new, old, holdout.loss, params), *moved, *_forgotten(rival)]
    return Decision(True, reasons, rival.number, *((best.number, times) if times > 1 else ()))


def _objections(holdout: Holdout, rival: Rival, params: PromoteParams) -> list[str]:
    """Objections to a challenger apart from its loss: the callers and the rows that it would refuse."""
    reasons = []
    if rival.breaking:
        more = ", …" * (len(rival.breaking) > _MOST_BREAKING)
        broken = "; ".join(rival.breaking[:_MOST_BREAKING]) + more
        reasons.append(f"it would break callers of version {rival.number}: {broken}")
    if rival.moved > _MOST_MOVED:
        reasons.append(
            f"its classes mean other numbers: {rival.moved:.0%} of the test rows are of another class by the bounds of "
            f"version {rival.number}"
        )
    refused = int((~holdout.answers & rival.answers).sum())
    if refused > params.tolerance * len(holdout.test):
        reasons.append(f"it refuses {refused:,} of {len(holdout.test):,} test rows that version answers")
    return reasons


def _useless(holdout: Holdout, params: PromoteParams) -> list[str]:
    """The objection to a model that is no better than one answer for all labelled rows, however bad the champion is.

    True values that were joined to the wrong rows, or are chance, teach their mean: it would beat a champion that knows
    the world as it is.
    """
    if not holdout.labelled:
        return []
    model, one = (holdout.losses(values, holdout.answers) for values in (holdout.model, holdout.constant()))
    weights = metrics.draws(len(model), params.resamples, params.seed)
    if np.quantile(metrics.means_of((model - one)[:, None], weights), params.confidence) < 0:
        return []
    return [
        f"not surely better than one answer for all rows: {_pair(model, one, holdout.loss)} on {len(model):,} labelled "
        "rows; see whether the true values belong to these rows"
    ]


def _first(judged: Metrics) -> Decision:
    """The first model is compared with the lookup: whoever uses it should not be worse off than with that."""
    name = str(judged.loss["name"])
    model, lookup = (metrics.number(judged.scores[who][name]) for who in ("model", "lookup"))
    pair = f"{name} {model:.4g}, the lookup's is {lookup:.4g}"
    if judged.beats_lookup:
        return Decision(True, [f"there is no champion yet; it beats the lookup of group means ({pair})"])
    return Decision(False, [f"there is no champion yet; it does not beat the lookup of group means ({pair})"])


def _comparable(holdout: Holdout, rival: Rival) -> pd.Series:
    """Which test rows say which model is better: both answer them, and neither learned from them."""
    return holdout.answers & rival.answers & ~rival.learned


def _too_few(holdout: Holdout, both: pd.Series, rival: Rival, params: PromoteParams) -> str:
    """Why there are too few rows to compare the two on; empty if there are enough."""
    fewest = min(params.fewest_rows, math.ceil(len(both) / 2))
    if both.sum() >= fewest:
        return ""
    return (
        f"only {both.sum():,} of {len(both):,} test rows say whether it is better than version {rival.number}, and "
        f"{fewest:,} should: that version learned from {rival.learned.sum():,} of them and refuses "
        f"{(~rival.answers).sum():,}, this one refuses {(~holdout.answers).sum():,}"
    )


def ratio(new: np.ndarray, old: np.ndarray) -> float:
    """The mean of the new losses divided by the mean of the old ones; both of shape (rows,)."""
    if old.mean() > 0:
        return float(new.mean() / old.mean())
    return 1.0 if new.mean() == 0 else math.inf


def above(to_champion: float, champion_to_best: float, to_best: float | None) -> float:
    """A challenger's mean loss divided by that of the best champion so far.

    Args:
        to_champion: its mean loss divided by the champion's.
        champion_to_best: the champion's mean loss divided by the best one's, when the champion was promoted.
        to_best: its mean loss divided by the best one's on today's rows; None if the best cannot be asked.
    """
    return to_champion * champion_to_best if to_best is None else to_best


def _above_best(
    holdout: Holdout, both: pd.Series, to_champion: float, best: Best, params: PromoteParams
) -> tuple[float, list[str]]:
    """The challenger's mean loss divided by the best champion's, and the objections that follow from it.

    Many challengers, each within the tolerance of the one before it, would be a large step together.
    """
    to_best, comparison, obstacle = None, "", ""
    if best.version is not None:
        try:
            rival = holdout.hear(best.version)
            common = both & _comparable(holdout, rival)
            obstacle = _too_few(holdout, common, rival, params)
            if not obstacle:
                new, old = holdout.losses(holdout.model, common), holdout.losses(rival.values, common, rival.actual)
                to_best = ratio(new, old)
                comparison = f"{_pair(new, old, holdout.loss)} on {len(new):,} rows, "
        except StoreError as error:
            obstacle = str(error)
    times = above(to_champion, best.above, to_best)
    if times <= 1 + params.tolerance or (best.version is None and best.above == 1):
        return times, []  # where the champion is the best, it was compared already
    how = f", by what was recorded at each promotion since ({obstacle or 'it is deleted'})" if to_best is None else ""
    return times, [
        f"worse than version {best.number}, the best champion so far: {comparison}a mean loss {times - 1:.1%} above, "
        f"where {params.tolerance:.1%} is let pass{how}"
    ]


def refusals(
    contract: Contract, rows: pd.DataFrame, new: np.ndarray, old: np.ndarray, loss: Loss, params: PromoteParams
) -> list[str]:
    """Objections to a challenger by its losses, the overall one first; empty if there are none.

    Its mean loss must not be above the champion's by more than the tolerance. On a slice, where a mean says less, all
    but a share of the resamples must agree that it is; that share is divided among the slices (Bonferroni), and is one
    resample at least.

    Args:
        contract: which columns make slices.
        rows: the silver rows that both answered.
        new: the losses of the challenger on them, shape (rows,).
        old: those of the champion.
        loss: the loss that these are.
        params: how sure a verdict must be.
    """
    rise = (1 + params.tolerance) * old
    weights = metrics.draws(len(new), params.resamples, params.seed)
    reasons = []
    if new.mean() > rise.mean():
        reasons.append(f"worse: {_pair(new, old, loss)} on {len(new):,} rows, {_difference(new, old, weights, params)}")
    parts = list(slices.find(contract, rows, params.slice_rows))
    doubt = (1 - params.confidence) / max(len(parts), 1)
    for column, value, places in parts:
        worse = metrics.means_of((new - rise)[places, None], weights[:, places])
        if len(worse) and np.quantile(worse, doubt) > 0:
            pair = _pair(new[places], old[places], loss)
            reasons.append(f"worse where {column} is {value}: {pair} on {len(places):,} rows")
    return reasons


def _difference(new: np.ndarray, old: np.ndarray, weights: np.ndarray, params: PromoteParams) -> str:
    """By how much the mean loss differs, with its paired bootstrap interval, and whether that may be chance."""
    pairs = metrics.means_of(np.column_stack([new, old]), weights)
    rises = pairs[pairs[:, 1] > 0]
    if not len(rises):
        return "where the champion makes no error"
    rises = rises[:, 0] / rises[:, 1] - 1
    low, high = np.quantile(rises, ((1 - params.confidence) / 2, (1 + params.confidence) / 2))
    change = f"a mean loss {ratio(new, old) - 1:+.1%} ({params.confidence:.0%} interval {low:+.1%} to {high:+.1%})"
    return f"{change}: the difference is within chance" if low <= 0 <= high else change


def _pair(new: np.ndarray, old: np.ndarray, loss: Loss) -> str:
    return f"{loss.name} {loss.score(new.mean()):.4g} instead of {loss.score(old.mean()):.4g}"


def _better(new: np.ndarray, old: np.ndarray, loss: Loss, params: PromoteParams) -> str:
    weights = metrics.draws(len(new), params.resamples, params.seed)
    now, was = (f"{loss.score(losses.mean()):.4g}" for losses in (new, old))
    compared = "is below" if new.mean() < old.mean() else "is within the tolerance of"
    difference = _difference(new, old, weights, params)
    compared = f"{loss.name} {now} {compared} the champion's {was} on {len(new):,} rows"
    return f"{compared}, {difference}; no slice is surely worse"


def _forgotten(rival: Rival) -> list[str]:
    """What callers should know of a new champion that knows fewer names."""
    return [f"of what version {rival.number} knows, {name}" for name in rival.forgotten]
