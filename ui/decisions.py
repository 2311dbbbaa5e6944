"""What the threshold of two classes does, from the rates that the service publishes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decided:
    """Test rows by what they are and what was answered, with the cost of the wrong answers.

    Attributes:
        classes: the other one and the one that is looked for.
        confusion: how many rows of each class (a list each) got each class as their answer.
        threshold: the probability from which the second class is answered.
        missed_cost: of a row of the second class, where the reverse costs 1; it follows from the threshold.
    """

    classes: tuple[str, str]
    confusion: tuple[tuple[int, int], tuple[int, int]]
    threshold: float
    missed_cost: float

    @property
    def cost(self) -> float:
        """What all wrong answers cost."""
        (_, alarms), (missed, _) = self.confusion
        return alarms + missed * self.missed_cost

    @property
    def cost_of_none(self) -> float:
        """What it would cost to answer the first class always."""
        return sum(self.confusion[1]) * self.missed_cost

    @property
    def cost_of_all(self) -> float:
        """What it would cost to answer the second class always."""
        return float(sum(self.confusion[0]))


def decided(metrics: Mapping[str, Any]) -> Decided | None:
    """The confusion that accuracy, recall and precision leave no choice of; None where one of them is not published.

    Of n test rows, accuracy a, recall r and precision p: if P rows are of the second class, r P of them are found,
    (1 - r) P missed, and r P (1 - p) / p others taken for it; both kinds of mistakes together are (1 - a) n.
    """
    decision = metrics.get("decision") or {}
    accuracy, recall, precision = (
        (decision.get(name) or {}).get("value") for name in ("accuracy", "recall", "precision")
    )
    rows, threshold = metrics.get("rows"), decision.get("threshold")
    if accuracy is None or recall is None or not precision or not rows or not threshold:
        return None
    a_row = (1 - recall) + recall * (1 - precision) / precision
    if not a_row:  # nothing is wrong, so that nothing follows
        return None
    positives = round((1 - accuracy) * rows / a_row)
    found = round(recall * positives)
    alarms = round(found * (1 - precision) / precision)
    negative, positive = decision["classes"]
    confusion = ((rows - positives - alarms, alarms), (positives - found, found))
    return Decided((negative, positive), confusion, threshold, (1 - threshold) / threshold)
