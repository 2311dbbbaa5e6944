"""Views of one row: its answer, the reasons, other values, another row beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import classes, explaining, texts, whatif
from ui.charts import Axis, bars_axis, curve_axes
from ui.described import Column, Model, Row
from ui.explaining import Scale, Story
from ui.views.base import filled, problem


def answer(model: Model, prediction: Mapping[str, Any], version: str, seconds: float) -> str:
    """One prediction with its details."""
    return filled("answer", model=model, said=prediction, version=version, milliseconds=1000 * seconds)


def why(model: Model, row: Row, explanation: Mapping[str, Any]) -> str:
    """One explanation: a sentence, and the way from the base value to the prediction."""
    story = explaining.why(model, row, explanation)
    return filled(
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
    return filled("compare", pairs=pairs, model=model, predictions=predictions, **_waterfall(model, story))


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
        return filled("bars", outcomes=outcomes, axis=bars_axis(outcomes), **values)
    x, y = curve_axes(on_line, lambda at: texts.of_column(column, whatif.value_at(column, at)), shown)
    return filled("curve", outcomes=on_line, x=x, y=y, **values)


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
