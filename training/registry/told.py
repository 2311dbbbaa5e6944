"""What MLflow's own pages say of a model and of its versions, in Markdown: the story without any tool of ours.

Nothing of it enters a bundle, so that its version stays what decides the answers alone.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from model import bundle, standing
from model.bundle import Manifest
from model.metrics import Metrics, Score
from model.standing import HEADS
from problems.base import Problem
from training.data import copies, tables
from training.data.source import SIMULATED
from training.evaluation import report
from training.evaluation.card import table, text
from training.learning import tasks
from training.registry.promote import Decision
from training.workspace import Workspace, read_json
from validation.contract import Kind

LONGEST = 5_000
"""MLflow's database has no room for longer descriptions."""
PAGE = "BOXWOOD_UI"
"""The setting of the service that says where the page is; a port alone is of no use to readers elsewhere."""
_NOTE = "mlflow.note.content"
"""The tag in which MLflow keeps the description of a run."""
_SHORT = 12
"""So many digits of a hash tell it from others."""


def _public(origin: str) -> str:
    """Where data comes from, as callers of the service may know it: a URL, or a file's name without its folders."""
    return origin if "://" in origin else Path(origin).name


def data_source(source: Mapping[str, Any]) -> str:
    """The same, and what was trained how where it was no machine alone."""
    cluster = source.get("cluster")
    how = f" ({cluster['rows']:,} rows in {cluster['partitions']:,} partitions, on Dask)" if cluster else ""
    return _public(source["origin"]) + how


def tell(
    client: MlflowClient, problem: Problem, workspace: Workspace, version: ModelVersion, decision: Decision
) -> None:
    """Describe a version, its run and its model, once it is decided what becomes of the version."""
    run = client.get_run(version.run_id)
    description = of_version(problem, workspace, run, decision, str(version.version))
    client.update_model_version(version.name, version.version, description)
    client.set_tag(run.info.run_id, _NOTE, description)
    client.update_registered_model(problem.name, of_model(problem, bundle.read_manifest(workspace.bundle)))
    for name, value in tags(problem, report.read(workspace)).items():
        client.set_registered_model_tag(problem.name, name, value)


def of_model(problem: Problem, manifest: Manifest) -> str:
    """The description of a registered model."""
    parts = [
        f"# {text(problem.title)}",
        _what(problem, manifest),
        "The alias `champion` names the version that is served, and `challenger` the newest one that was refused "
        "since. Each version's description says what it learned from, how good it is, and why it was promoted or "
        "refused.",
        *_page(problem),
    ]
    return "\n\n".join(parts)


def of_version(problem: Problem, workspace: Workspace, run: Run, decision: Decision, number: str) -> str:
    """The description of a version: as much of it as MLflow has room for, in whole lines.

    Args:
        problem: what is predicted.
        workspace: where the bundle lies, and what was found of it.
        run: what it was registered from.
        decision: whether it becomes champion.
        number: of the version.
    """
    manifest, metrics = bundle.read_manifest(workspace.bundle), report.read(workspace)
    source = read_json(workspace.source)
    parts = [
        f"# {text(problem.title)}, version {number}",
        *_verdict(problem, metrics, decision, number),
        _what(problem, manifest),
        *_quality(metrics),
        "## Data and gates",
        _data(problem, workspace, source),
        _gates(metrics, decision),
        *_places(problem, manifest, run),
    ]
    return shortened("\n\n".join(parts))


def shortened(whole: str) -> str:
    """As much of a text as a description may hold, in whole lines."""
    if len(whole) <= LONGEST:
        return whole
    rest = "\n\n… the rest is in card.md, among the artifacts of the run."
    return whole[: LONGEST - len(rest)].rpartition("\n")[0] + rest


def tags(problem: Problem, metrics: Metrics) -> dict[str, str]:
    """What a model is, for the search of MLflow's page."""
    named = {"problem": problem.name, "target": problem.contract.target.name, "task": metrics.task}
    return named | ({"unit": metrics.unit} if metrics.unit else {})


def log_figures(metrics: Metrics, model_id: str) -> None:
    """Log the evaluation with the run and with its model, and the units of metrics, which MLflow has no place for.

    A metric is called `<predictor>.<metric>`, and the ends of its 95 % interval `<predictor>.<metric>.low` and `.high`.
    """
    scores = {f"{who}.{name}": score for who, by_metric in metrics.scores.items() for name, score in by_metric.items()}
    if metrics.interval:
        scores["model.interval_coverage"] = metrics.interval.covered
    if metrics.sets:
        scores["model.set_coverage"] = metrics.sets.covered
    figures = {name: value for key, score in scores.items() for name, value in _ends(key, score)}
    mlflow.log_metrics(figures, model_id=model_id)
    units = {f"unit.{name}": standing.unit(metrics, name) for name in metrics.scores[standing.MODEL]}
    mlflow.set_tags({name: unit for name, unit in units.items() if unit})


