"""Classes of a classification for people: which one a number speaks of, prediction sets and bounds in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import texts
from ui.described import Model

MOST_SHOWN = 8
"""Of more classes, the most probable ones are shown and the others folded."""


@dataclass(frozen=True)
class Share:
    """A class with its probability, and the numbers that are of it in words, if it is made of numbers."""

    label: str
    value: float
    span: str


@dataclass(frozen=True)
class Shares:
    """The classes of an answer that are shown, and those that are folded; together in the latter's `rest`."""

    shown: Sequence[Share]
    folded: Sequence[Share]

    @property
    def rest(self) -> float:
        """The probability of the folded ones."""
        return sum(share.value for share in self.folded)


def subject(answer: Mapping[str, Any]) -> str | None:
    """The class that a single number of an answer speaks of; None if it has no classes.

    An explanation names it. Of two classes it is the last, as in explanations; of several the predicted one.
    """
    labels = list(answer.get("probabilities") or ())
    if "explained_class" in answer or not labels:
        label: str | None = answer.get("explained_class")
        return label
    return str(labels[-1] if len(labels) == 2 else answer["prediction"])


def shares(model: Model, answer: Mapping[str, Any]) -> Shares:
    """The probabilities of an answer in the order of the classes; of many classes, the most probable ones first."""
    spans = {
        described.label: texts.span(described.low, described.high, model.target.unit) for described in model.classes
    }
    every = [Share(label, value, spans.get(label, "")) for label, value in answer["probabilities"].items()]
    if len(every) > MOST_SHOWN:
        every.sort(key=lambda share: -share.value)
    return Shares(every[:MOST_SHOWN], every[MOST_SHOWN:])


def set_in_words(answer: Mapping[str, Any]) -> str:
    """The classes of a prediction set: "low or middle"; of many, the most probable ones and how many others."""
    labels, probabilities = list(answer["prediction_set"]["labels"]), answer["probabilities"]
    if len(labels) > MOST_SHOWN:
        labels.sort(key=lambda label: -probabilities[label])
        labels[MOST_SHOWN - 1 :] = [f"{len(labels) - MOST_SHOWN + 1} others"]
    *first, last = labels
    return f"{', '.join(first)} or {last}" if first else str(last)
