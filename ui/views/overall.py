"""The view of how a model answers over all: its dependence on each column, and pairs of columns that interact."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ui import lines, texts
from ui.charts import Axis, value_axis
from ui.dependence import Curve, Pair, Point
from ui.described import Column, Model
from ui.explaining import Scale
from ui.views.base import filled, problem

_TICKS = 4
_HARDLY = 0.01
"""A pair whose interaction is a smaller share of what both do is left to the table's end, in words."""


@dataclass(frozen=True)
class Chart:
    """The dependence on one column: a curve over `x`, or a bar for each name.

    Attributes:
        curve: what was found.
        texts: the values of its points.
        x: the axis of values; None of names.
        within: the points that the axis shows.
        marks: the training deciles that it shows.
    """

    curve: Curve
    texts: Sequence[str]
    x: Axis | None = None
    within: Sequence[tuple[float, Point]] = ()
    marks: Sequence[float] = ()


def shown(model: Model, scale: Scale, found: tuple[Sequence[Curve], Sequence[Pair]], behind: int, asked: int) -> str:
    """The dependence on each column, the farthest-going first, and the pairs.

    Args:
        model: the model.
        scale: what the numbers are.
        found: curves and pairs, as `dependence.Plan.read` gives them.
        behind: how many made-up rows each mean is over.
        asked: how many rows the service was asked.
    """
    curves, pairs = found
    if not curves:
        return problem(
            "The service took none of the rows that were made up for this, or publishes nothing to make any of."
        )
    # one axis for all, so that they can be compared
    y = value_axis([end for each in curves for point in each.points for end in (point.low, point.high)], scale.text)
    return filled(
        "overall",
        charts=[_chart(model, each) for each in curves],
        pairs=[(each, each.share >= _HARDLY) for each in pairs],
        y=y,
        scale=scale,
        target=model.target,
        behind=behind,
        asked=asked,
        left=len(model.inputs) - len(curves),
        measured=lambda size: f"{100 * size:.1f} points" if scale.share else texts.with_unit(size, scale.unit),
    )


def _chart(model: Model, found: Curve) -> Chart:
    column = found.column
    if not lines.curved(column):
        return Chart(found, [texts.of_column(column, point.value) for point in found.points])
    said = [_text(column, point.value) for point in found.points]
    span = lines.span(model, column, None)
    x = Axis(span.low, span.high, lines.ticks(column, span.low, span.high, _TICKS))
    placed = [(lines.line(column, point.value), point) for point in found.points]
    return Chart(found, said, x, [each for each in placed if span.holds(each[0])], span.within)


def _text(column: Column, value: Any) -> str:
    return lines.text_at(column, lines.line(column, value))
