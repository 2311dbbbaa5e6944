"""An answer as a page to print: the row, the answer, the reasons, and which model said so when."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from ui import explaining, form
from ui.tabs import common
from ui.views import printed as view_of_printed


@dataclass(frozen=True)
class Paper:
    """A button, and the page that it prints, which a screen does not show."""

    button: gr.Button
    sheet: gr.HTML

    def attach(self, context: common.Context, widgets: list[Any], chooser: gr.Dropdown | None = None) -> None:
        """Have the button print the form's row; of several classes, explained as the one in `chooser`."""

        async def shown(label: str | None, *values: Any) -> str:
            async def view() -> str:
                model, row = context.model, form.sent(context.model, values)
                predicted = await context.service.predict(model.place, [row], exploring=True)  # it was asked
                explained = await context.service.explain(model.place, [row], classes=[label] if label else [])
                why = explaining.of_class(explained.rows[0] or {}, label)
                return view_of_printed.sheet(model, row, predicted, why, datetime.now(UTC))

            return await common.or_problem(context.model, view)

        async def of_the_answer(*values: Any) -> str:
            return await shown(None, *values)

        function, inputs = (of_the_answer, widgets) if chooser is None else (shown, [chooser, *widgets])
        self.button.click(function, inputs, self.sheet, **common.QUICK)


def build(name: str) -> Paper:
    """The button and the empty page under a tab, in the current block."""
    button = gr.Button("Print", size="sm", elem_id=f"print-{name}", elem_classes="print")
    sheet = gr.HTML(
        "", html_template="${value}", js_on_load=form.script("print"), apply_default_css=False, elem_classes="sheet"
    )
    return Paper(button, sheet)
