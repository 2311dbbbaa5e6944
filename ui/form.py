"""The form of a model: one component, whose value is a row as a JSON text, and the marks at its fields."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gradio as gr

from ui import inputs, texts
from ui.described import Column, Model, Row
from ui.views import base

MOST_SHOWN = 24
"""A form of more fields shows the `FIRST` that matter most, and folds the others."""
FIRST = 12
_SCRIPTS = Path(__file__).parent / "scripts"
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_MINUTES = len("2024-01-31T10:00")
_MARKS = '<p class="marks" role="status"></p>'


def build(model: Model, suggest: Any) -> gr.HTML:
    """The form in the current block, filled with the contract's example.

    Args:
        model: the model.
        suggest: a coroutine function that looks up the names that a text may stand for, of a column by its name.
    """

    async def names(asked: Sequence[str]) -> list[str]:
        column, typed = asked
        found: list[str] = await suggest(column, typed)
        return found

    many = any(model.spread(column).names for column in model.inputs)
    return gr.HTML(
        shown(model, {column.name: column.example for column in model.inputs}),
        # Gradio would fill in {{...}} of a template, and run the result as JavaScript: only ${...} is text
        html_template="${fields}",
        js_on_load=script("address", "form"),
        apply_default_css=False,
        server_functions=[names] if many else None,
        elem_id="form",
        fields=markup(model),
    )


def marks() -> gr.HTML:
    """Where it is said that the form has changed since its answer; its value tells the form of its answer."""
    return gr.HTML("", html_template=_MARKS, js_on_load=script("marks"), apply_default_css=False, elem_id="marks")


def markup(model: Model) -> str:
    """The fields as HTML. Where there are many, the most important come first, and the others are folded."""
    fields = [inputs.of(model, column) for column in model.inputs]
    if len(fields) <= MOST_SHOWN:
        return base.filled("form", first=fields, more=[])
    fields.sort(key=lambda field: -model.importance.get(field.column.name, 0.0))
    return base.filled("form", first=fields[:FIRST], more=fields[FIRST:])


def script(*names: str) -> str:
    """Scripts of the page, one after the other."""
    return "\n".join((_SCRIPTS / f"{name}.js").read_text() for name in names)


def sent(model: Model, values: Sequence[Any]) -> Row:
    """The row of the form's value, which is the only one of `values`."""
    [value] = values
    filled = json.loads(value)
    return model.read(model.row([_value(column, filled.get(column.name)) for column in model.inputs]))


def shown(model: Model, row: Row) -> str:
    """The form's value for a row."""
    return json.dumps({column.name: _shown(column, row.get(column.name)) for column in model.inputs})


def marked(
    value: str | None,
    errors: Iterable[Mapping[str, Any]] = (),
    again: float | None = None,
    said: str = "",
    case: Mapping[str, Any] | None = None,
) -> str:
    """The value of `marks` after an answer.

    Args:
        value: the form's value that was answered, None if it was not.
        errors: the service's reasons for the row, which are shown at their fields.
        again: after how many seconds the form shall ask again, None for never.
        said: the answer in short, for the last questions.
        case: what is to be known of the answer later, see `case_of`; None where the row was no case.
    """
    by_column: dict[str, list[str]] = {}
    for error in errors:
        by_column.setdefault(str(error.get("column")), []).append(texts.reason(error))
    return json.dumps({"answered": value, "errors": by_column, "again": again, "said": said, "case": case})


def case_of(model: Model, told: str, row: Row) -> Mapping[str, Any] | None:
    """What `marked` was told of the answer to this row as a case; None if the last answer was to none, or another row.

    Args:
        model: the model.
        told: the value of `marks`.
        row: what the form says now.
    """
    known = json.loads(told) if told else {}
    found: Mapping[str, Any] | None = known.get("case")
    return found if found and sent(model, [known["answered"]]) == row else None


def _value(column: Column, value: Any) -> Any:
    """A value of a row from what a field holds. What cannot be read stays as it was typed: the service says why."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    match column.kind:
        case "flag":
            return {"yes": True, "no": False}.get(value, value)
        case "integer" | "real":
            return _number(column, value.strip())
        case "timestamp" if len(value) == _MINUTES:  # as browsers send whole minutes
            return f"{value}:00"
    return value


def _number(column: Column, text: str) -> Any:
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        return text
    if column.kind == "integer" and number.is_integer():
        return int(text) if text.lstrip("+-").isdecimal() else int(number)
    return number


def _shown(column: Column, value: Any) -> Any:
    if column.kind == "flag" and not column.nullable:
        return bool(value)
    if value is None:
        return inputs.NOT_GIVEN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if column.kind == "timestamp":  # the browser's field has no time zone
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat(timespec="seconds")
    return str(value)
