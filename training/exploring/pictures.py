"""Where the marks of a column's picture lie: a histogram, and above it what the target is over the same axis."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from training.evaluation import binned
from training.evaluation.binned import Bins
from training.exploring.relation import Level
from validation.contract import Column

WIDTH = 340
_LEFT, _RIGHT = 4, 336
_TOP, _PLOT = 14, 84
"""The relation's part of the picture, where there is one."""
_BARS = 64
_AXIS = 18


class Bar(NamedTuple):
    """A group's rows: its place, and what is said of it."""

    x: float
    y: float
    width: float
    height: float
    title: str


class Point(NamedTuple):
    """A group's target: its place, the ends of its interval, and what is said of it."""

    x: float
    y: float
    low: float
    high: float
    title: str


class Picture(NamedTuple):
    """Marks in a box of `WIDTH` by `height`.

    Attributes:
        height: of the box.
        bars: the histogram.
        points: the target of groups, from left to right.
        line: the points as those of a polyline.
        top, bottom: the greatest and the least figure of the points, each with its height.
        floor: where the axis lies.
        first, last: the ends of the axis.
    """

    height: float
    bars: list[Bar]
    points: list[Point]
    line: str
    top: tuple[float, str] | None
    bottom: tuple[float, str] | None
    floor: float
    first: str
    last: str


def drawn(
    column: Column, bins: Bins, levels: Sequence[tuple[float, str, Level]], *, rate: bool = False
) -> Picture | None:
    """The picture of a column of numbers or times; None where too few rows have a value.

    Args:
        column: which.
        bins: as `binned.evenly` has them.
        levels: the place, the words and the target of each group for the upper part; none for a histogram alone.
        rate: whether the target is a share.
    """
    if not bins.labels:
        return None
    above = _TOP + _PLOT if levels else _TOP
    floor = above + _BARS
    scale = _across(bins.edges)
    points, top, bottom = _points(levels, scale, rate=rate)
    return Picture(
        floor + _AXIS,
        _bars(column, bins, scale, above, floor),
        points,
        " ".join(f"{point.x},{point.y}" for point in points),
        top,
        bottom,
        floor,
        binned.shown(column, float(bins.edges[0])),
        binned.shown(column, float(bins.edges[-1])),
    )


class _Scale(NamedTuple):
    """From values to places between two ends of the picture."""

    low: float
    high: float
    first: float
    last: float

    def place(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)


def _across(edges: np.ndarray) -> _Scale:
    low, high = float(edges[0]), float(edges[-1])
    return _Scale(low, high if high > low else low + 1, _LEFT, _RIGHT)


def _bars(column: Column, bins: Bins, scale: _Scale, above: float, floor: float) -> list[Bar]:
    """Bars whose areas are rows: groups are of different widths."""
    lefts = [scale.place(float(edge)) for edge in bins.edges]
    widths = np.maximum(np.diff(lefts), 0.5)
    heights = bins.counts / widths
    tallest = float(heights.max())
    bars = []
    for place, (count, label) in enumerate(zip(bins.counts.tolist(), bins.labels, strict=True)):
        height = round(max(float(heights[place]) / tallest * (floor - above - 4), 0.8), 1)
        unit = f" {column.unit}" if column.unit else ""
        width = round(float(widths[place]) * 0.94, 1)
        bars.append(Bar(lefts[place], round(floor - height, 1), width, height, f"{label}{unit}: {count:,} rows"))
    return bars


def _points(
    levels: Sequence[tuple[float, str, Level]], scale: _Scale, *, rate: bool
) -> tuple[list[Point], tuple[float, str] | None, tuple[float, str] | None]:
    if not levels:
        return [], None, None
    low, high = min(level.low for *_, level in levels), max(level.high for *_, level in levels)
    up = _Scale(low, high if high > low else low + 1, _TOP + _PLOT - 12, _TOP + 2)
    points = [
        Point(scale.place(x), up.place(level.mean), up.place(level.low), up.place(level.high), title)
        for x, title, level in levels
    ]
    words = "{:.0%}".format if rate else figure
    return points, (up.place(high), words(high)), (up.place(low), words(low))


def figure(value: float) -> str:
    """Four digits of a number."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
