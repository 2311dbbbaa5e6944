"""Metrics for a person: the table at the end of a run."""

from pathlib import Path

import msgspec

from model import bundle, standing
from model.metrics import CrossValidation, Metrics, Score
from model.standing import HEADS
from problems.base import Problem
from training.workspace import Workspace, counted, read_json
from validation.errors import StoreError

_MOST_REASONS = 2
_MANY_TURNED = 0.3
_MOST_OF_ALL, _MUCH_NOISE, _FEW_MISSES = 0.9, 0.2, 10


def main(problem: Problem, workspace: Workspace | None = None, *, decided: bool = False) -> None:
    """Print what the last evaluation found and, if it judged another model than is served, the figures of that one.

    Args:
        problem: whose model it is.
        workspace: where the results lie.
        decided: whether this run has said already why the model was promoted or refused.
    """
    workspace = workspace or Workspace(problem.name)
    metrics = read(workspace)
    print("\n".join([table(metrics), *_served(workspace, metrics.version, decided)]))


def read(workspace: Workspace) -> Metrics:
    """The metrics that the evaluation wrote; raises StoreError if another version of the code wrote them."""
    try:
        return msgspec.convert(read_json(workspace.metrics), Metrics)
    except msgspec.ValidationError as error:
        raise StoreError(f"{workspace.metrics} is not what this code writes ({error}); run `make train`.") from error


def _served(workspace: Workspace, judged: str, decided: bool) -> list[str]:
    """Lines on the served model if it is not the one that was judged; else none."""
    if not workspace.registered.exists() or not workspace.packaged.exists():
        return []
    tag, receipt = read_json(workspace.packaged)["tag"], read_json(workspace.registered)
    if not tag or tag.endswith(f":{judged}") or "registry_version" not in receipt:  # after an experiment
        return []
    number = f"Version {receipt['registry_version']}"
    if receipt["promoted"]:
        fate = [f"{number}, which the table is about, is not served any more."]
    elif decided:
        fate = [f"{number}, which the table is about, was REFUSED; the lines of `register:` above say why."]
    else:
        first, *others = decision_lines(
            receipt["reasons"], workspace.problem, receipt["registry_version"], receipt["champion"], promoted=False
        )
        fate = [f"{number}, which the table is about, was REFUSED: {first}", *(f"  {line}" for line in others)]
    return [*fate, f"What is served is {tag}, on the test rows of its own table:", table(_metrics(tag))]


def _metrics(tag: str) -> Metrics:
    """What the evaluation found of a packaged model."""
    import bentoml  # which takes a second to import, and most runs serve the model that they judged
    from bentoml.exceptions import NotFound

    try:
        folder = Path(bentoml.models.get(tag).path)
    except NotFound as error:
        raise StoreError(f"{tag} is to be served and is not in the model store; run `make train`.") from error
    metrics = bundle.read_manifest(folder).metrics
    if metrics is None:
        raise StoreError(f"{tag} was packaged without metrics; run `make train`.")
    return metrics


def decision_lines(
    reasons: list[str], problem: str, version: str, champion: str | None, *, promoted: bool
) -> list[str]:
    """A decision in a few lines: the first reasons, where to find the others, and how to overrule a refusal.

    Args:
        reasons: of the decision.
        problem: whose model it is.
        version: what was promoted or refused.
        champion: the version that goes on serving where this one was refused; None if there is none.
        promoted: whether it was.
    """
    more = len(reasons) - _MOST_REASONS
    rest = f"and {counted(more, 'more reason')}: `python -m training registry show {problem} {version}`"
    served = f"version {champion} goes on serving" if champion else "nothing is served"
    overruled = f"{served}; to have version {version} served all the same: `make promote PROBLEM={problem}@{version}`"
    return [*reasons[:_MOST_REASONS], *([rest] if more > 0 else []), *([] if promoted else [overruled])]


