"""Compare: the form's row beside one that was kept."""

from typing import Any

import gradio as gr

from ui import examples, form, questions
from ui.described import Model, Row
from ui.tabs import common
from ui.views import base, case


def build(context: common.Context, widgets: list[Any]) -> None:
    """The form's row compared to one that was kept."""
    model = context.model
    with gr.Tab("Compare", id="compare") as tab:
        gr.HTML(
            base.hint(
                "The second row is the one of the form under Ask, the first an example. To have another first row, "
                "keep the form's, change the form, and come back."
            ),
            js_on_load=None,
        )
        button = gr.Button("Keep the form's row as the first", size="sm", elem_id="keep")
        kept_row = gr.State()
        output = common.html("")

    async def beside(kept: Row | None, *values: Any) -> str:
        second = form.sent(model, values)
        rows = kept or _another(model, second), second

        async def view() -> str:
            asked = await questions.compared(context.service, model, rows)
            return case.compare(model, rows, asked.predicted.rows, asked.explained)

        return await common.or_problem(model, view)

    async def keep(*values: Any) -> tuple[Row, str]:
        row = form.sent(model, values)
        return row, await beside(row, *values)

    tab.select(beside, [kept_row, *widgets], output, **common.QUICK)
    button.click(keep, widgets, [kept_row, output], **common.QUICK)


def _another(model: Model, row: Row) -> Row:
    """An example that is not this row, if there is one."""
    rows = examples.rows(model)
    return next((each for each in rows if each != row), rows[0])
