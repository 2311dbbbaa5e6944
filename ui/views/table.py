"""Views of a table of many rows."""

import base64

from ui import many, tables
from ui.described import Model
from ui.explaining import Scale
from ui.summary import Summary
from ui.views.base import filled


def progress(done: int, rows: int) -> str:
    """The progress of a table; `rows` is 0 while their number is unknown."""
    return filled("progress", done=done, rows=rows)


def columns(model: Model) -> str:
    """The columns that a table must have."""
    template = base64.b64encode(tables.template(model).encode()).decode()
    raw = next((column for column in model.inputs if column.header != column.name), None)
    return filled("columns", model=model, example=template, raw=raw)


def preview(model: Model, outcome: many.Outcome) -> str:
    """The result of a table: counts, the first errors, and what the answers say together."""
    said = outcome.summary
    scale = Scale(unit=model.target.unit, of=said.of if said else None)
    return filled("preview", model=model, outcome=outcome, said=said, scale=scale, words=_ends(model, said))


def _ends(model: Model, said: Summary | None) -> tuple[str, str]:
    """What the rows at either end are called."""
    if said is None or said.of is None:
        return f"The highest {model.target.title}", f"The lowest {model.target.title}"
    if said.of == "":
        return "The surest answers", "The least sure answers"
    return f"{said.of} is most probable", f"{said.of} is least probable"
