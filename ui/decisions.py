"""What thresholds of two classes do to test rows, from the curve that the service publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_COUNTS = ("tp", "fp", "tn", "fn")


@dataclass(frozen=True)
class Decided:
    """Test rows by what they are and what is answered from a threshold on, with the cost of the wrong answers.

    Attributes:
        classes: the other one and the one that is looked for.
        curve: rising `thresholds`, and of each how many rows it finds (`tp`), takes for the second class wrongly
            (`fp`), leaves rightly (`tn`) and misses (`fn`).
        threshold: the model's.
    """

    classes: tuple[str, str]
    curve: Mapping[str, Sequence[float]]
    threshold: float

    @property
    def place(self) -> int:
        """The place of the model's threshold in the curve."""
        return self.curve["thresholds"].index(self.threshold)

    @property
    def confusion(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """How many rows of each class (a pair each) get each class as their answer."""
        found, alarms, left, missed = (self.curve[name][self.place] for name in _COUNTS)
        return (left, alarms), (missed, found)

    @property
    def rows(self) -> float:
        """How many test rows there are."""
        return sum(map(sum, self.confusion))

    @property
    def missed_cost(self) -> float:
        """The cost of a row of the second class that is missed, where a wrong one costs 1; the threshold says it."""
        return (1 - self.threshold) / self.threshold

    @property
    def shares(self) -> dict[str, float | None]:
        """What is answered, as shares by their names; None of nothing."""
        (left, alarms), (missed, found) = self.confusion
        parts = {
            "precision": (found, found + alarms),
            "recall": (found, found + missed),
            "accuracy": (found + left, self.rows),
            "answered": (found + alarms, self.rows),
        }
        return {name: part / whole if whole else None for name, (part, whole) in parts.items()}

    @property
    def costs(self) -> dict[str, float]:
        """What a row costs on average: at the model's threshold, and where one class is always answered."""
        (left, alarms), (missed, found) = self.confusion
        all_costs = {
            "cost": alarms + missed * self.missed_cost,
            "cost_of_none": (missed + found) * self.missed_cost,
            "cost_of_all": left + alarms,
        }
        return {name: cost / self.rows for name, cost in all_costs.items()}


def decided(metrics: Mapping[str, Any]) -> Decided | None:
    """What the thresholds of a model's metrics do; None where the service does not publish it."""
    decision = metrics.get("decision") or {}
    if not decision.get("curve"):
        return None
    negative, positive = decision["classes"]
    return Decided((negative, positive), decision["curve"], decision["threshold"])
