"""The page: the parts that do not depend on the model, and the tabs of one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui import blocks, form, login
from ui.described import Model
from ui.service import Away, Service, ServiceError
from ui.tabs import about, ask, change, common, compare, many, watch, what_if, why
from ui.views import base

_MODEL_IN_URL, _VERSION_IN_URL = "model", "version"
_AGAIN_SECONDS = 5.0
"""A page that could not be opened is opened again so often."""
_TO_URL = """(model, version) => {
  const url = new URL(location.href);
  url.searchParams.set('model', model);
  if (version) url.searchParams.set('version', version); else url.searchParams.delete('version');
  url.hash = '';
  history.pushState(null, '', url);
  return VALUES;
}"""
"""Puts the choice into the address; the row of another model is none of this."""
_OPENING: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None, "show_progress": "hidden"}
"""The event options for opening a page: all visitors at the same time, however long the service takes."""


@dataclass(eq=False)  # Gradio detects changes by the hash, and each load must be one
class Opened:
    """The model as the service described it when it was opened, None where it did not, and who opened it."""

    model: Model | None
    user: str


def build(service: Service, folder: Path, *, sessions: bool = False) -> gr.Blocks:
    """The page of a service; `folder` is for files that visitors download. Of `sessions` there is a way out.

    Everything that depends on the model is built when somebody opens the page, from the service's description then.
    """
    page = blocks.made()
    with page:
        if sessions:
            gr.HTML(base.log_out(), js_on_load=None)
        opened = gr.State()
        # outside of `gr.render`, so that they can be used while the model's tabs are rendered
        chooser = gr.Radio([], label="Model", visible=False, interactive=True, elem_id="model-chooser")
        version_chooser = gr.Radio([], label="Version", visible=False, interactive=True, elem_id="version-chooser")
        failure = gr.HTML(visible=False, js_on_load=None)
        again = gr.Button("Try again", visible=False)
        timer = gr.Timer(_AGAIN_SECONDS, active=False)

        async def load(name: str | None, version: str | None, request: gr.Request) -> list[Any]:
            query = request.query_params
            of_url = query.get(_VERSION_IN_URL) if name in (None, query.get(_MODEL_IN_URL)) else None
            return await _opening(service, name or query.get(_MODEL_IN_URL), version or of_url, _user(request))

        async def load_other(name: str, request: gr.Request) -> list[Any]:
            return await _opening(service, name, None, _user(request))

        # one at a time: the limit is over all visitors, and a rendering takes milliseconds
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=opened, triggers=[opened.change], concurrency_limit=1, show_progress="hidden"
        )
        def show(current: Opened | None) -> None:
            if current is not None and current.model is not None:
                _model(common.Context(service, current.model, folder, current.user))

        choosers = [chooser, version_chooser]
        outputs = [opened, *choosers, failure, again, timer]
        for event in (page.load, again.click, timer.tick):
            event(load, choosers, outputs, **_OPENING)
        chooser.input(load_other, [chooser], outputs, js=_TO_URL.replace("VALUES", "[model]"), **_OPENING)
        to_url = _TO_URL.replace("VALUES", "[model, version]")
        version_chooser.input(load, choosers, outputs, js=to_url, **_OPENING)
    return page


def _user(request: gr.Request) -> str:
    return login.user_of(request.request.scope) if request.request is not None else ""


async def _opening(service: Service, name: str | None, version: str | None, user: str) -> list[Any]:
    """What is opened, which models and versions are to choose from, and why there is nothing.

    Where no name or no version is wanted, it is the one that answers by itself. Another than the wanted one is not
    opened: who has a link would take its answers for those of that model.
    """
    names: list[str] = []
    versions: list[Model] = []
    selected, model, why, away = name, None, "", False
    try:
        names = await service.names()
        selected = name or names[0]
        if selected in names:
            versions = await service.versions(selected)
            model = next((each for each in versions if version in (None, each.version)), None)
        why = _none_of(selected, names, version)
    except Away as error:
        why, away = f"{error} This page asks again every {_AGAIN_SECONDS:.0f} seconds.", True
    except ServiceError as error:
        why = str(error)
    labels = [(each.label, each.version) for each in versions]
    return [
        Opened(model, user),
        _to_choose(names, selected if selected in names else None, model),
        _to_choose(labels, model.version if model else None, model),
        gr.update(value=base.problem(why), visible=model is None),
        gr.update(visible=model is None and not names),
        gr.Timer(active=away),
    ]


def _to_choose(choices: Sequence[Any], value: str | None, model: Model | None) -> dict[str, Any]:
    """What there is to choose from: where a model is open, only if there are others."""
    update: dict[str, Any] = gr.update(choices=choices, value=value, visible=len(choices) > (model is not None))
    return update


def _none_of(name: str, names: Sequence[str], version: str | None) -> str:
    """That there is no such model, or no such version of it."""
    if name not in names:
        return f"There is no model '{name}' here. Choose another."
    return f"The model '{name}' has no version '{version}' here. Choose another."


def _model(context: common.Context) -> None:
    gr.HTML(base.heading(context.model), js_on_load=form.script("clipboard", "copy"), apply_default_css=False)
    with gr.Tabs(overflow_behavior="wrap"):
        filled, marks = ask.build(context)
        widgets: list[Any] = [filled]
        why.build(context, widgets, marks)
        what_if.build(context, widgets)
        change.build(context, widgets)
        compare.build(context, widgets)
        many.build(context)
        watch.build(context)
        about.build(context)
