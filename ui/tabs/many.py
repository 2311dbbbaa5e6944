"""Many: an uploaded table, and its answers."""

import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ui import many as tables_of_many
from ui.tables import SUFFIXES
from ui.tabs import common
from ui.views import base, table

_SHOWN = gr.update(visible=True)
_NO_FILE = gr.update(visible=False, value=None)


def build(context: common.Context) -> None:
    """An uploaded table, and its answers."""
    model = context.model
    with gr.Tab("Many", id="many"):
        gr.HTML(table.columns(model), js_on_load=None)
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
        download = gr.DownloadButton("Download the answers", visible=False, elem_id="download")
        output = common.html("")
    outputs = [progress, output, download, stop]

    def show_start() -> list[Any]:
        return [table.progress(0, 0), "", _NO_FILE, _SHOWN]

    def reset(path: str | None) -> list[Any]:
        return [gr.update(interactive=path is not None), "", "", _NO_FILE, common.HIDDEN]

    events: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", **common.TABLES}
    run = partial(_answered, context)
    started = button.click(show_start, None, outputs, **common.QUICK).success(run, [upload, reasons], outputs, **events)
    ended = {"cancels": started}
    upload.change(reset, upload, [button, *outputs], **ended, **common.QUICK)
    stop.click(
        lambda: ["", base.problem("Stopped. Nothing was kept."), _NO_FILE, common.HIDDEN],
        None,
        outputs,
        **ended,
        **common.QUICK,
    )


async def _answered(context: common.Context, path: str, explained: bool) -> AsyncIterator[list[Any]]:
    """The progress of a table and then its answers, as updates of what shows them."""
    folder = Path(tempfile.mkdtemp(dir=context.folder))
    try:
        async for step in tables_of_many.answer(context.service, context.model, Path(path), folder, reasons=explained):
            if isinstance(step, tables_of_many.Outcome):
                shown = table.preview(context.model, step)
                yield ["", shown, gr.update(visible=True, value=str(step.path)), common.HIDDEN]
            else:
                yield [table.progress(step.done, step.rows), "", _NO_FILE, _SHOWN]
    except Exception as error:  # noqa: BLE001 whatever it is, the visitor gets a sentence
        yield ["", base.problem(common.sentence(error)), _NO_FILE, common.HIDDEN]
