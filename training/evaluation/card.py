"""The model card (Mitchell et al., "Model Cards for Model Reporting", 2019), as Markdown and as a page.

Everything in it comes from the manifest, the metrics and the lineage; nothing is written by hand. Values are escaped:
a category may be called anything.
"""

import base64
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from model import standing
from model.bundle import CARDS, Lineage, Manifest
from model.metrics import ClassReport, Metrics, Score, Slice
from model.standing import HEADS
from problems.base import Problem
from training.data import copies
from training.data.beside import LABELLED
from training.data.source import SIMULATED
from training.evaluation import columns, page, report
from training.learning import tasks
from training.workspace import counted
from validation.contract import Contract, Unseen

_MARKS = re.compile(r"([\\`*_\[\]<>#|~&$])")
_DEPENDENCE = "dependence-"
_MOST_CLASSES = 10
"""The most classes of a whole confusion matrix, and the most lines of confusions where there are more classes."""
TABLE = "eda.html"
"""The page on the table, beside the card among the artifacts of MLflow's run, see `training.exploring`."""
PICTURES = {
    "agreement": "Actual against predicted values of the test rows, with the intervals as a band",
    "residuals": "Errors of the test rows over the predictions, with the intervals as a band",
    "reliability": "Share of the positive or most probable class over its probability, before and after calibration",
    "summary": "What each column contributes to each answer, the most important columns first",
    _DEPENDENCE: "What {} contributes, over its values",
    "case-best": "How the answer with the least loss comes about",
    "case-median": "How the answer with the median loss comes about",
    "case-worst": "How the answer with the greatest loss comes about",
}
"""Texts for the files of the plots' folder, in the order of the card."""


def documents(
    problem: Problem,
    manifest: Manifest,
    metrics: Metrics,
    source: dict[str, Any],
    lineage: Lineage,
    decision: dict[str, Any] | None,
    plots: Path,
) -> dict[str, bytes]:
    """The card by the names of its files: card.md without pictures, card.html with them.

    Args:
        problem: what is predicted.
        manifest: of the bundle.
        metrics: what the evaluation found.
        source: what the raw table is.
        lineage: what the bundle will be sealed with.
        decision: whether the model is promoted, "reasons" and "compared_with"; None before there is a decision.
        plots: the folder of pictures.
    """
    before = [*_head(problem, manifest, source), *_data(problem, metrics, source, lineage), *_quality(metrics)]
    before += [
        *_outcome(metrics),
        *_slices(metrics, tasks.of_outcome(manifest.outcome).main_metrics),
        *_importance(metrics),
    ]
    after = list(_limits(problem.contract, manifest, source))
    after += [*(_promotion(decision) if decision else []), *_lineage(manifest, lineage)]
    markdown = "\n\n".join([*before, *after, ""])
    html = page.rendered(f"Model card: {problem.title}", "\n\n".join([*before, *_pictures(plots), *after]))
    return dict(zip(CARDS, (markdown.encode(), html.encode()), strict=True))


