"""The tabs of one model. Each asks the service when it is opened or used, and shows the answer."""

import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from ui import classes, examples, explaining, form, views, whatif
from ui import many as tables_of_many
from ui.described import Model, Row
from ui.service import Refused, Service, ServiceError
from ui.tables import SUFFIXES, TableError

QUICK: dict[str, Any] = {
    "queue": False,
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""The options of events that take milliseconds: outside of Gradio's queue, not in its API, without a progress sign,
whose end screen readers would read as "common.complete", and repeated for changes that were made meanwhile."""
_AT_ONCE = 2
"""How many tables are answered at a time; others wait in Gradio's queue."""
_LIVE = '<div aria-live="polite">${value}</div>'
"""Screen readers read new content of it."""
_NAMES = ("Example", "Another", "A third one")
_SHOWN, _HIDDEN = gr.update(visible=True), gr.update(visible=False)
_NO_FILE = gr.update(visible=False, value=None)
_log = logging.getLogger("boxwood.page")


class Context(NamedTuple):
    """What all tabs of a model share."""

    service: Service
    model: Model
    folder: Path


def ask(context: Context) -> list[form.Field]:
    """A form, examples that fill it, and the prediction."""
    model, rows = context.model, examples.rows(context.model)
    with gr.Tab("Ask", id="ask"), gr.Row(elem_classes="ask"):
        with gr.Column(scale=3, min_width=300):
            fields = form.fields(model, partial(context.service.like, model.place))
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                buttons = [gr.Button(name, size="sm", min_width=80) for name, _ in zip(_NAMES, rows, strict=False)]
            button = gr.Button("Predict", variant="primary", elem_id="predict")
            answer = _html("Fill in the form, or take an example, and press Predict.")

    async def predict(*values: Any) -> list[Any]:
        row = form.sent(model, values)
        try:
            answers = await context.service.predict(model.place, [row])
        except Refused as refused:
            field_names = {column.name for column in model.inputs}
            other_errors = [error for error in refused.errors if error.get("column") not in field_names]
            sentence = "The service did not take this row."
            if len(other_errors) < len(refused.errors):
                sentence += " What is wrong stands below the fields."
            return [views.problem(sentence, other_errors), *form.marked(model.inputs, refused.errors)]
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [views.problem(_sentence(error)), *form.marked(model.inputs, [])]
        [prediction] = answers.rows
        assert prediction is not None  # noqa: S101 the service refuses the request or answers all rows
        return [views.answer(model, prediction, answers.version, answers.seconds), *form.marked(model.inputs, [])]

    widgets: list[Any] = [field.widget for field in fields]
    results = [answer, *(field.error for field in fields)]
    gr.on([button.click, *_entered(widgets)], predict, widgets, results, **QUICK)
    for example, row in zip(buttons, rows, strict=False):
        example.click(_filling(model, row, predict), None, [*widgets, *results], **QUICK)
    return fields


def why(context: Context, widgets: list[Any]) -> None:
    """The explanation of the form's row; of several classes, of the predicted one until another is chosen."""
    with gr.Tab("Why", id="why") as tab:
        chooser = gr.Dropdown([], label="Class to explain", visible=False, interactive=True, elem_id="why-class")
        output = _html("")

    async def view(row: Row, label: str | None = None) -> tuple[str, Any]:
        wanted = [] if label is None else [label]
        [said] = (await context.service.explain(context.model.place, [row], classes=wanted)).rows
        explanation = explaining.of_class(said or {}, label)
        labels = list(explanation.get("probabilities") or ())
        choice = gr.update(choices=labels, value=classes.subject(explanation), visible=len(labels) > 2)
        return views.why(context.model, row, explanation), choice

    async def explain(*values: Any) -> tuple[str, Any]:
        try:
            return await view(form.sent(context.model, values))
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return _problem(error), _HIDDEN

    async def explain_class(label: str, *values: Any) -> str:
        async def shown() -> str:
            return (await view(form.sent(context.model, values), label))[0]

        return await _or_problem(shown)

    tab.select(explain, widgets, [output, chooser], **QUICK)
    chooser.input(explain_class, [chooser, *widgets], output, **QUICK)


def what_if(context: Context, widgets: list[Any]) -> None:
    """The form's row with other values in one column."""
    model = context.model
    with gr.Tab("What if", id="what-if") as tab:
        names = [(column.title, column.name) for column in model.inputs]
        chooser = gr.Dropdown(
            names, value=_most_important(model), label="Column to vary", interactive=True, elem_id="what-if-column"
        )
        output = _html("")

    async def vary(name: str, *values: Any) -> str:
        row, column = form.sent(model, values), model.input(name)

        async def view() -> str:
            tried = whatif.values(model, column, row[column.name])
            answers = await context.service.predict(model.place, whatif.rows(row, column, tried), partial=True)
            if not any(answers.rows):
                raise Refused("None of the rows was taken.", answers.errors)
            return views.what_if(model, column, row, whatif.points(column, tried, answers.rows))

        return await _or_problem(view)

    gr.on([tab.select, chooser.input], vary, [chooser, *widgets], output, **QUICK)


def compare(context: Context, widgets: list[Any]) -> None:
    """The form's row compared to one that was kept."""
    model = context.model
    with gr.Tab("Compare", id="compare") as tab:
        gr.HTML(
            views.hint(
                "The second row is the one of the form under Ask. Keep it as the first, change the form, and come back."
            ),
            js_on_load=None,
        )
        button = gr.Button("Keep the form's row as the first", size="sm", elem_id="keep")
        first_row = gr.State(examples.rows(model)[0])
        output = _html("")

    async def beside(first: Row, *values: Any) -> str:
        rows = first, form.sent(model, values)

        async def view() -> str:
            predicted = await context.service.predict(model.place, list(rows))
            of = classes.subject(predicted.rows[1] or {})
            wanted = [] if of is None else [of]
            first_why, second_why = (await context.service.explain(model.place, list(rows), classes=wanted)).rows
            return views.compare(model, rows, predicted.rows, (first_why or {}, second_why or {}))

        return await _or_problem(view)

    async def keep(*values: Any) -> tuple[Row, str]:
        row = form.sent(model, values)
        return row, await beside(row, *values)

    tab.select(beside, [first_row, *widgets], output, **QUICK)
    button.click(keep, widgets, [first_row, output], **QUICK)


def many(context: Context) -> None:
    """An uploaded table, and its answers."""
    model = context.model
    with gr.Tab("Many", id="many"):
        gr.HTML(views.columns(model), js_on_load=None)
        upload = gr.File(label="A table, CSV or Parquet", file_types=list(SUFFIXES), elem_id="upload")
        reasons = gr.Checkbox(
            True,
            label="With reasons",
            info="Which columns move each prediction most; takes longer",
            interactive=True,
        )
        button = gr.Button("Predict all rows", variant="primary", interactive=False, elem_id="predict-all")
        stop = gr.Button("Stop", size="sm", visible=False, elem_id="stop")
        progress = gr.HTML("", js_on_load=None, apply_default_css=False)
        output = _html("")
        download = gr.DownloadButton("Download the answers", visible=False, elem_id="download")
    outputs = [progress, output, download, stop]

    async def run(path: str, explained: bool) -> AsyncIterator[list[Any]]:
        folder = Path(tempfile.mkdtemp(dir=context.folder))
        try:
            async for step in tables_of_many.answer(context.service, model, Path(path), folder, reasons=explained):
                if isinstance(step, tables_of_many.Outcome):
                    yield ["", views.preview(model, step), gr.update(visible=True, value=str(step.path)), _HIDDEN]
                else:
                    yield [views.progress(step.done, step.rows), "", _NO_FILE, _SHOWN]
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            yield ["", views.problem(_sentence(error)), _NO_FILE, _HIDDEN]

    def show_start() -> list[Any]:
        return [views.progress(0, 0), "", _NO_FILE, _SHOWN]

    def reset(path: str | None) -> list[Any]:
        return [gr.update(interactive=path is not None), "", "", _NO_FILE, _HIDDEN]

    limits: dict[str, Any] = {"concurrency_limit": _AT_ONCE, "concurrency_id": "tables"}
    events: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **limits}
    started = button.click(show_start, None, outputs, **QUICK).success(run, [upload, reasons], outputs, **events)
    ended = {"cancels": started}
    upload.change(reset, upload, [button, *outputs], **ended, **QUICK)
    stop.click(
        lambda: ["", views.problem("Stopped. Nothing was kept."), _NO_FILE, _HIDDEN], None, outputs, **ended, **QUICK
    )


