"""Compare: the form's row beside one that was kept."""

from typing import Any

import gradio as gr

from ui import classes, examples, form
from ui.described import Row
from ui.tabs import common
from ui.views import base, case


def build(context: common.Context, widgets: list[Any]) -> None:
    """The form's row compared to one that was kept."""
    model = context.model
    with gr.Tab("Compare", id="compare") as tab:
        gr.HTML(
            base.hint(
                "The second row is the one of the form under Ask. Keep it as the first, change the form, and come back."
            ),
            js_on_load=None,
        )
        button = gr.Button("Keep the form's row as the first", size="sm", elem_id="keep")
        first_row = gr.State(examples.rows(model)[0])
        output = common.html("")

    async def beside(first: Row, *values: Any) -> str:
        rows = first, form.sent(model, values)

        async def view() -> str:
            predicted = await context.service.predict(model.place, list(rows))
            of = classes.subject(predicted.rows[1] or {})
            wanted = [] if of is None else [of]
            first_why, second_why = (await context.service.explain(model.place, list(rows), classes=wanted)).rows
            return case.compare(model, rows, predicted.rows, (first_why or {}, second_why or {}))

        return await common.or_problem(view)

    async def keep(*values: Any) -> tuple[Row, str]:
        row = form.sent(model, values)
        return row, await beside(row, *values)

    tab.select(beside, [first_row, *widgets], output, **common.QUICK)
    button.click(keep, widgets, [first_row, output], **common.QUICK)