def text(value: object) -> str:
    """Any value as one line of Markdown that shows it as it is, in tables too."""
    return _MARKS.sub(r"\\\1", " ".join(str(value).split()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A table whose first `names` columns are texts, and whose others are numbers."""
    rule = ["---" if place < names else "---:" for place in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _head(problem: Problem, manifest: Manifest, source: dict[str, Any]) -> Iterator[str]:
    target, outcome = problem.contract.target, manifest.outcome
    yield f"# {text(problem.title)}"
    what = text(tasks.of_outcome(outcome).what(outcome, target.answer_unit or ""))
    meaning = f" ({text(target.help)})" if target.help else ""
    yield (
        f"Model `{manifest.problem}`, version `{manifest.version}`: gradient boosted trees (LightGBM) "
        f"that predict `{target.name}`{meaning}: {what}. Every answer has SHAP values that add up to it."
    )
    if source["origin"] == SIMULATED:
        yield (
            "> **Simulated data.** The table was made by a program, not observed. "
            "What this card says holds for that simulation and for nothing else."
        )


def _data(problem: Problem, metrics: Metrics, source: dict[str, Any], lineage: Lineage) -> Iterator[str]:
    yield "## Data"
    newer = source.get(LABELLED)
    beside = f" and {counted(newer['rows'], 'answered row')} whose true values came later" if newer else ""
    yield f"From {text(lineage.data_source)}{beside}, sha256 `{lineage.data_sha256}`."
    splits = [(name, f"{rows:,}") for name, rows in metrics.splits.items()]
    splits.append(("quarantined: broke the contract", f"{metrics.quarantined:,}"))
    splits.append(("refused: test rows without an answer", f"{metrics.refused:,}"))
    yield table(("rows for", "rows"), splits)
    time = problem.contract.time
    if newer:
        yield (
            "The test is the latest of the answered rows, before it come those of calibration and validation. "
            + ("Rows of the table lie between them in time." if time else "All rows of the table are learned from.")
        )
    else:
        yield "The splits follow each other in time." if time else "The splits are drawn at random."
    if metrics.duplicates.rows:
        yield f"{copies.told(metrics.duplicates)}."
    if "cluster" not in source:  # whose table no single machine has
        yield (
            f"The table itself, its distributions, splits and quarantine, is shown by `{TABLE}` beside this card in "
            f"MLflow; `make eda PROBLEM={problem.name}` makes that page anew."
        )
    escaped = tuple(
        dataclasses.replace(
            column,
            source=column.source.replace("|", "\\|"),
            unit=column.unit and text(column.unit),
            help=text(column.help),
            choices=column.choices and tuple(text(name) for name in column.choices),
        )
        for column in problem.contract.columns
    )
    yield columns.table(dataclasses.replace(problem, contract=Contract(escaped)))


def _quality(metrics: Metrics) -> Iterator[str]:
    yield "## How good it is"
    unit = f", errors in {text(metrics.unit)}" if metrics.unit else ""
    yield (
        f"On {metrics.rows:,} test rows that taught nothing{unit}, "
        "beside predictors that need less; 95 % bootstrap intervals:"
    )
    heads = [name for name in HEADS if name in metrics.scores["model"]]
    rows = [[text(who), *(report.cell(scores[name]) for name in heads)] for who, scores in metrics.scores.items()]
    yield table(["", *(HEADS[name] for name in heads)], rows)
    yield f"Models are compared by {HEADS[str(metrics.loss['name'])]}, which is what this one was trained on."
    if metrics.beats_lookup:
        yield "The model beats a lookup of group means."
    remarks = report.remarks(metrics)
    if remarks:
        yield "\n".join(f"- {text(remark)}" for remark in remarks)


def _outcome(metrics: Metrics) -> Iterator[str]:
    if interval := metrics.interval:
        yield "## Intervals"
        width = text(f"{interval.mean_width:,.4g}{standing.after(metrics.unit)}")
        yield f"On average they are {width} wide. The slices say what they cover."
    if decision := metrics.decision:
        yield "## Probabilities and decision"
        names = ("brier", "ece")
        both = (("before", decision.before), ("after", decision.after))
        rows = [(f"{when} calibration", *(report.cell(scores[name]) for name in names)) for when, scores in both]
        yield table(("", *(HEADS[name] for name in names)), rows)
        negative, positive = (text(name) for name in decision.classes)
        threshold = decision.threshold
        yield (
            f"{positive} is answered from a probability of {threshold:.3g}, which costs least where answering "
            f"{negative} to a {positive} costs {(1 - threshold) / threshold:.3g} times as much as the reverse. So:"
        )
        rates = {"accuracy": decision.accuracy, "recall": decision.recall, "precision": decision.precision}
        yield table(list(rates), [["-" if score is None else report.cell(score) for score in rates.values()]], names=0)
    if metrics.classes:
        yield from _classes(metrics.classes)
    if sets := metrics.sets:
        yield "## Prediction sets"
        yield (
            f"A set has the classes that a row may be of. {sets.mean_size:.3g} on average, one in {sets.single:.1%} of "
            "the sets. The slices say what they cover."
        )
    if folds := metrics.cross_validation:
        yield "## Cross-validation"
        if folds.in_time:
            yield (
                f"{folds.folds} stretches of `{folds.in_time}`, each judged by a model of the rows before it "
                "(expanding windows)."
            )
        else:
            yield f"{folds.folds} folds, each judged by a model that did not see it."
        heads = list(folds.scores)
        yield table([HEADS[name] for name in heads], [[report.cell(folds.scores[n]) for n in heads]], names=0)
        each = ", ".join(f"{area:.4f}" for area in folds.roc_auc_of_folds)
        yield f"ROC AUC of the folds: {each}; mean {folds.mean_roc_auc:.4f}."


def _classes(found: ClassReport) -> Iterator[str]:
    yield "## Probabilities and classes"
    names = ("log_loss", "ece")
    both = (("before", found.before), ("after", found.after))
    rows = [(f"{when} calibration", *(report.cell(scores[name]) for name in names)) for when, scores in both]
    yield table(("", *(HEADS[name] for name in names)), rows)
    yield f"{report.cell(found.accuracy)} of the answers are right. Test rows of each class, and what was answered:"
    labels = [text(name) for name in found.classes]
    if len(labels) <= _MOST_CLASSES:
        counts = [
            [f"{name}", *(f"{count:,}" for count in row)] for name, row in zip(labels, found.confusion, strict=True)
        ]
        yield table(["is (down), answered (across)", *labels], counts)
        return
    wrong = [
        (count, right, answered)
        for right, row in zip(labels, found.confusion, strict=True)
        for answered, count in zip(labels, row, strict=True)
        if right != answered and count
    ]
    most = sorted(wrong, key=lambda pair: -pair[0])[:_MOST_CLASSES]
    yield table(
        ["is", "answered", "rows"], [(right, answered, f"{count:,}") for count, right, answered in most], names=2
    )


def _slices(metrics: Metrics, main: Sequence[str]) -> Iterator[str]:
    slices = metrics.slices
    if not slices:
        return
    yield "## Slices"
    yield "Parts of the test rows, judged by themselves:"
    heads = [*main, *(["covered"] if slices[0].covered else [])]
    rows = [
        [f"`{part.column}`", text(part.value), f"{part.rows:,}", *(report.cell(score) for score in _judged(part, main))]
        for part in slices
    ]
    yield table(["column", "value", "rows", *(HEADS.get(name, name) for name in heads)], rows, names=2)
    for what, stated in (("Intervals", metrics.interval), ("Prediction sets", metrics.sets)):
        missed = [
            f"`{part.column}` {text(part.value)}"
            for part in slices
            if stated and part.covered and part.covered.high is not None and part.covered.high < stated.coverage
        ]
        if stated and missed:
            yield f"{what} cover less than the {stated.coverage:.0%} they should in: {', '.join(missed)}."


def _judged(part: Slice, main: Sequence[str]) -> list[Score]:
    """The main scores of a slice, and what its intervals or sets cover."""
    return [*(part.scores[name] for name in main), *([part.covered] if part.covered else [])]


def _importance(metrics: Metrics) -> Iterator[str]:
    importance = metrics.importance
    yield "## What it looks at"
    yield (
        f"By how much each column moves an answer up or down, in {text(metrics.unit or importance.space)}: "
        f"the mean size of its SHAP values over {importance.rows:,} test rows."
    )
    rows = [(f"`{name}`", f"{size:.4g}") for name, size in importance.columns.items()]
    yield table(("column", "mean size"), rows)


def _pictures(plots: Path) -> Iterator[str]:
    names = [path.stem for path in sorted(plots.glob("*.png"))]
    if names:
        yield "## Pictures"
    for kind, caption in PICTURES.items():
        for name in names:
            if name == kind or (kind == _DEPENDENCE and name.startswith(kind)):
                encoded = base64.b64encode((plots / f"{name}.png").read_bytes()).decode()
                alternative = text(caption.format(name.removeprefix(_DEPENDENCE)))
                yield f"{alternative}:\n\n![{alternative}](data:image/png;base64,{encoded})"


def _limits(contract: Contract, manifest: Manifest, source: dict[str, Any]) -> Iterator[str]:
    yield "## Limits"
    limits = list(tasks.of_outcome(manifest.outcome).limits(manifest.outcome))
    unseens = {c.name: c.when_unseen(len(manifest.fitted.vocabularies.get(c.name, ()))) for c in contract.categories}
    for unseen, what in (
        (Unseen.REJECT, "refused"),
        (Unseen.WARN, "answered as if the value were missing, with a warning"),
    ):
        if names := [f"`{column.name}`" for column in contract.categories if unseens[column.name] is unseen]:
            limits.append(f"A row with a value of {', '.join(names)} that the model does not know is {what}.")
    limits.append("SHAP values say what the model does with a column, not what causes the target.")
    if source["origin"] == SIMULATED:
        limits.append("The data is simulated: nothing here speaks about a real market, real people or real prices.")
    yield "\n".join(f"- {limit}" for limit in limits)


def _promotion(decision: dict[str, Any]) -> Iterator[str]:
    yield "## Promotion"
    verdict = "promoted to champion" if decision["promoted"] else "refused"
    comparison = f", compared with version {text(decision['compared_with'])}" if decision["compared_with"] else ""
    yield f"When it was registered it was {verdict}{comparison}. The registry says what has become of it since."
    if decision["reasons"]:
        yield "\n".join(f"- {text(reason)}" for reason in decision["reasons"])


def _lineage(manifest: Manifest, lineage: Lineage) -> Iterator[str]:
    yield "## Lineage"
    facts = {
        "bundle": f"`{manifest.version}`, format {manifest.format}",
        "contract": f"`{manifest.contract_hash}`",
        "data": f"`{lineage.data_sha256}`",
        "git commit": f"`{lineage.git_commit}`" if lineage.git_commit else "none: not in a git clone",
        "MLflow run": f"`{lineage.mlflow_run_id}`",
        "libraries": ", ".join(f"{text(name)} {text(version)}" for name, version in lineage.libraries.items()),
    }
    yield table(("", ""), list(facts.items()), names=2)
