"""The page: the parts that do not depend on the model, and the tabs of one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui.described import Model
from ui.service import Service, ServiceError
from ui.tabs import about, ask, common, compare, many, watch, what_if, why
from ui.views import base

_MODEL_IN_URL, _VERSION_IN_URL = "model", "version"
_OPENING: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None, "show_progress": "hidden"}
"""The event options for opening a page: all visitors at the same time, however long the service takes."""
_LOOKED_AGAIN_SECONDS = 0.02
_VISITORS = 400
"""Gradio keeps the rendered page of so many visitors, a megabyte each, and frees none before that."""


@dataclass(eq=False)  # Gradio detects changes by the hash, and each load must be one
class Opened:
    """The model as the service described it when it was opened; None where it did not."""

    model: Model | None


def build(service: Service, folder: Path, *, sessions: bool = False) -> gr.Blocks:
    """The page of a service; `folder` is for files that visitors download. Of `sessions` there is a way out.

    Everything that depends on the model is built when somebody opens the page, from the service's description then.
    """
    page: gr.Blocks = gr.Blocks(title="Boxwood", fill_width=True, analytics_enabled=False)
    page.state_session_capacity = _VISITORS  # not settable otherwise for a mounted page
    # by default Gradio polls its empty queue every millisecond, which takes 6 % of a processor from the service
    page._queue.sleep_when_free = _LOOKED_AGAIN_SECONDS
    with page:
        if sessions:
            gr.HTML(base.log_out(), js_on_load=None)
        opened = gr.State()
        # outside of `gr.render`, so that they can be used while the model's tabs are rendered
        chooser = gr.Radio([], label="Model", visible=False, interactive=True, elem_id="model-chooser")
        version_chooser = gr.Radio([], label="Version", visible=False, interactive=True, elem_id="version-chooser")
        failure = gr.HTML(visible=False, js_on_load=None)
        again = gr.Button("Try again", visible=False)

        async def load(name: str | None, version: str | None, request: gr.Request) -> list[Any]:
            query = request.query_params
            return await _opening(service, (name, query.get(_MODEL_IN_URL)), (version, query.get(_VERSION_IN_URL)))

        # one at a time: the limit is over all visitors, and a rendering takes milliseconds
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=opened, triggers=[opened.change], concurrency_limit=1, show_progress="hidden"
        )
        def show(current: Opened | None) -> None:
            if current is not None and current.model is not None:
                _model(service, current.model, folder)

        choosers = [chooser, version_chooser]
        for event in (page.load, again.click, chooser.input, version_chooser.input):
            event(load, choosers, [opened, *choosers, failure, again], **_OPENING)
    return page


async def _opening(service: Service, name: Sequence[str | None], version: Sequence[str | None]) -> list[Any]:
    """What is opened, which models and versions are to choose from, and why there is nothing.

    The first of `name` and of `version` that the service has is opened, or else what answers by itself.
    """
    names: list[str] = []
    selected, versions, model, why = None, [], None, ""
    try:
        names = await service.names()
        selected = _first(name, names)
        versions = await service.versions(selected)
        wanted = _first(version, [each.version for each in versions])
        model = next(each for each in versions if each.version == wanted)
    except ServiceError as error:
        why = base.problem(str(error))
    labels = [(each.label, each.version) for each in versions]
    return [
        Opened(model),
        gr.update(choices=names, value=selected, visible=len(names) > 1),
        gr.update(choices=labels, value=model.version if model else None, visible=len(labels) > 1),
        gr.update(value=why, visible=model is None),
        gr.update(visible=model is None),
    ]


def _first(wanted: Sequence[str | None], present: Sequence[str]) -> str:
    """The first that is wanted and present, or else the first that is present."""
    return next((each for each in wanted if each is not None and each in present), present[0])


def _model(service: Service, model: Model, folder: Path) -> None:
    gr.HTML(base.heading(model), js_on_load=None)
    context = common.Context(service, model, folder)
    with gr.Tabs():
        fields = ask.build(context)
        widgets: list[Any] = [field.widget for field in fields]
        why.build(context, widgets)
        what_if.build(context, widgets)
        compare.build(context, widgets)
        many.build(context)
        watch.build(context)
        about.build(context)
