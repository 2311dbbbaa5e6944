"""Model: the service's current description of the model, how it answers over all, and its card."""

from typing import Any

import gradio as gr

from ui import dependence, form
from ui.described import Model
from ui.explaining import Scale
from ui.tabs import common
from ui.views import base, overall
from ui.views import model as view_of_model

_NO_CARD = "This model has no card."


def build(context: common.Context) -> None:
    """The service's current description of the model."""
    with gr.Tab("Model", id="model") as tab:
        output = common.html("", form.script("clipboard", "model", "threshold"))
        _overall(context)
        _card(context)

    async def describe() -> str:
        async def view() -> str:
            return view_of_model.description(await context.service.model(context.model.place))

        return await common.or_problem(context.model, view)

    tab.select(describe, None, output, **common.QUICK)


def _overall(context: common.Context) -> None:
    """The dependence on each column, which is asked when it is opened."""
    labels = [each.label for each in context.model.classes]
    with gr.Accordion("How it answers over all values", open=False, elem_id="overall") as opened:
        chooser = gr.Dropdown(
            labels,
            value=labels[-1] if labels else None,
            label="Class",
            visible=len(labels) > 2,
            interactive=True,
            elem_id="overall-class",
        )
        output = common.html("The service is asked …")

    async def ask(label: str | None) -> str:
        async def view() -> str:
            plan = dependence.plan(context.model)
            place = context.model.place
            answers = (await context.service.predict(place, plan.rows, partial=True, exploring=True)).rows
            scale = _scale(context.model, label, answers)
            found = plan.read([_number(scale, said) for said in answers])
            return overall.shown(context.model, scale, found, plan.behind, len(plan.rows))

        return await common.or_problem(context.model, view)

    gr.on([opened.expand, chooser.input], ask, chooser, output, **common.QUICK)


def _card(context: common.Context) -> None:
    """The card and its pictures, which are fetched when it is opened."""
    with gr.Accordion("Model card", open=False, elem_id="card") as opened:
        problem = common.html("")
        text = gr.Markdown("", latex_delimiters=[])
        pictures = common.html("", form.script("card"))

    async def fetch() -> list[str]:
        try:
            told = await context.service.card(context.model.place)
            page = await context.service.card(context.model.place, "text/html")
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [base.problem(common.sentence(error)), "", ""]
        return ["", told or _NO_CARD, view_of_model.shown_pictures(page) if page else ""]

    opened.expand(fetch, None, [problem, text, pictures], **common.QUICK)


def _scale(model: Model, label: str | None, answers: list[dict[str, Any] | None]) -> Scale:
    """What the numbers of answers are: the probability of the last of two classes, or of the chosen one."""
    labels = list(next((said["probabilities"] for said in answers if said and "probabilities" in said), ()))
    if not labels:
        return Scale(unit=model.target.unit)
    return Scale(of=label if label in labels else labels[-1])


def _number(scale: Scale, said: dict[str, Any] | None) -> float | None:
    if said is None:
        return None
    return float(said["prediction"] if scale.of is None else said["probabilities"][scale.of])
