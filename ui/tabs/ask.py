"""Ask: a form, examples that fill it, and the prediction."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import gradio as gr

from ui import examples, form
from ui.described import Model, Row
from ui.service import Refused
from ui.tabs import common
from ui.views import base, case

_NAMES = ("Example", "Another", "A third one")


def build(context: common.Context) -> list[form.Field]:
    """A form, examples that fill it, and the prediction."""
    model, rows = context.model, examples.rows(context.model)
    with gr.Tab("Ask", id="ask"), gr.Row(elem_classes="ask"):
        with gr.Column(scale=3, min_width=300):
            fields = form.fields(model, partial(context.service.like, model.place))
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                buttons = [gr.Button(name, size="sm", min_width=80) for name, _ in zip(_NAMES, rows, strict=False)]
            button = gr.Button("Predict", variant="primary", elem_id="predict")
            answer = common.html("Fill in the form, or take an example, and press Predict.")

    async def predict(*values: Any) -> list[Any]:
        row = form.sent(model, values)
        try:
            answers = await context.service.predict(model.place, [row])
        except Refused as refused:
            field_names = {column.name for column in model.inputs}
            other_errors = [error for error in refused.errors if error.get("column") not in field_names]
            sentence = "The service did not take this row."
            if len(other_errors) < len(refused.errors):
                sentence += " What is wrong stands below the fields."
            return [base.problem(sentence, other_errors), *form.marked(model.inputs, refused.errors)]
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [base.problem(common.sentence(error)), *form.marked(model.inputs, [])]
        [prediction] = answers.rows
        assert prediction is not None  # noqa: S101 the service refuses the request or answers all rows
        return [case.answer(model, prediction, answers.version, answers.seconds), *form.marked(model.inputs, [])]

    widgets: list[Any] = [field.widget for field in fields]
    results = [answer, *(field.error for field in fields)]
    gr.on([button.click, *_entered(widgets)], predict, widgets, results, **common.QUICK)
    for example, row in zip(buttons, rows, strict=False):
        example.click(_filling(model, row, predict), None, [*widgets, *results], **common.QUICK)
    return fields


def _entered(widgets: list[Any]) -> list[Any]:
    """The events of pressing Enter in a field."""
    return [widget.submit for widget in widgets if isinstance(widget, gr.Textbox | gr.Number | gr.HTML)]


def _filling(
    model: Model, row: Row, predict: Callable[..., Awaitable[list[Any]]]
) -> Callable[[], Awaitable[list[Any]]]:
    async def fill() -> list[Any]:
        values = form.shown(model, row)
        return [*values, *await predict(*values)]

    return fill
