"""The page: what is on it before a model is known, and the tabs of one model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui import tabs, views
from ui.described import Model
from ui.service import Service, ServiceError

_MODEL_IN_URL = "model"
_OPENING: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None, "show_progress": "hidden"}
"""How a page is opened: all visitors at once, however long the service takes."""
_LOOKED_AGAIN_SECONDS = 0.02
_VISITORS = 400
"""Gradio keeps what it rendered for so many visitors, a megabyte each, and never lets go of one by itself."""


@dataclass(eq=False)  # Gradio notices a change by the hash, and each asking is one
class Opened:
    """The model as the service described it when it was opened; None where it did not."""

    model: Model | None


def build(service: Service, folder: Path) -> gr.Blocks:
    """The page of a service; `folder` is for files that visitors download.

    The form and all else is made when somebody opens the page, of what the service says then.
    """
    page: gr.Blocks = gr.Blocks(title="Boxwood", fill_width=True, analytics_enabled=False)
    page.state_session_capacity = _VISITORS  # an option of Gradio's own servers; a mounted page is told so
    # Gradio looks into its empty queue every millisecond, which takes 6 % of a processor from the service beside it
    page._queue.sleep_when_free = _LOOKED_AGAIN_SECONDS
    with page:
        opened = gr.State()
        # not rendered anew with the model, so that they can be used again while that goes on
        chooser = gr.Radio([], label="Model", visible=False, interactive=True, elem_id="model-chooser")
        failure = gr.HTML(visible=False, js_on_load=None)
        again = gr.Button("Try again", visible=False)

        async def load(chosen: str | None, request: gr.Request) -> list[Any]:
            names, known = [], None
            try:
                names = await service.names()
                wanted = chosen or request.query_params.get(_MODEL_IN_URL)
                known = wanted if wanted in names else names[0]
                model, why = await service.model(known), ""
            except ServiceError as error:
                model, why = None, views.problem(str(error))
            models = gr.update(choices=names, value=known, visible=len(names) > 1)
            failed = gr.update(visible=model is None)
            return [Opened(model), models, gr.update(value=why, visible=model is None), failed]

        # one at a time: Gradio counts renderings over all visitors, and each takes milliseconds
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=opened, triggers=[opened.change], concurrency_limit=1, show_progress="hidden"
        )
        def show(said: Opened | None) -> None:
            if said is not None and said.model is not None:
                _model(service, said.model, folder)

        outputs = [opened, chooser, failure, again]
        for event in (page.load, again.click, chooser.input):
            event(load, chooser, outputs, **_OPENING)
    return page


def _model(service: Service, model: Model, folder: Path) -> None:
    gr.HTML(views.heading(model), js_on_load=None)
    context = tabs.Context(service, model, folder)
    with gr.Tabs():
        fields = tabs.ask(context)
        widgets: list[Any] = [field.widget for field in fields]
        tabs.why(context, widgets)
        tabs.what_if(context, widgets)
        tabs.compare(context, widgets)
        tabs.many(context)
        tabs.about(context)
