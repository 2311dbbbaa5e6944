"""Positions in a chart, as fractions of its width and height."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ui import lines
from ui.described import Column
from ui.explaining import Scale

_MARGIN = 0.05


class _Ranged(Protocol):
    @property
    def at(self) -> float: ...
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, with ticks and their labels."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()

    @classmethod
    def over(cls, values: Iterable[float], margin: float = _MARGIN) -> "Axis":
        """An axis that covers all values, with a margin."""
        values = list(values)
        low, high = min(values), max(values)
        room = (high - low) * margin or abs(high) * margin or 1.0
        return cls(low - room, high + room)

    def place(self, value: float) -> float:
        """The position of a value, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def length(self, first: float, second: float) -> float:
        """The distance of two values, from 0 to 1."""
        return abs(second - first) / (self.high - self.low)


def bars_axis(outcomes: Iterable[_Ranged]) -> Axis:
    """The axis of bars, which begin at 0."""
    numbers = _plotted_numbers(outcomes)
    axis = Axis.over([0.0, *numbers])
    return Axis(axis.low if min(numbers) < 0 else 0.0, axis.high if max(numbers) > 0 else 0.0)


def curve_axes(column: Column, span: lines.Span, outcomes: Sequence[_Ranged], shown: Scale) -> tuple[Axis, Axis]:
    """The axes of a curve: x for the values of the column, y for the predictions."""
    x = Axis(span.low, span.high, lines.ticks(column, span.low, span.high))
    return x, value_axis(_plotted_numbers(outcomes), shown.text)


def value_axis(numbers: Sequence[float], text: Callable[[float], str]) -> Axis:
    """An axis of values, with ticks at round numbers."""
    axis = Axis.over(numbers)
    return Axis(axis.low, axis.high, [(at, text(at)) for at in lines.multiples(_step(axis), axis.low, axis.high)])


def _plotted_numbers(outcomes: Iterable[_Ranged]) -> list[float]:
    numbers = (number for outcome in outcomes for number in (outcome.low, outcome.value, outcome.high))
    return [number for number in numbers if number is not None]


def _step(axis: Axis) -> float:
    return lines.round_step((axis.high - axis.low) / lines.TICKS)
