"""Why: the explanation of the form's row."""

from typing import Any

import gradio as gr

from ui import classes, explaining, form
from ui.described import Row
from ui.tabs import common, printed
from ui.views import case


def build(context: common.Context, widgets: list[Any], marks: gr.HTML) -> None:
    """The explanation of the form's row; of several classes, of the predicted one until another is chosen.

    `marks` know the answer to the row, see `form.marks`.
    """
    with gr.Tab("Why", id="why") as tab:
        common.of_the_form()
        chooser = gr.Dropdown([], label="Class to explain", visible=False, interactive=True, elem_id="why-class")
        output = common.html("")
        paper = printed.build("why")

    async def view(row: Row, label: str | None = None) -> tuple[str, Any]:
        wanted = [] if label is None else [label]
        [said] = (await context.service.explain(context.model.place, [row], classes=wanted)).rows
        explanation = explaining.of_class(said or {}, label)
        labels = list(explanation.get("probabilities") or ())
        choice = gr.update(choices=labels, value=classes.subject(explanation), visible=len(labels) > 2)
        return case.why(context.model, row, explanation), choice

    async def explain(*values: Any) -> tuple[str, Any]:
        try:
            return await view(form.sent(context.model, values))
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return common.problem(context.model, error), common.HIDDEN

    async def explain_class(label: str, *values: Any) -> str:
        async def shown() -> str:
            return (await view(form.sent(context.model, values), label))[0]

        return await common.or_problem(context.model, shown)

    tab.select(explain, widgets, [output, chooser], **common.QUICK)
    chooser.input(explain_class, [chooser, *widgets], output, **common.QUICK)
    paper.attach(context, marks, widgets, chooser)
