"""What the tabs share: the model they are of, how their events run, and what an error looks like."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ui.described import Model
from ui.service import Refused, Service, ServiceError
from ui.tables import TableError
from ui.views import base

QUICK: dict[str, Any] = {
    "queue": False,
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""The options of events that take milliseconds: outside of Gradio's queue, not in its API, without a progress sign,
whose end screen readers would read as "common.complete", and repeated for changes that were made meanwhile."""
TABLES: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "tables"}
"""Two tables are answered at a time, of visitors and of programs each; others wait in Gradio's queue."""
HIDDEN = gr.update(visible=False)
_LIVE = '<div aria-live="polite">${value}</div>'
"""Screen readers read new content of it."""
_log = logging.getLogger("boxwood.page")


class Context(NamedTuple):
    """What all tabs of a model share; `user` is who has logged in, empty where nobody has to."""

    service: Service
    model: Model
    folder: Path
    user: str = ""


def html(hint: str, script: str | None = None) -> gr.HTML:
    """A part of the page that changes, with a hint until it does, and perhaps a script of its own."""
    return gr.HTML(base.hint(hint) if hint else "", html_template=_LIVE, js_on_load=script, apply_default_css=False)


def of_the_form() -> None:
    """That a tab is of the form's row, which may have changed since it was asked."""
    gr.HTML(base.reads(), js_on_load=None, apply_default_css=False)


async def or_problem(model: Model, view: Callable[[], Awaitable[str]]) -> str:
    """A view, or the reason why there is none."""
    try:
        return await view()
    except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
        return problem(model, error)


def problem(model: Model, error: Exception) -> str:
    """The view of an error at a row that stands under another tab."""
    if isinstance(error, Refused):
        distinct = {(each.get("column"), each["message"]): each for each in error.errors}
        return base.problem("The service did not take the row. Mend it under Ask.", distinct.values(), model)
    return base.problem(sentence(error))


def sentence(error: Exception) -> str:
    """A sentence for people about an error; unexpected ones are logged."""
    if isinstance(error, ServiceError | TableError):
        return str(error)
    _log.error("the page failed", exc_info=error)
    return "The page failed at this, and its log says why."
