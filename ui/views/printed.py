"""The view of an answer on paper."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ui import explaining
from ui.described import Model, Row
from ui.service import Answers
from ui.views import case
from ui.views.base import filled


def sheet(model: Model, row: Row, predicted: Answers, why: Mapping[str, Any], made: datetime) -> str:
    """An answer with its row and its reasons, asked for at `made`, in UTC."""
    story = explaining.why(model, row, why)
    return filled(
        "printed",
        model=model,
        row=case.described(model, row),
        said=predicted.rows[0] or {},
        version=predicted.version,
        sentence=explaining.sentence(model, story),
        made=made,
        **case.waterfall(model, story),
    )
