"""What every outcome gives: the answer to a row, and the parts that answers have."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from validation.wire import Interval, PredictionSet


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What one row's score says to a caller."""

    prediction: float | str
    interval: Interval | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET
    prediction_set: PredictionSet | UnsetType = UNSET


class Output(NamedTuple):
    """One part of the answers to many rows, as a tensor has it.

    Attributes:
        name: what clients call it.
        kind: of its values.
        shape: of the values of one answer.
        values: makes them from scores of shape (rows, outputs): float64, texts or booleans, of shape (rows, *shape).
    """

    name: str
    kind: type[float] | type[str] | type[bool]
    shape: tuple[int, ...]
    values: Callable[[np.ndarray], np.ndarray]