def _ends(name: str, score: Score) -> Iterator[tuple[str, float]]:
    values = ((name, score.value), (f"{name}.low", score.low), (f"{name}.high", score.high))
    return ((key, value) for key, value in values if value is not None)


def _verdict(problem: Problem, metrics: Metrics, decision: Decision, number: str) -> Iterator[str]:
    compared = f", compared with version {decision.compared_with}" if decision.compared_with else ""
    fate = "**Promoted to champion**" if decision.promoted else "**Refused**"
    yield f"{fate} when it was registered{compared}; the aliases say what has become of it since."
    yield "\n".join(f"- {text(reason)}" for reason in decision.reasons) or f"- version {number} has no stated reason"
    if not decision.promoted:
        yield f"To have it served all the same: `make promote PROBLEM={problem.name}@{number}`."


def _what(problem: Problem, manifest: Manifest) -> str:
    target, outcome = problem.contract.target, manifest.outcome
    meaning = f" ({text(target.help)})" if target.help else ""
    what = text(tasks.of_outcome(outcome).what(outcome, target.answer_unit or ""))
    return f"Predicts `{target.name}`{meaning}: {what}."


def _quality(metrics: Metrics) -> Iterator[str]:
    yield "## How good it is"
    yield text(standing.sentence(metrics))
    names = [name for name in HEADS if name in metrics.scores[standing.MODEL]]
    rows = [
        [
            _head(metrics, name),
            *(report.cell(scores[name]) if name in scores else "-" for scores in metrics.scores.values()),
        ]
        for name in names
    ]
    yield "With 95 % bootstrap intervals:"
    yield table(["", *(text(who) for who in metrics.scores)], rows)
    if remarks := report.remarks(metrics):
        yield "\n".join(f"- {text(remark)}" for remark in remarks)


def _head(metrics: Metrics, name: str) -> str:
    unit = standing.unit(metrics, name)
    mark = " (compared by)" if name == standing.loss(metrics) else ""
    return f"{HEADS[name]}{f', {text(unit)}' if unit else ''}{mark}"


def _data(problem: Problem, workspace: Workspace, source: Mapping[str, Any]) -> str:
    origin = "a **simulated** table" if source["origin"] == SIMULATED else text(data_source(source))
    time = problem.contract.time
    dates = ""
    if time is not None and "cluster" not in source:  # whose rows are not here
        seen = tables.read(workspace.silver)[time.name]
        day = "%Y-%m-%d" if time.kind is Kind.DATE else "%Y-%m-%d %H:%M"
        dates = f", `{time.name}` from {seen.min().strftime(day)} to {seen.max().strftime(day)}"
    rows = sum(report.read(workspace).splits.values())
    return f"From {origin}: {rows:,} rows{dates}, sha256 `{source['sha256'][:_SHORT]}`."


def _gates(metrics: Metrics, decision: Decision) -> str:
    splits = ", ".join(f"{rows:,} for {name}" for name, rows in metrics.splits.items())
    results = [
        ("contract", f"{sum(metrics.splits.values()):,} rows satisfy it, {metrics.quarantined:,} are in quarantine"),
        ("split", splits),
        ("copies", copies.told(metrics.duplicates) if metrics.duplicates.rows else "no rows are equal to others"),
        ("test rows that the model refuses", f"{metrics.refused:,}"),
        ("suspicions", "; ".join(metrics.suspicions) or "none"),
        ("promotion", "passed" if decision.promoted else "refused, for the reasons above"),
    ]
    return table(["gate", "result"], [(name, text(result)) for name, result in results], names=2)


def _places(problem: Problem, manifest: Manifest, run: Run) -> Iterator[str]:
    yield "## Where it is from"
    commit = run.data.tags.get("git_commit")
    made = f"git commit `{commit}`" if commit else "no git clone"
    yield f"Bundle `{manifest.version}`, {made}, MLflow run `{run.info.run_id}`."
    artifacts = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"
    yield f"Among the run's artifacts are the whole model card, [card.html]({artifacts}/card.html), and `plots`."
    yield from _page(problem)


def _page(problem: Problem) -> Iterator[str]:
    """Where people ask the model, if this machine was told."""
    page = os.environ.get(PAGE, "")
    if "://" in page:
        yield f"[Ask it]({page.rstrip('/')}/?model={problem.name}) on its page."
