"""What if: the form's row with other values in one column, or in two at a time."""

from typing import Any

import gradio as gr

from ui import form, questions, whatif
from ui.described import Column, Model, Row
from ui.tabs import common
from ui.views import what_if as view_of_what_if

_NO_SECOND = ""
"""The choice that stands for no second column; no column has an empty name."""
_WIDE_ENOUGH = 220
"""Where the lists are narrower beside each other, in pixels, they stand below each other: names are cut else."""


def build(context: common.Context, widgets: list[Any]) -> None:
    """The form's row with other values in one column, or in two."""
    model = context.model
    with gr.Tab("What if", id="what-if") as tab:
        common.of_the_form()
        names = [(column.title, column.name) for column in model.inputs]
        with gr.Row():
            chooser = gr.Dropdown(
                names,
                value=_most_important(model),
                label="Column to vary",
                interactive=True,
                elem_id="what-if-column",
                min_width=_WIDE_ENOUGH,
            )
            second = gr.Dropdown(
                [("none", _NO_SECOND), *names],
                value=_NO_SECOND,
                label="Together with",
                interactive=True,
                elem_id="what-if-second",
                min_width=_WIDE_ENOUGH,
                visible=len(names) > 1,
            )
        output = common.html("")

    async def vary(name: str, other: str, *values: Any) -> str:
        row, columns = form.sent(model, values), [model.input(each) for each in dict.fromkeys((name, other)) if each]

        async def view() -> str:
            if len(columns) == 2:
                return await _two(context, row, (columns[0], columns[1]))
            return await _one(context, row, columns[0])

        return await common.or_problem(model, view)

    events = [tab.select, chooser.input, second.input]
    gr.on(events, vary, [chooser, second, *widgets], output, **common.QUICK)


async def _one(context: common.Context, row: Row, column: Column) -> str:
    tried = whatif.values(context.model, column, row[column.name])
    answers = await questions.varied(context.service, context.model, whatif.rows(row, column, tried))
    return view_of_what_if.one(context.model, column, row, whatif.points(column, tried, answers.rows))


async def _two(context: common.Context, row: Row, columns: tuple[Column, Column]) -> str:
    one, other = columns
    down = whatif.few(context.model, one, row[one.name], whatif.DOWN)
    across = whatif.few(context.model, other, row[other.name], whatif.ACROSS)
    answers = await questions.varied(context.service, context.model, whatif.pairs(row, columns, (down, across)))
    return view_of_what_if.two(context.model, columns, row, (down, across), answers.rows)


def _most_important(model: Model) -> str:
    """The name of the most important column, the initial choice."""
    return max((column.name for column in model.inputs), key=lambda name: model.importance.get(name, 0.0))
