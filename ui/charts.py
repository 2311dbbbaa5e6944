"""Where things stand in a chart: shares of its width and height."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ui.explaining import Scale

_MARGIN = 0.05
_TICKS = 5


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
    """A line from `low` to `high`, with ticks that have texts."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()

    @classmethod
    def over(cls, values: Iterable[float], margin: float = _MARGIN) -> "Axis":
        """One that holds all values, with some room around them."""
        values = list(values)
        low, high = min(values), max(values)
        room = (high - low) * margin or abs(high) * margin or 1.0
        return cls(low - room, high + room)

    def place(self, value: float) -> float:
        """Where a value stands, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def length(self, first: float, second: float) -> float:
        """How far two values are apart, from 0 to 1."""
        return abs(second - first) / (self.high - self.low)


def bars_axis(outcomes: Iterable[_Ranged]) -> Axis:
    """For bars, which begin at 0."""
    reached = _reached(outcomes)
    axis = Axis.over([0.0, *reached])
    return Axis(axis.low if min(reached) < 0 else 0.0, axis.high if max(reached) > 0 else 0.0)


def curve_axes(outcomes: Sequence[_Ranged], value_text: Callable[[float], str], shown: Scale) -> tuple[Axis, Axis]:
    """For a curve: its values below, its predictions at the side."""
    low, high = outcomes[0].at, outcomes[-1].at
    if low == high:
        low, high = low - 0.5, high + 0.5
    across = [low + (high - low) * step / (_TICKS - 1) for step in range(_TICKS)]
    x = Axis(low, high, [(at, value_text(at)) for at in across])
    y = Axis.over(_reached(outcomes))
    return x, Axis(y.low, y.high, [(at, shown.text(at)) for at in _round_numbers(y.low, y.high)])


def _reached(outcomes: Iterable[_Ranged]) -> list[float]:
    numbers = (number for outcome in outcomes for number in (outcome.low, outcome.value, outcome.high))
    return [number for number in numbers if number is not None]


def _round_numbers(low: float, high: float) -> list[float]:
    """Some multiples of 1, 2 or 5 times a power of ten between two numbers."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
