"""The page: the parts that do not depend on the model, and the tabs of one model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui import tabs, views
from ui.described import Model
from ui.service import Service, ServiceError

_MODEL_IN_URL = "model"
_OPENING: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None, "show_progress": "hidden"}
"""The event options for opening a page: all visitors at the same time, however long the service takes."""
_LOOKED_AGAIN_SECONDS = 0.02
_VISITORS = 400
"""Gradio keeps the rendered page of so many visitors, a megabyte each, and frees none before that."""


@dataclass(eq=False)  # Gradio detects changes by the hash, and each load must be one
class Opened:
    """The model as the service described it when it was opened; None where it did not."""

    model: Model | None


def build(service: Service, folder: Path) -> gr.Blocks:
    """The page of a service; `folder` is for files that visitors download.

    Everything that depends on the model is built when somebody opens the page, from the service's description then.
    """
    page: gr.Blocks = gr.Blocks(title="Boxwood", fill_width=True, analytics_enabled=False)
    page.state_session_capacity = _VISITORS  # not settable otherwise for a mounted page
    # by default Gradio polls its empty queue every millisecond, which takes 6 % of a processor from the service
    page._queue.sleep_when_free = _LOOKED_AGAIN_SECONDS
    with page:
        opened = gr.State()
        # outside of `gr.render`, so that they can be used while the model's tabs are rendered
        chooser = gr.Radio([], label="Model", visible=False, interactive=True, elem_id="model-chooser")
        failure = gr.HTML(visible=False, js_on_load=None)
        again = gr.Button("Try again", visible=False)

        async def load(chosen: str | None, request: gr.Request) -> list[Any]:
            names, selected = [], None
            try:
                names = await service.names()
                requested = chosen or request.query_params.get(_MODEL_IN_URL)
                selected = requested if requested in names else names[0]
                model, why = await service.model(selected), ""
            except ServiceError as error:
                model, why = None, views.problem(str(error))
            models = gr.update(choices=names, value=selected, visible=len(names) > 1)
            retry = gr.update(visible=model is None)
            return [Opened(model), models, gr.update(value=why, visible=model is None), retry]

        # one at a time: the limit is over all visitors, and a rendering takes milliseconds
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=opened, triggers=[opened.change], concurrency_limit=1, show_progress="hidden"
        )
        def show(current: Opened | None) -> None:
            if current is not None and current.model is not None:
                _model(service, current.model, folder)

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
