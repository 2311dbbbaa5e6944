"""The fields of a form for one row of a model, rendered from its contract and from what training saw."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from serving.served_model import ServedModel
from validation.contract import Column, Kind, Unseen

MOST_OPTIONS = 24
"""The most names that are all listed; of more, the visitor types one, and the service suggests."""


class Field(NamedTuple):
    """One field.

    Attributes:
        name: of the column, as requests have it.
        title: the same for people, with the unit.
        kind: of the column.
        hint: what may be entered.
        value: what stands there at first; "" for nothing.
        options: what may be chosen; empty where something is typed.
        looked_up: whether the service knows names for what is typed.
        nullable: whether it may be left empty.
    """

    name: str
    title: str
    kind: str
    hint: str
    value: str
    options: list[str]
    looked_up: bool
    nullable: bool


def of(model: ServedModel, *, known: bool) -> list[Field]:
    """The fields of the inputs of a model, in the order of its contract.

    Args:
        model: what answers.
        known: whether the visitor may read what training saw; to others a field says what the OpenAPI document does.

    At first there stands the row that the OpenAPI document shows, whose values go together.
    """
    seen = model.describe()["reference"]["columns"] if known else {}
    return [_field(model, column, seen.get(column.name, {}), known) for column in model.predictor.contract.inputs]


def _field(model: ServedModel, column: Column, seen: Mapping[str, Any], known: bool) -> Field:
    lookup = model.predictor.lookups.get(column.name)
    options = ["true", "false"] if column.kind is Kind.FLAG else []
    if lookup is not None and len(lookup) <= MOST_OPTIONS:
        published = known or column.when_unseen(len(lookup)) is Unseen.REJECT
        names = lookup.like("", MOST_OPTIONS) if published else []
        options = [*column.choices] if column.choices else sorted(names)
    return Field(
        name=column.name,
        title=_title(column),
        kind=column.kind.value,
        hint=_hint(column, seen),
        value=_value(column, model.examples[0].get(column.name), seen, options),
        options=options,
        looked_up=lookup is not None and not options,
        nullable=column.nullable,
    )


def _title(column: Column) -> str:
    """What people call the column, with its unit unless that is among the words."""
    named = column.unit is None or column.unit in re.split(r"[\s()\[\]]+", column.title)
    return column.title if named else f"{column.title} ({column.unit})"


def _hint(column: Column, seen: Mapping[str, Any]) -> str:
    """The meaning of a column, its bounds, and the range that training saw."""
    deciles = seen.get("deciles") or ()
    saw = f"Training saw {_plain(deciles[0])} to {_plain(deciles[-1])}" if deciles else ""
    parts = (column.help, _bounds(column), saw, "May be empty" if column.nullable else "")
    return ". ".join(part.rstrip(".") for part in parts if part)


def _bounds(column: Column) -> str:
    if column.ge is not None and column.le is not None:
        return f"From {_plain(column.ge)} to {_plain(column.le)}"
    if column.ge is not None:
        return f"At least {_plain(column.ge)}"
    return f"At most {_plain(column.le)}" if column.le is not None else ""


def _value(column: Column, example: object, seen: Mapping[str, Any], options: list[str]) -> str:
    """The value in the example row, or, where that says none, a usual one of the training rows."""
    if example is not None or column.nullable:
        return _text(example)
    shares: Mapping[str, float] = seen.get("shares") or {}
    if column.kind is Kind.FLAG or shares:
        return max(shares, key=lambda name: shares[name], default=options[0] if options else "")
    deciles = seen.get("deciles") or ()
    middle = deciles[len(deciles) // 2] if deciles else None
    return _text(round(middle) if column.kind is Kind.INTEGER and middle is not None else middle)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> str:
    """A bound or a quantile for people; times are texts already."""
    if not isinstance(value, float | int):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
