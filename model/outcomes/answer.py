"""What every outcome gives: the answer to a row, and the parts that answers have."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from validation.wire import Interval


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What one row's score says to a caller."""

    prediction: float | str
    interval: Interval | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET


class Output(NamedTuple):
    """One part of each answer, as a tensor has it.

    Attributes:
        name: what clients call it.
        kind: of its values.
        shape: of the values of one answer.
        values: takes them off an answer, as many as the shape has.
    """

    name: str
    kind: type[float] | type[str]
    shape: tuple[int, ...]
    values: Callable[[Any], Sequence[Any]]


def prediction(kind: type[float] | type[str]) -> Output:
    """The part that all answers have."""
    return Output("prediction", kind, (), lambda answer: [answer.prediction])
