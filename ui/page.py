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
class Loaded:
    """What the service said when the page was opened, or why it said nothing."""

    names: list[str]
    name: str | None
    model: Model | None
    failure: str = ""


def build(service: Service, folder: Path) -> gr.Blocks:
    """The page of a service; `folder` is for files that visitors download.

    The form and all else is made when somebody opens the page, of what the service says then.
    """
    page: gr.Blocks = gr.Blocks(title="Boxwood", fill_width=True, analytics_enabled=False)
    page.state_session_capacity = _VISITORS  # an option of Gradio's own servers; a mounted page is told so
    # Gradio looks into its empty queue every millisecond, which takes 6 % of a processor from the service beside it
    page._queue.sleep_when_free = _LOOKED_AGAIN_SECONDS
    with page:
        loaded = gr.State()

        async def load(name: str | None, request: gr.Request) -> Loaded:
            try:
                names = await service.names()
            except ServiceError as error:
                return Loaded([], name, None, str(error))
            try:
                wanted = name or request.query_params.get(_MODEL_IN_URL)
                known = wanted if wanted in names else names[0]
                return Loaded(names, known, await service.model(known))
            except ServiceError as error:
                return Loaded(names, known, None, str(error))

        # one at a time: Gradio counts renderings over all visitors, and each takes milliseconds
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=loaded, triggers=[loaded.change], concurrency_limit=1, show_progress="hidden"
        )
        def show(said: Loaded | None) -> None:
            if said is None:
                return
            # keys: what somebody presses while all is made anew is still known then
            if len(said.names) > 1:
                chooser = gr.Radio(
                    said.names,
                    value=said.name,
                    label="Model",
                    interactive=True,
                    elem_id="model-chooser",
                    key="chooser",
                )
                chooser.input(load, chooser, loaded, key="choose", **_OPENING)
            if said.model is None:
                gr.HTML(views.problem(said.failure), js_on_load=None)
                again = gr.Button("Try again", key="again")
                again.click(load, gr.State(said.name), loaded, key="try", **_OPENING)
                return
            _model(service, said.model, folder)

        page.load(load, gr.State(None), loaded, **_OPENING)
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
