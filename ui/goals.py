"""What an answer has to become: another class, or a number beyond a bound."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ui import lines
from ui.described import Model

Answer = Mapping[str, Any]
_OTHERWISE = 0.1
"""Without an interval, a number is to change by this share of itself."""
_DIGITS = 50
"""A bound is rounded to about so many steps between it and the answer, so that people can read it."""


class Goal(Protocol):
    """What is wanted of an answer."""

    def reached(self, answer: Answer) -> bool:
        """Whether an answer is what is wanted."""

    def nearness(self, answer: Answer) -> float:
        """How near an answer is to it; more is nearer."""


@dataclass(frozen=True)
class Other:
    """Another class than the one of `now`; `wanted` if it has to be that one."""

    now: str
    wanted: str | None = None

    def reached(self, answer: Answer) -> bool:
        """Whether the class is another, or the one that is wanted."""
        return bool(answer["prediction"] != self.now if self.wanted is None else answer["prediction"] == self.wanted)

    def nearness(self, answer: Answer) -> float:
        """The probability of the class that is wanted, or of all others."""
        shares = answer["probabilities"]
        return float(1 - shares[self.now] if self.wanted is None else shares[self.wanted])


@dataclass(frozen=True)
class Bound:
    """A number of at least `value`, or of at most that."""

    value: float
    above: bool

    def reached(self, answer: Answer) -> bool:
        """Whether the number is beyond the bound."""
        return bool(answer["prediction"] >= self.value if self.above else answer["prediction"] <= self.value)

    def nearness(self, answer: Answer) -> float:
        """How far the number has come."""
        return float(answer["prediction"] if self.above else -answer["prediction"])


def bound(answer: Answer, *, above: bool) -> float:
    """A number that a visitor may want to reach: the end of the interval, beyond which a change is more than error."""
    now = float(answer["prediction"])
    interval = answer.get("interval")
    if interval is None:
        wanted = now + abs(now) * _OTHERWISE * (1 if above else -1)
    else:
        wanted = float(interval["high" if above else "low"])
    if wanted == now:
        return now + (1.0 if above else -1.0)
    step = lines.round_step(abs(wanted - now) / _DIGITS)
    return float(f"{round(wanted / step) * step:.10g}")


def labels(model: Model, answer: Answer) -> list[str]:
    """The classes that an answer might have been, without the one that it is; none of a number."""
    return [label for label in answer.get("probabilities") or () if label != answer["prediction"]]
