"""One field for each column: a widget that suits its values, and a place for the service's errors."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import gradio as gr
from markupsafe import escape

from ui import inputs, texts
from ui.described import Column, Model, Row
from ui.views import base

FEW = 4
SHORT = 40
"""Up to so many choices, of so many letters in all, are radio buttons; others are a list to search."""
_NOT_GIVEN = ""
"""The choice that stands for a missing value; no column takes an empty text."""


class Field(NamedTuple):
    """The widget of a column, and below it the place for errors."""

    column: Column
    widget: gr.components.Component
    error: gr.HTML


def fields(model: Model, suggest: inputs.Suggest) -> list[Field]:
    """Build the form in the current block; `suggest` looks up names for columns that have very many."""
    built = []
    with gr.Row(elem_classes="fields"):
        for column in model.inputs:
            with gr.Column(min_width=0, elem_classes="field"):
                many = suggest if model.spread(column).names else None
                built.append(Field(column, widget(column, many), gr.HTML(visible=False, js_on_load=None)))
    return built


def sent(model: Model, values: Sequence[Any]) -> Row:
    """The row of the widgets' values."""
    return model.row([_value(column, value) for column, value in zip(model.inputs, values, strict=True)])


def shown(model: Model, row: Row) -> list[Any]:
    """The widgets' values for a row."""
    return [_shown(column, row[column.name]) for column in model.inputs]


def marked(columns: Iterable[Column], errors: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The updates of the places for errors: those of one row, each below its column."""
    by_column: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        by_column.setdefault(str(error.get("column")), []).append(error)
    return [
        gr.update(value=base.field_errors(by_column.get(column.name, [])), visible=column.name in by_column)
        for column in columns
    ]


def _value(column: Column, value: Any) -> Any:
    if value is None or value == _NOT_GIVEN:
        return None
    if column.kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if column.kind == "flag" and isinstance(value, str):
        return value == "yes"
    if column.kind == "timestamp" and len(value) == len("2024-01-31T10:00"):  # as browsers send whole minutes
        return f"{value}:00"
    return value


def _shown(column: Column, value: Any) -> Any:
    if _chosen(column):
        nothing = _NOT_GIVEN if column.nullable else None  # the choice "missing", or no choice made yet
        return nothing if value is None else {True: "yes", False: "no"}.get(value, value)
    if column.kind == "timestamp" and value is not None:  # the browser's field has no time zone
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat(timespec="seconds")
    return value


def _chosen(column: Column) -> bool:
    """Whether its values are chosen from a list."""
    return bool(column.choices) or (column.kind == "flag" and column.nullable)


def widget(column: Column, suggest: inputs.Suggest | None = None) -> gr.components.Component:
    """The widget for a column: a list, a slider, a date field and so on."""
    label = column.title
    if column.unit and column.unit not in label.split():
        label += f" ({column.unit})"
    hint = ", ".join(text for text in (column.help, texts.allowed(column)) if text)
    # Gradio renders it as Markdown and HTML
    info = str(escape(hint)) or None
    common: dict[str, Any] = {
        "label": label,
        "info": info,
        "value": _shown(column, column.example),
        "interactive": True,
    }
    if column.kind == "flag" and not column.nullable:
        return gr.Checkbox(**{**common, "value": bool(column.example)})
    if _chosen(column):
        return _choice(column, common)
    if column.kind in inputs.TYPES or suggest is not None:
        return inputs.field(column, common["value"], suggest, title=str(escape(label)), hint=str(escape(hint)))
    if column.kind not in ("integer", "real"):
        return gr.Textbox(**common, max_lines=1)
    if column.ge is not None and column.le is not None and not column.nullable:
        return gr.Slider(column.ge, column.le, step=_step(column), buttons=[], **common)
    return gr.Number(**common, step=_step(column))


def _choice(column: Column, common: Mapping[str, Any]) -> gr.components.Component:
    choices = [(name, name) for name in column.choices or ("yes", "no")]
    if column.nullable:
        choices.insert(0, (texts.MISSING, _NOT_GIVEN))
    short = len(choices) <= FEW and sum(len(name) for name, _ in choices) <= SHORT
    if short and column.unseen != "warn":
        return gr.Radio(choices, **common)
    return gr.Dropdown(choices, allow_custom_value=column.unseen == "warn", **common)


def _step(column: Column) -> float:
    """The step of a number: as many decimals as the example has, and at least two."""
    if column.kind == "integer":
        return 1
    exponent = Decimal(str(column.example)).as_tuple().exponent if isinstance(column.example, float) else -2
    return float(10.0 ** min(-2, int(exponent)))
