"""Change: the least changes of the form's row that give another answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from ui import changes, form, goals, questions
from ui.described import Model, Row
from ui.tabs import common
from ui.views import base
from ui.views import change as view_of_change

_AT_MOST, _AT_LEAST = "at most", "at least"
_ANY = "any other"
_TIME = "time"
"""The role of the column that says when a row was: nobody changes that, unless a visitor lets it."""
_FEW = 12
"""The boxes of more columns are folded."""
_GO_TO_ASK = (
    "() => { for (const part of ['[role=tab][data-tab-id=ask]', '#predict']) document.querySelector(part).click(); }"
)
"""As a visitor would: Gradio opens a tab by its name only once."""


class _Wanted(NamedTuple):
    """The widgets that say what the answer should become; `label` of several classes, the others of a number."""

    label: gr.Dropdown
    side: gr.Radio
    value: gr.Number


class _Way(NamedTuple):
    """The place of one change that was found."""

    column: gr.Column
    told: gr.HTML
    button: gr.Button


def build(context: common.Context, widgets: list[Any]) -> None:
    """The least changes of the form's row that give another answer; each can be opened under Ask."""
    model = context.model
    with gr.Tab("Change", id="change") as tab:
        gr.HTML(view_of_change.heading(model), js_on_load=None)
        wanted = _wanted(context)
        titles = [(column.title, column.name) for column in model.inputs]
        with gr.Accordion("Columns that may change", open=len(titles) <= _FEW):
            allowed = gr.CheckboxGroup(
                titles,
                value=[column.name for column in model.inputs if column.role != _TIME],
                label="Take the mark from those that cannot",
                interactive=True,
                elem_id="allowed",
            )
        button = gr.Button("Find changes", variant="primary", elem_id="find-changes")
        output = common.html("")
        with gr.Row(elem_classes="ways"):
            ways = [_way(number) for number in range(1, changes.MOST_FOUND + 1)]
        asked_of, rows = gr.State(), gr.State([])
    shown = [output, rows, *(part for way in ways for part in (way.column, way.told))]

    async def find(label: str, side: str, value: float | None, names: list[str], *values: Any) -> list[Any]:
        try:
            return _shown(*await _found(context, form.sent(model, values), (label, side, value), names))
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return _shown(common.problem(model, error), [])

    async def opened(before: Row | None, found: list[Row], side: str, *values: Any) -> list[Any]:
        row = form.sent(model, values)
        if row in (before, *found):  # somebody comes back from one way, for another
            return [gr.skip() for _ in (asked_of, wanted.value, *shown)]
        return [row, await _proposed(context, row, side), *_shown("", [])]

    async def proposed(side: str, *values: Any) -> Any:
        return await _proposed(context, form.sent(model, values), side)

    tab.select(opened, [asked_of, rows, wanted.side, *widgets], [asked_of, wanted.value, *shown], **common.QUICK)
    wanted.side.input(proposed, [wanted.side, *widgets], wanted.value, **common.QUICK)
    button.click(find, [*wanted, allowed, *widgets], shown, **common.QUICK)
    for place, way in enumerate(ways):
        opens = way.button.click(_opening(model, place), rows, [*widgets, rows], **common.QUICK)
        opens.then(None, js=_GO_TO_ASK, **common.QUICK)


def _opening(model: Model, place: int) -> Callable[[list[Row]], list[Any]]:
    """Fills the form with what was found at a place, and keeps what was found."""
    return lambda found: [form.shown(model, found[place]), found]


def _wanted(context: common.Context) -> _Wanted:
    """What the answer should become: of two classes there is nothing to say."""
    labels, unit = [each.label for each in context.model.classes], context.model.target.unit
    with gr.Row():
        return _Wanted(
            gr.Dropdown(
                [_ANY, *labels], value=_ANY, label="Class to reach", visible=len(labels) > 2, interactive=True,
                elem_id="change-class",
            ),
            gr.Radio(
                [_AT_MOST, _AT_LEAST], value=_AT_MOST, label="The prediction should be", visible=not labels,
                interactive=True, elem_id="change-side",
            ),
            gr.Number(
                label=f"Number to reach ({unit})" if unit else "Number to reach", visible=not labels, interactive=True,
                elem_id="change-number",
            ),
        )  # fmt: skip


def _way(number: int) -> _Way:
    with gr.Column(visible=False, min_width=280) as column:
        return _Way(column, common.html(""), gr.Button(f"Open way {number} under Ask", size="sm"))


def _shown(said: str, ways: list[tuple[Row, str]]) -> list[Any]:
    """The updates of all that shows what was found."""
    missing = changes.MOST_FOUND - len(ways)
    updates = [each for _, told in ways for each in (gr.update(visible=True), told)]
    return [said, [row for row, _ in ways], *updates, *[common.HIDDEN, ""] * missing]


async def _found(
    context: common.Context, row: Row, wanted: tuple[str, str, float | None], names: list[str]
) -> tuple[str, list[tuple[Row, str]]]:
    """What is said, and each way as a row and its view; raises ServiceError."""
    model = context.model
    if not names:
        return base.problem("Let at least one column change."), []
    now = await questions.answer(context.service, model, row)
    goal = _goal(now, *wanted)
    if goal is None:
        return base.problem("Say which number the prediction should reach."), []
    if goal.reached(now):
        return view_of_change.already(model, now), []
    found, asked = await questions.changed(context.service, model, row, now, goal, names)
    said = view_of_change.summary(model, now, goal, found, asked)
    return said, [(way.of(row), view_of_change.way(model, row, way, number)) for number, way in enumerate(found, 1)]


def _goal(now: goals.Answer, label: str, side: str, value: float | None) -> goals.Goal | None:
    """What is wanted; None where no number is given."""
    if "probabilities" in now:
        return goals.Other(now["prediction"], None if label == _ANY else label)
    return None if value is None else goals.Bound(value, above=side == _AT_LEAST)


async def _proposed(context: common.Context, row: Row, side: str) -> Any:
    """The number that is offered for a row; nothing where there is none to offer, and Find says why."""
    try:
        now = await questions.answer(context.service, context.model, row)
    except Exception:  # noqa: BLE001 the button says what is wrong
        return None
    if not now or "probabilities" in now:
        return None
    return goals.bound(now, above=side == _AT_LEAST)
