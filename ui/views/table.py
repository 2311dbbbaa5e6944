"""Views of a table of many rows."""

from ui import many
from ui.described import Model
from ui.views.base import filled


def progress(done: int, rows: int) -> str:
    """The progress of a table; `rows` is 0 while their number is unknown."""
    return filled("progress", done=done, rows=rows)


def columns(model: Model) -> str:
    """The columns that a table must have."""
    return filled("columns", model=model)


def preview(model: Model, outcome: many.Outcome) -> str:
    """The result of a table: counts, the first answers, the first errors."""
    return filled("preview", model=model, outcome=outcome)
