"""Ask: a form, examples that fill it, and the prediction."""

from collections.abc import Awaitable, Callable
from functools import partial

import gradio as gr

from ui import examples, form, history
from ui.described import Model, Row
from ui.service import Away, Refused
from ui.tabs import common, printed
from ui.views import base, case

_NAMES = ("Example", "Another", "A third one")
_AGAIN_SECONDS = 5.0
"""After so many seconds a row is sent again that nobody answered."""


def build(context: common.Context) -> tuple[gr.HTML, gr.HTML]:
    """A form, examples that fill it, and the prediction; returns the form, and its marks.

    The button comes first, so that the keyboard is not led through all fields to it, and stays in sight.
    """
    model, rows = context.model, examples.rows(context.model)
    with gr.Tab("Ask", id="ask"), gr.Row(elem_classes="ask"):
        with gr.Column(scale=2, min_width=300, elem_classes="said"):
            button = gr.Button("Predict", variant="primary", elem_id="predict")
            with gr.Row(elem_classes="examples"):
                buttons = [gr.Button(name, size="sm", min_width=80) for name, _ in zip(_NAMES, rows, strict=False)]
            marks = form.marks()
            answer = common.html("Fill in the form, or take an example, and press Predict.")
            paper = printed.build("ask")
            history.build(model, context.user)
        with gr.Column(scale=3, min_width=300, elem_classes="asked"):
            filled = form.build(model, partial(_suggested, context))

    async def predict(value: str) -> list[str]:
        try:
            row = form.sent(model, [value])
            example = row in rows  # which is no case
            answers = await context.service.predict(model.place, [row], exploring=example)
        except Refused as refused:
            return [_refusal(model, refused), form.marked(None, refused.errors)]
        except Away as away:
            said = f"{away} This page asks again every {_AGAIN_SECONDS:.0f} seconds."
            return [base.problem(said), form.marked(None, again=_AGAIN_SECONDS)]
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [base.problem(common.sentence(error)), form.marked(None)]
        [prediction] = answers.rows
        assert prediction is not None  # noqa: S101 the service refuses the request or answers all rows
        known = None if example else printed.known(prediction, answers.version)
        return [
            case.answer(model, prediction, answers.version, answers.seconds),
            form.marked(value, said=history.in_short(model, prediction), case=known),
        ]

    gr.on([button.click, filled.submit], predict, filled, [answer, marks], **common.QUICK)
    for example, row in zip(buttons, rows, strict=False):
        example.click(_filling(model, row, predict), None, [filled, answer, marks], **common.QUICK)
    paper.attach(context, marks, [filled])
    return filled, marks


def _refusal(model: Model, refused: Refused) -> str:
    """Why there is no answer: at which fields it stands, and what stands at none."""
    columns = {error.get("column") for error in refused.errors}
    titles = [column.title for column in model.inputs if column.name in columns]
    others = [error for error in refused.errors if error.get("column") not in {each.name for each in model.inputs}]
    sentence = "The service did not take this row."
    if titles:
        sentence += f" What is wrong stands at these fields: {', '.join(titles)}."
    return base.problem(sentence, others, model)


async def _suggested(context: common.Context, column: str, typed: str) -> list[str]:
    """The names that a text may stand for; a field without suggestions is still a field."""
    try:
        return await context.service.like(context.model.place, column, typed)
    except Exception as error:  # noqa: BLE001 whatever it is, the visitor types on
        common.sentence(error)
        return []


def _filling(
    model: Model, row: Row, predict: Callable[[str], Awaitable[list[str]]]
) -> Callable[[], Awaitable[list[str]]]:
    async def fill() -> list[str]:
        value = form.shown(model, row)
        return [value, *await predict(value)]

    return fill
