"""Which of the browser's native inputs a column has in the form, and what stands beside it.

They have a label, can be used by keyboard, and look as usual on phones; a list opens at what is chosen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ui import texts
from ui.described import Column, Model

FEW = 4
SHORT = 40
"""Up to so many choices, of so many letters in all, are radio buttons; others are a list."""
NOT_GIVEN = ""
"""The choice that stands for a missing value; no column takes an empty text."""
_TYPES = {"date": "date", "timestamp": "datetime-local"}
"""The kinds of columns that browsers have a field for, and its HTML type."""
_NUMBERS = ("integer", "real")


@dataclass(frozen=True)
class Input:
    """The input of a column.

    Attributes:
        column: the column.
        label: its title, with its unit.
        help: what it is, what is allowed, and what was usual in training.
        kind: "check", "radio", "list", "open list" (to which a name may be added), "names" (which the service
            suggests), or a type of HTML's inputs.
        choices: values and how they are called, for those with choices.
        keys: the keys that a phone shows, by HTML's `inputmode`.
    """

    column: Column
    label: str
    help: str
    kind: str
    choices: Sequence[tuple[str, str]] = ()
    keys: str = "text"


def of(model: Model, column: Column) -> Input:
    """The input of a column of a model."""
    words = re.split(r"[\s()\[\]]+", column.title)
    unit = f" ({column.unit})" if column.unit and column.unit not in words else ""
    choices = _choices(column)
    help_ = texts.sentences(column.help, texts.allowed(column), texts.usual(column, model.spread(column).deciles))
    return Input(column, f"{column.title}{unit}", help_, _kind(model, column, choices), choices, _keys(column))


def chosen(column: Column) -> bool:
    """Whether its values are chosen from a list."""
    return bool(column.choices) or (column.kind == "flag" and column.nullable)


def _kind(model: Model, column: Column, choices: Sequence[tuple[str, str]]) -> str:
    if column.kind == "flag" and not column.nullable:
        return "check"
    if not choices:
        return "names" if model.spread(column).names else _TYPES.get(column.kind, "text")
    if column.unseen == "warn":
        return "open list"
    short = len(choices) <= FEW and sum(len(name) for _, name in choices) <= SHORT
    return "radio" if short else "list"


def _choices(column: Column) -> list[tuple[str, str]]:
    if not chosen(column):
        return []
    missing = [(NOT_GIVEN, texts.MISSING)] if column.nullable else []
    return [*missing, *((name, name) for name in column.choices or ("yes", "no"))]


def _keys(column: Column) -> str:
    """Where a number may be negative, all keys: some phones have no minus among those of numbers."""
    if column.kind not in _NUMBERS or column.ge is None or column.ge < 0:
        return "text"
    return "numeric" if column.kind == "integer" else "decimal"
