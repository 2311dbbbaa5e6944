"""Views of one row: its answer, the reasons, another row beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ui import classes, explaining, similar, texts
from ui.charts import Axis
from ui.described import Model, Row
from ui.explaining import Story
from ui.views.base import filled


def answer(model: Model, prediction: Mapping[str, Any], version: str, seconds: float) -> str:
    """One prediction with its details."""
    return filled("answer", model=model, said=prediction, version=version, milliseconds=1000 * seconds)


def why(model: Model, row: Row, explanation: Mapping[str, Any]) -> str:
    """One explanation: a sentence, and the way from the base value to the prediction."""
    story = explaining.why(model, row, explanation)
    return filled(
        "why",
        model=model,
        row=described(model, row),
        said={"warnings": None, **explanation},
        sentence=explaining.sentence(model, story),
        cases=_cases(model, row, explanation),
        **waterfall(model, story),
    )


def _cases(model: Model, row: Row, answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values for the template of similar cases; None where there are none."""
    found = similar.find(model, row, answer)
    if found is None:
        return None
    if "probabilities" not in answer:
        reached = (found.low, found.high, answer["prediction"])
        return {"found": found, "axis": Axis.over([number for number in reached if number is not None])}
    said = answer["probabilities"]
    shares = {label: found.classes.get(label, 0) / found.rows for label in said}
    labels = list(said)
    if len(labels) > classes.MOST_SHOWN:
        labels.sort(key=lambda label: -max(said[label], shares[label]))
    return {"found": found, "classes": [(each, shares[each], said[each]) for each in labels[: classes.MOST_SHOWN]]}


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
    return filled("compare", pairs=pairs, model=model, predictions=predictions, **waterfall(model, story))


def waterfall(model: Model, story: Story) -> dict[str, Any]:
    """The values for the waterfall's template."""
    reached = [story.start, *(step.after for step in story.steps)]
    return {"story": story, "scale": story.scale, "axis": Axis.over(reached), "target": model.target}


def described(model: Model, row: Row) -> list[tuple[str, str]]:
    """The titles of the columns, and the values of a row as text."""
    return [(column.title, texts.of_column(column, row[column.name])) for column in model.inputs]
