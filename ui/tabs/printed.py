"""An answer as a page to print: the row, the answer, the reasons, and which model said so when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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

    def attach(
        self, context: common.Context, marks: gr.HTML, widgets: list[Any], chooser: gr.Dropdown | None = None
    ) -> None:
        """Have the button print the form's row; of several classes, explained as the one in `chooser`.

        The answer is the one that the visitor got by Predict, with the id that true values are joined by. Where `marks`
        know of none to this row, it is asked anew, as no case: no true value is joined to that, so its id is left out.
        """
        model, service = context.model, context.service

        async def sheet(label: str | None, told: str, values: Sequence[Any]) -> str:
            row, now = form.sent(model, values), datetime.now(UTC)
            explained = await service.explain(model.place, [row], classes=[label] if label else [])
            case = form.case_of(model, told, row)
            if case is None or case["version"] != explained.version:  # the reasons are of the model that answers now
                predicted = await service.predict(model.place, [row], exploring=True)
                case = {**known(predicted.rows[0] or {}, predicted.version), "id": None}
            why = explaining.of_class(explained.rows[0] or {}, label)
            return view_of_printed.sheet(model, row, case, why, now)

        async def shown(label: str | None, told: str, *values: Any) -> str:
            return await common.or_problem(model, partial(sheet, label, told, values))

        async def of_the_answer(told: str, *values: Any) -> str:
            return await shown(None, told, *values)

        function, inputs = (of_the_answer, []) if chooser is None else (shown, [chooser])
        self.button.click(function, [*inputs, marks, *widgets], self.sheet, **common.QUICK)


def known(prediction: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What a page that is printed later says of an answer that came just now."""
    asked = datetime.now(UTC).isoformat()
    return {"said": prediction, "version": version, "asked": asked, "id": prediction.get("prediction_id")}


def build(name: str) -> Paper:
    """The button and the empty page under a tab, in the current block."""
    button = gr.Button("Print", size="sm", elem_id=f"print-{name}", elem_classes="print")
    sheet = gr.HTML(
        "", html_template="${value}", js_on_load=form.script("print"), apply_default_css=False, elem_classes="sheet"
    )
    return Paper(button, sheet)
