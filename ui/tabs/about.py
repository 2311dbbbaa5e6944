"""Model: the service's current description of the model."""

import gradio as gr

from ui.tabs import common
from ui.views import base
from ui.views import model as view_of_model


def build(context: common.Context) -> None:
    """The service's current description of the model."""
    with gr.Tab("Model", id="model") as tab:
        output = common.html("")
        with gr.Accordion("Model card", open=False):
            card = gr.Markdown("", latex_delimiters=[])

    async def describe() -> list[str]:
        try:
            model = await context.service.model(context.model.place)
            text = await context.service.card(context.model.place)
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [base.problem(common.sentence(error)), ""]
        return [view_of_model.description(model), text or "This model has no card."]

    tab.select(describe, None, [output, card], **common.QUICK)
