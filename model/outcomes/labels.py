"""How labels, probabilities and prediction sets look as tensors and as columns of a table."""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from model.outcomes.answer import Output
from model.outcomes.sets import Sets

PARTS = frozenset({"probabilities", "prediction_set"})
"""The members of a classification's answer beside its label."""
SET = "prediction_set"
ALL_CLASSES = "*"
"""What stands for all classes of a model, where callers ask for classes."""
Values = Callable[[np.ndarray], np.ndarray]


def outputs(classes: Sequence[str], answered: Values, shares: Values, sets: Sets | None) -> Sequence[Output]:
    """The label, the probability of each class, and whether each is in the prediction set.

    Args:
        classes: the labels.
        answered: scores of shape (rows, outputs) to the place of the answered class, shape (rows,).
        shares: the same to probabilities, shape (rows, classes).
        sets: what makes the sets; None of a model that has none.
    """
    names = np.array(classes, dtype=object)
    each = (len(classes),)
    found = [
        Output("prediction", str, (), lambda scores: names[answered(scores)]),
        Output("probabilities", float, each, shares),
    ]
    if sets is not None:
        found.append(Output(SET, bool, each, lambda scores: sets.members(shares(scores), answered(scores))))
    return found


def columns(classes: Sequence[str], sets: Sets | None) -> Sequence[str]:
    """The columns of a table that hold probabilities, and the set as a JSON array of labels."""
    return [*probability_columns(classes).values(), *([SET] if sets is not None else [])]


def cells(classes: Sequence[str], shares: np.ndarray, answered: np.ndarray, sets: Sets | None) -> Sequence[np.ndarray]:
    """The values of these columns, each of shape (rows,); the arrays are as `Sets.members` takes them."""
    if sets is None:
        return list(shares.T)
    written = np.empty(len(shares), dtype=object)
    written[:] = [msgspec.json.encode(names).decode() for names in members(classes, sets.members(shares, answered))]
    return [*shares.T, written]


def covered(shares: np.ndarray, answered: np.ndarray, sets: Sets | None, actual: np.ndarray) -> np.ndarray:
    """Whether classes, by their places of shape (rows,), are in the prediction sets, shape (rows,); all are without."""
    if sets is None:
        return np.full(len(shares), True)
    inside: np.ndarray = sets.members(shares, answered)[np.arange(len(shares)), actual.astype(np.intp)]
    return inside


def members(classes: Sequence[str], inside: np.ndarray) -> list[list[str]]:
    """The labels of each row's set, in the order of the classes; `inside` is of shape (rows, classes)."""
    return [[name for name, within in zip(classes, row, strict=True) if within] for row in inside.tolist()]


def probability_columns(labels: Iterable[str]) -> dict[str, str]:
    """The column of a table for each label; numbered where labels differ only in characters that columns cannot have.

    Names have letters, digits and underscores only, which Spark takes without backticks.
    """
    plain = {label: re.sub(r"[^0-9A-Za-z]", "_", label) for label in labels}
    if len(set(plain.values())) < len(plain):
        plain = {label: str(place) for place, label in enumerate(plain)}
    return {label: f"probability_{name}" for label, name in plain.items()}
