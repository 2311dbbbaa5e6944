"""The classes of a target: how many there may be, how they differ, and how numbers are cut into them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from validation.errors import ContractError
from validation.names import normal

MOST_CLASSES = 100
"""A model has as many trees a round as classes; more of them are a number, or too fine."""


@dataclass(frozen=True)
class Bins:
    """Classes of a number, which meet at quantiles of the training split.

    Args:
        labels: the classes, that of the least numbers first.
        quantiles: where they meet, rising between 0 and 1; one fewer than there are labels.
    """

    labels: Sequence[str]
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if isinstance(self.labels, str) or not all(isinstance(label, str) for label in self.labels):
            raise ContractError(f"The labels of bins are texts, like ('low', 'high'); these are {self.labels!r}.")
        object.__setattr__(self, "labels", tuple(map(normal, self.labels)))
        if not all(self.labels):
            raise ContractError(f"A label of bins is empty: {self.labels}.")
        if not all(isinstance(place, int | float) for place in self.quantiles) or not all(
            low < high for low, high in itertools.pairwise((0.0, *self.quantiles, 1.0))
        ):
            raise ContractError(f"The quantiles of bins rise between 0 and 1; these are {self.quantiles}.")
        if len(self.labels) != len(self.quantiles) + 1:
            raise ContractError(
                f"Bins have one label more than quantiles; these have {len(self.labels)} and {len(self.quantiles)}."
            )


def demand_classes(target: str, labels: Sequence[str]) -> None:
    """Raise ContractError unless labels can be told apart: two to a hundred, which differ by more than case."""
    if len(labels) < 2:
        raise ContractError(f"The target '{target}' has one class: there is nothing to tell apart.")
    _demand_few(target, labels)
    _demand_apart(target, labels)


def _demand_apart(target: str, labels: Sequence[str]) -> None:
    written: dict[str, str] = {}
    for label in labels:
        if label.casefold() in written:
            raise ContractError(
                f"The target '{target}' has the classes {written[label.casefold()]!r} and {label!r}, which differ by "
                "case at most. Make one of them with `parse`, for example `parse=str.lower`."
            )
        written[label.casefold()] = label


def demand_listed(target: str, labels: Sequence[str]) -> None:
    """Raise ContractError for the labels of a table whose contract lists none, if they are more than two, or alike."""
    _demand_few(target, labels)
    _demand_apart(target, labels)
    if len(labels) > 2:
        listed = ", ".join(map(repr, labels[:5])) + ", …" * (len(labels) > 5)
        raise ContractError(
            f"The target '{target}' has {len(labels)} classes. List them in its column, in their order: "
            f"choices=({listed}). Rows of any other class then go to quarantine."
        )


def _demand_few(target: str, labels: Sequence[str]) -> None:
    if len(labels) > MOST_CLASSES:
        some = ", ".join(labels[:5])
        raise ContractError(
            f"The target '{target}' has {len(labels)} classes ({some}, …); a model tells at most {MOST_CLASSES} apart. "
            "Join some of them with `parse`. If they are numbers, declare `kind=Kind.REAL`, and `bins` for classes of "
            "them."
        )
