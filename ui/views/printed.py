"""The view of an answer on paper."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ui import explaining
from ui.described import Model, Row
from ui.views.base import filled
from ui.views.case import described, waterfall


def sheet(model: Model, row: Row, case: Mapping[str, Any], why: Mapping[str, Any], made: datetime) -> str:
    """An answer with its row and its reasons.

    Args:
        model: the model.
        row: the row.
        case: what `tabs.printed.known` says of the answer; its "id" is None if it is the id of no case.
        why: the explanation.
        made: now, which tells a page from the same one that was printed before.
    """
    story = explaining.why(model, row, why)
    return filled(
        "printed",
        model=model,
        row=described(model, row),
        said=case["said"],
        version=case["version"],
        id=case["id"],
        asked=datetime.fromisoformat(case["asked"]),
        sentence=explaining.sentence(model, story),
        made=made,
        **waterfall(model, story),
    )