def watch(context: Context) -> None:
    """The last verdict on the answers of a model."""
    with gr.Tab("Watch", id="watch") as tab:
        output = _html("")

    async def show() -> str:
        async def view() -> str:
            said = await context.service.verdict(context.model.name)
            return views.hint(said) if isinstance(said, str) else views.watch(context.model, said)

        return await _or_problem(view)

    tab.select(show, None, output, **QUICK)


def about(context: Context) -> None:
    """The service's current description of the model."""
    with gr.Tab("Model", id="model") as tab:
        output = _html("")
        with gr.Accordion("Model card", open=False):
            card = gr.Markdown("", latex_delimiters=[])

    async def describe() -> list[str]:
        try:
            model = await context.service.model(context.model.place)
            text = await context.service.card(context.model.place)
        except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
            return [views.problem(_sentence(error)), ""]
        return [views.description(model), text or "This model has no card."]

    tab.select(describe, None, [output, card], **QUICK)


def _html(hint: str) -> gr.HTML:
    return gr.HTML(views.hint(hint) if hint else "", html_template=_LIVE, js_on_load=None, apply_default_css=False)


def _most_important(model: Model) -> str:
    """The name of the most important column, the initial choice."""
    return max((column.name for column in model.inputs), key=lambda name: model.importance.get(name, 0.0))


def _entered(widgets: list[Any]) -> list[Any]:
    """The events of pressing Enter in a field."""
    return [widget.submit for widget in widgets if isinstance(widget, gr.Textbox | gr.Number | gr.HTML)]


def _filling(
    model: Model, row: Row, predict: Callable[..., Awaitable[list[Any]]]
) -> Callable[[], Awaitable[list[Any]]]:
    async def fill() -> list[Any]:
        values = form.shown(model, row)
        return [*values, *await predict(*values)]

    return fill


async def _or_problem(view: Callable[[], Awaitable[str]]) -> str:
    """A view, or the reason why there is none."""
    try:
        return await view()
    except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
        return _problem(error)


def _problem(error: Exception) -> str:
    """The view of an error at a row that stands under another tab."""
    if isinstance(error, Refused):
        distinct = {(each.get("column"), each["message"]): each for each in error.errors}
        return views.problem("The service did not take the row. Mend it under Ask.", distinct.values())
    return views.problem(_sentence(error))


def _sentence(error: Exception) -> str:
    """A sentence for people about an error; unexpected ones are logged."""
    if isinstance(error, ServiceError | TableError):
        return str(error)
    _log.error("the page failed", exc_info=error)
    return "The page failed at this, and its log says why."
