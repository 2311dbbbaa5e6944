"""Views of one row with other values: of one column as a curve or as bars, of two as a table of shades."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ui import explaining, lines, texts, ties, whatif
from ui.charts import bars_axis, curve_axes
from ui.described import Column, Model, Row
from ui.explaining import Scale
from ui.views.base import filled, problem

_HARDLY = 0.01
"""A column that moves answers by less than this share of what all columns do is hardly looked at."""


@dataclass(frozen=True)
class Outcome:
    """One point of a curve, one bar, or one place of a table: the prediction and its interval.

    Attributes:
        text: the value.
        at: its position.
        value: the prediction as shown.
        low: the low end of its interval, if it has one.
        high: the high end.
        now: whether it is the row as it is.
        missing: whether no value is given, on a line.
        odd: whether the service warns of it, and not of all others too.
        share: of the training rows, those with this name; None of numbers.
    """

    text: str
    at: float
    value: float
    low: float | None
    high: float | None
    now: bool
    missing: bool = False
    odd: bool = False
    share: float | None = None


def one(model: Model, column: Column, row: Row, points: Sequence[whatif.Point]) -> str:
    """The answers to one row with different values in a column."""
    good = [point for point in points if point.answer is not None]
    if not good:
        return problem(f"None of the values of {column.title} got an answer.")
    now = next((point.answer for point in good if point.value == row[column.name]), None) or {}
    shown = explaining.scale(model, now or good[0].answer or {})
    usual = _usual(point.answer for point in good)
    outcomes = [_of_point(model, column, point, shown, row, usual) for point in good]
    values = {**_common(model, (column,), shown, now), "column": column, "looked_at": _looked_at(model, column)}
    on_line = [outcome for outcome in outcomes if not outcome.missing]
    if not lines.curved(column) or not on_line:
        return filled("bars", outcomes=outcomes, axis=bars_axis(outcomes), **values)
    span = lines.span(model, column, row[column.name])
    x, y = curve_axes(column, span, on_line, shown)
    return filled(
        "curve",
        outcomes=on_line,
        within=[outcome for outcome in on_line if span.holds(outcome.at)],
        missing=[outcome for outcome in outcomes if outcome.missing],
        x=x,
        y=y,
        span=span,
        trained=_trained(column, span),
        **values,
    )


def two(
    model: Model,
    columns: tuple[Column, Column],
    row: Row,
    tried: tuple[Sequence[Any], Sequence[Any]],
    answers: Sequence[Mapping[str, Any] | None],
) -> str:
    """The answers to one row with different values in two columns, those of the first one below each other."""
    down, across = tried
    here = row[columns[0].name], row[columns[1].name]
    asked = [
        ((first, second) == here, said) for (first, second), said in zip(product(down, across), answers, strict=True)
    ]
    now = next((said for at_now, said in asked if at_now), None) or {}
    shown = explaining.scale(model, now or next(filter(None, answers)))
    usual = _usual(answers)
    cells = [None if said is None else _outcome("", 0.0, said, shown, usual, now=at_now) for at_now, said in asked]
    values = [cell.value for cell in cells if cell is not None]
    return filled(
        "two",
        columns=columns,
        heads=[texts.of_column(columns[1], value) for value in across],
        lines=[
            (texts.of_column(columns[0], value), cells[place * len(across) : (place + 1) * len(across)])
            for place, value in enumerate(down)
        ],
        low=min(values),
        width=(max(values) - min(values)) or 1.0,
        **_common(model, columns, shown, now),
    )


def _common(model: Model, varied: Sequence[Column], shown: Scale, now: Mapping[str, Any]) -> dict[str, Any]:
    """What all of these views say: of what they are, of what the service warns at the row as it is, and ties."""
    predicted = shown.of is not None and now.get("prediction") == shown.of
    said = {"warnings": now.get("warnings") or []}
    tied = ties.sentences(model, [column.name for column in varied])
    return {"model": model, "scale": shown, "target": model.target, "predicted": predicted, "said": said, "ties": tied}


def _usual(answers: Iterable[Mapping[str, Any] | None]) -> frozenset[str]:
    """What the service warns of in all answers: it is about other columns than the varied ones."""
    warned = [frozenset(said.get("warnings") or ()) for said in answers if said is not None]
    return frozenset.intersection(*warned)


def _of_point(
    model: Model, column: Column, point: whatif.Point, shown: Scale, row: Row, usual: frozenset[str]
) -> Outcome:
    text, now = texts.of_column(column, point.value), point.value == row[column.name]
    missing = point.value is None and lines.curved(column)
    name = str(point.value).lower() if isinstance(point.value, bool) else point.value
    share = None if lines.curved(column) else model.spread(column).shares.get(name)
    return _outcome(text, point.at, point.answer or {}, shown, usual, now=now, missing=missing, share=share)


def _outcome(
    text: str, at: float, said: Mapping[str, Any], shown: Scale, usual: frozenset[str], *, now: bool, **more: Any
) -> Outcome:
    interval = said.get("interval") or {}
    value = said["prediction"] if shown.of is None else said["probabilities"][shown.of]
    odd = not usual.issuperset(said.get("warnings") or ())
    return Outcome(text, at, value, interval.get("low"), interval.get("high"), now, odd=odd, **more)


def _trained(column: Column, span: lines.Span) -> str:
    """Where the training rows are, in words, for those who do not see the marks too; nothing if nobody says."""
    if not span.marks:
        return ""
    first, last = (lines.text_at(column, span.marks[place]) for place in (1, -2))
    text = (
        f"Eight of ten training rows lie between {first} and {last}; marks below the curve are a tenth of them apart."
    )
    ends = [
        f"{word} {lines.text_at(column, end)}"
        for word, end in (("down to", span.marks[0]), ("up to", span.marks[-1]))
        if not span.holds(end)
    ]
    return f"{text} The chart leaves out the few that go {' and '.join(ends)}." if ends else text


def _looked_at(model: Model, column: Column) -> bool:
    """Whether the column moves answers, as far as the service reports it."""
    total = sum(model.importance.values())
    return not total or model.importance.get(column.name, 0.0) >= _HARDLY * total
