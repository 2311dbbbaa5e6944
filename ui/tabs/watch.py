"""Watch: the last verdict on the answers of a model."""

import gradio as gr

from ui.tabs import common
from ui.views import base
from ui.views import watch as view_of_watch


def build(context: common.Context) -> None:
    """The last verdict on the answers of a model."""
    with gr.Tab("Watch", id="watch") as tab:
        output = common.html("")

    async def show() -> str:
        async def view() -> str:
            said = await context.service.verdict(context.model.name)
            return base.hint(said) if isinstance(said, str) else view_of_watch.watch(context.model, said)

        return await common.or_problem(context.model, view)

    tab.select(show, None, output, **common.QUICK)