def table(metrics: Metrics) -> str:
    """Metrics as a text table with one line per predictor, and the remarks on them."""
    heads = [name for name in HEADS if name in metrics.scores["model"]]
    rows = [["", *(HEADS[name] for name in heads)]]
    for predictor, scores in metrics.scores.items():
        rows.append([predictor, *(cell(scores[name]) for name in heads)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    unit = f", errors in {metrics.unit}" if metrics.unit else ""
    title = f"{metrics.rows:,} test rows{unit}, 95 % bootstrap intervals"
    return "\n".join([title, *lines, *remarks(metrics)])


def _windows(folds: CrossValidation) -> str:
    return f" of later rows by `{folds.in_time}`" if folds.in_time else ""


def remarks(metrics: Metrics) -> list[str]:
    """Further findings for a person, one sentence each."""
    sentences = [f"Look into this first: {suspicion}" for suspicion in metrics.suspicions]
    if interval := metrics.interval:
        sentences.append(
            f"Intervals that should cover {interval.coverage:.0%} of the rows cover {cell(interval.covered)}."
        )
    if decision := metrics.decision:
        sentences.append(
            f"Calibration took the ECE from {cell(decision.before['ece'])} to {cell(decision.after['ece'])}; "
            f"{decision.classes[-1]!r} is answered from a probability of {decision.threshold:.3g}."
        )
    if report := metrics.classes:
        sentences.append(
            f"Calibration took the ECE of the most probable class from {cell(report.before['ece'])} to "
            f"{cell(report.after['ece'])}."
        )
        if report.turned:
            sentences.append(
                f"By the stated costs {report.turned:.1%} of the answers are not the most probable class"
                + (": look at the costs." if report.turned > _MANY_TURNED else ".")
            )
    if sets := metrics.sets:
        sentences.append(
            f"Prediction sets that should have the right class for {sets.coverage:.0%} of the rows have it for "
            f"{cell(sets.covered)}, with {sets.mean_size:.3g} classes on average."
        )
    if folds := metrics.cross_validation:
        sentences.append(
            f"In {folds.folds}-fold cross-validation{_windows(folds)}: mean ROC AUC {folds.mean_roc_auc:.4f}, "
            f"ECE {cell(folds.scores['ece'])}."
        )
    if not metrics.beats_lookup:
        sentences.append("The model does not beat a lookup of group means: use the lookup.")
    better = [name for name in standing.ahead(metrics) if name != "lookup"]
    if better:
        loss = HEADS.get(standing.loss(metrics), standing.loss(metrics))
        sentences.append(f"Better than the model by {loss}: {', '.join(better)}. Look into why before you rely on it.")
    return [*sentences, *weaknesses(metrics)]


def weaknesses(metrics: Metrics) -> list[str]:
    """Why a model may be weak, and what about it is worth a look, a sentence each."""
    found = []
    columns = metrics.importance.columns
    if len(columns) > 1 and sum(columns.values()) > 0:
        name, size = max(columns.items(), key=lambda column: column[1])
        share = size / sum(columns.values())
        if share > _MOST_OF_ALL:
            found.append(
                f"`{name}` moves answers nearly by itself ({share:.0%} of all contributions): make sure that callers "
                "know it when they ask, and that it does not follow from the target."
            )
    noise = metrics.duplicates.noise
    if noise is not None and noise > _MUCH_NOISE:
        found.append(
            f"Rows that are equal in every input differ in the target, by {noise:.0%} of its variance: no model of "
            "these columns explains that. Bring columns that tell them apart."
        )
    stated = metrics.interval or metrics.sets
    if stated is not None and stated.covered.high is not None and stated.covered.high < stated.coverage:
        found.append(
            f"{'Intervals' if metrics.interval else 'Prediction sets'} cover {stated.covered.value:.0%} of the test "
            f"rows, surely fewer than the {stated.coverage:.0%} that answers state: these rows may be of another kind "
            "than those that calibrated them."
        )
    if stated is not None and metrics.rows * (1 - stated.coverage) < _FEW_MISSES:
        found.append(
            f"{metrics.rows:,} test rows are few: the coverage that they show may be off by "
            f"{2 * (stated.coverage * (1 - stated.coverage) / metrics.rows) ** 0.5:.0%} by chance."
        )
    return found


def cell(score: Score) -> str:
    """A score as `value [low, high]`."""
    value, low, high = ("-" if number is None else f"{number:.4g}" for number in msgspec.structs.astuple(score))
    return f"{value} [{low}, {high}]"
