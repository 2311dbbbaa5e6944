"""What the page shows, as HTML: templates filled with values, all of which are escaped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from ui import classes, explaining, many, texts, watching, whatif
from ui.charts import Axis, bars_axis, curve_axes
from ui.described import Column, Model, Row
from ui.explaining import Scale, Story
from ui.watched import Verdict

MOST_CROSSED = 10
"""The confusion matrix of more classes is folded."""
_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("ui"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "number": texts.number,
    "percent": texts.percent,
    "holds": texts.of_column,
    "place": lambda share: f"{100 * share:.2f}%",
}
_templates.globals |= {"shares": classes.shares, "set_in_words": classes.set_in_words}


def _filled(template: str, **values: Any) -> str:
    return _templates.get_template(f"{template}.html.jinja").render(values)


def login(problem: str) -> str:
    """A whole page that asks for a name and a password, with the reason why the last ones were not taken."""
    return _filled("login", problem=problem)


def log_out() -> str:
    """A button that ends a session."""
    return _filled("log_out")


def heading(model: Model) -> str:
    """The heading of the page."""
    return _filled("heading", model=model)


def problem(sentence: str, errors: Iterable[Mapping[str, Any]] = ()) -> str:
    """The reason why there is no answer; `errors` are those that no field shows."""
    return _filled("problem", sentence=sentence, errors=list(errors))


def hint(sentence: str) -> str:
    """A hint what to do next."""
    return _filled("hint", sentence=sentence)


def field_errors(errors: Sequence[Mapping[str, Any]]) -> str:
    """The service's errors for the value of one field."""
    return _filled("field_errors", errors=errors)


def answer(model: Model, prediction: Mapping[str, Any], version: str, seconds: float) -> str:
    """One prediction with its details."""
    return _filled("answer", model=model, said=prediction, version=version, milliseconds=1000 * seconds)


def why(model: Model, row: Row, explanation: Mapping[str, Any]) -> str:
    """One explanation: a sentence, and the way from the base value to the prediction."""
    story = explaining.why(model, row, explanation)
    return _filled(
        "why",
        row=_described(model, row),
        said={"warnings": None, **explanation},
        sentence=explaining.sentence(model, story),
        **_waterfall(model, story),
    )


def compare(
    model: Model, rows: tuple[Row, Row], predictions: Sequence[Any], explanations: tuple[dict[str, Any], dict[str, Any]]
) -> str:
    """Two rows side by side, and the way from the prediction of the first to that of the second."""
    of = classes.subject(predictions[1])
    first_why, second_why = (explaining.of_class(explanation, of) for explanation in explanations)
    story = explaining.between(model, rows, (first_why, second_why))
    first, second = rows
    pairs = [
        (
            column.title,
            *(texts.of_column(column, row[column.name]) for row in rows),
            first[column.name] != second[column.name],
        )
        for column in model.inputs
    ]
    return _filled("compare", pairs=pairs, model=model, predictions=predictions, **_waterfall(model, story))


def what_if(model: Model, column: Column, row: Row, points: Sequence[whatif.Point]) -> str:
    """The answers to one row with different values in a column."""
    good = [point for point in points if point.answer is not None]
    if not good:
        return problem(f"None of the values of {column.title} got an answer.")
    now = next((point.answer for point in good if point.value == row[column.name]), None) or {}
    shown = explaining.scale(model, now or good[0].answer or {})
    outcomes = [_outcome(column, point, shown, row) for point in good]
    missing = [outcome for outcome in outcomes if outcome.missing]
    on_line = [outcome for outcome in outcomes if not outcome.missing]
    values: dict[str, Any] = {"column": column, "scale": shown, "target": model.target, "missing": missing}
    values["predicted"] = shown.of is not None and now.get("prediction") == shown.of
    if not whatif.curved(column) or not on_line:
        return _filled("bars", outcomes=outcomes, axis=bars_axis(outcomes), **values)
    x, y = curve_axes(on_line, lambda at: texts.of_column(column, whatif.value_at(column, at)), shown)
    return _filled("curve", outcomes=on_line, x=x, y=y, **values)


@dataclass(frozen=True)
class Outcome:
    """One point of a curve, or one bar: the prediction and its interval."""

    text: str
    at: float
    value: float
    low: float | None
    high: float | None
    now: bool
    missing: bool


def _outcome(column: Column, point: whatif.Point, shown: Scale, row: Row) -> Outcome:
    prediction = point.answer or {}
    interval = prediction.get("interval") or {}
    value = prediction["prediction"] if shown.of is None else prediction["probabilities"][shown.of]
    return Outcome(
        texts.of_column(column, point.value),
        point.at,
        value,
        interval.get("low"),
        interval.get("high"),
        point.value == row[column.name],
        point.value is None and whatif.curved(column),
    )


def _waterfall(model: Model, story: Story) -> dict[str, Any]:
    """The values for the waterfall's template."""
    reached = [story.start, *(step.after for step in story.steps)]
    return {"story": story, "scale": story.scale, "axis": Axis.over(reached), "target": model.target}


def _described(model: Model, row: Row) -> list[tuple[str, str]]:
    return [(column.title, texts.of_column(column, row[column.name])) for column in model.inputs]


def progress(done: int, rows: int) -> str:
    """The progress of a table; `rows` is 0 while their number is unknown."""
    return _filled("progress", done=done, rows=rows)


def columns(model: Model) -> str:
    """The columns that a table must have."""
    return _filled("columns", model=model)


def preview(model: Model, outcome: many.Outcome) -> str:
    """The result of a table: counts, the first answers, the first errors."""
    return _filled("preview", model=model, outcome=outcome)


def description(model: Model) -> str:
    """The description of a model: its metrics, the importance of its columns, and its lineage."""
    metrics = model.metrics or {}
    importance = metrics.get("importance") or {}
    return _filled(
        "model",
        model=model,
        metrics=metrics,
        scores=metrics.get("scores") or {},
        importance=importance,
        most_crossed=MOST_CROSSED,
        chain=_chain(model),
    )


def watch(model: Model, verdict: Verdict) -> str:
    """The last verdict on a model: its sentence, what it rests on, and the days before it."""
    return _filled(
        "watch",
        model=model,
        verdict=verdict,
        words=watching.WORDS,
        traffic=watching.traffic(verdict),
        chart=watching.performance(verdict),
        bar=watching.bar,
    )


_LINKS = {
    "data_sha256": "table (sha256)",
    "data_source": "table from",
    "git_commit": "code (git commit)",
    "mlflow_run_id": "training run (MLflow)",
    "registry_version": "version in the registry",
    "model": "model",
    "bento": "Bento",
    "image": "image",
}


def _chain(model: Model) -> list[tuple[str, str]]:
    """The lineage from the data to the running image, as far as the service reports it."""
    return [(title, str(model.lineage[link])) for link, title in _LINKS.items() if model.lineage.get(link)]
