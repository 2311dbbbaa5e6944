"""The visitor's last questions: kept by the browser, which shows them under Ask and opens one again at a click.

The page never has them. It only says whose they are, so that a browser that several people use shows nobody those of
another: it forgets them where another has logged in, and when somebody logs out.
"""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from ui import classes, form, texts
from ui.described import Model
from ui.views import base

MOST = 20


def build(model: Model, user: str) -> None:
    """The last questions of a version of a model, in the current block.

    Args:
        model: the model.
        user: who has logged in; empty where nobody has to.
    """
    gr.HTML(
        base.filled("history", most=MOST),
        js_on_load=form.script("history"),
        apply_default_css=False,
        elem_id="history",
        user=user,
        model=model.name,
        version=model.version,
        # lists of versions that are gone go, too
        versions=json.dumps(list(model.versions or (model.version,))),
        titles=json.dumps({column.name: column.title for column in model.inputs}),
        most=MOST,
    )


def in_short(model: Model, prediction: Mapping[str, Any]) -> str:
    """An answer in a few words: "853.85 USD", "No, Yes 12.3 %", "middle 61.0 %"."""
    label = classes.subject(prediction)
    if label is None:
        return texts.with_unit(prediction["prediction"], model.target.unit)
    share = texts.percent(prediction["probabilities"][label])
    answer = prediction["prediction"]
    return f"{answer} {share}" if answer == label else f"{answer}, {label} {share}"
