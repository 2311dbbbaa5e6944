"""The browser's native fields, where they are better than Gradio's: for dates, and for columns with very many names.

They have a label, can be used by keyboard, and look as usual on phones. Templates use ${…} and not {{…}}: Gradio would
fill in the latter first, and then run the result as JavaScript.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from ui.described import Column
from ui.service import ServiceError

TYPES = {"date": "date", "timestamp": "datetime-local"}
"""The kinds of columns that browsers have a field for, and its HTML type."""
Suggest = Callable[[str, str], Awaitable[list[str]]]
"""Returns the names of a column that a text may stand for."""
_FIELD = """
<label class="own-field"><span class="field-label">${title}</span><span class="field-help">${help}</span>
<input type="${type}" step="${step}" list="${list}" autocomplete="off"></label>
<datalist id="names-of-${column}"></datalist>
"""
_SCRIPT = """
const input = element.querySelector('input');
const show = () => { if (input.value !== (props.value ?? '')) input.value = props.value ?? ''; };
show();
watch('value', show);
input.addEventListener('change', () => { props.value = input.value; trigger('input'); });
"""
_SUGGESTING = """
const names = element.querySelector('datalist');
const suggest = async () => {
  const typed = input.value;
  const found = await server.names(typed);
  if (input.value === typed) names.replaceChildren(...found.map(name => new Option(name, name)));
};
input.addEventListener('focus', suggest);
input.addEventListener('input', suggest);
input.addEventListener('keydown', event => {
  if (event.key === 'Enter') { props.value = input.value; trigger('submit'); }
});
"""


def field(column: Column, value: Any, suggest: Suggest | None, *, title: str, hint: str) -> gr.HTML:
    """The field of a column of `TYPES`, or of one with very many names, which `suggest` finds.

    Args:
        column: the column.
        value: the initial value.
        suggest: looks up the names for a typed text; None for a column of `TYPES`.
        title: the label, escaped.
        hint: the text below the label, escaped.
    """

    async def names(typed: Any) -> list[str]:
        with contextlib.suppress(ServiceError):  # a field without suggestions is still a field
            return await suggest(column.name, str(typed)) if suggest is not None else []
        return []

    return gr.HTML(
        value,
        html_template=_FIELD,
        js_on_load=_SCRIPT if suggest is None else f"{_SCRIPT}{_SUGGESTING}",
        apply_default_css=False,
        container=True,
        server_functions=[names] if suggest is not None else None,
        title=title,
        help=hint,
        column=column.name,
        list=f"names-of-{column.name}" if suggest is not None else "",
        type=TYPES.get(column.kind, "text"),
        step="1" if column.kind == "timestamp" else "",
    )
