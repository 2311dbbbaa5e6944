"""What if: the form's row with other values in one column."""

from typing import Any

import gradio as gr

from ui import form, whatif
from ui.described import Model
from ui.service import Refused
from ui.tabs import common
from ui.views import case


def build(context: common.Context, widgets: list[Any]) -> None:
    """The form's row with other values in one column."""
    model = context.model
    with gr.Tab("What if", id="what-if") as tab:
        common.of_the_form()
        names = [(column.title, column.name) for column in model.inputs]
        chooser = gr.Dropdown(
            names, value=_most_important(model), label="Column to vary", interactive=True, elem_id="what-if-column"
        )
        output = common.html("")

    async def vary(name: str, *values: Any) -> str:
        row, column = form.sent(model, values), model.input(name)

        async def view() -> str:
            tried = whatif.values(model, column, row[column.name])
            answers = await context.service.predict(model.place, whatif.rows(row, column, tried), partial=True)
            if not any(answers.rows):
                raise Refused("None of the rows was taken.", answers.errors)
            return case.what_if(model, column, row, whatif.points(column, tried, answers.rows))

        return await common.or_problem(view)

    gr.on([tab.select, chooser.input], vary, [chooser, *widgets], output, **common.QUICK)


def _most_important(model: Model) -> str:
    """The name of the most important column, the initial choice."""
    return max((column.name for column in model.inputs), key=lambda name: model.importance.get(name, 0.0))
