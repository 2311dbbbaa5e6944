"""Tables of pandas as models take them and as they answer, for tools that hold tables: training, MLflow and Spark."""

from typing import TYPE_CHECKING, Any

import numpy as np

from model.outcomes import Outcome
from validation.contract import Contract
from validation.table import Table, Values

if TYPE_CHECKING:
    import pandas as pd  # which serving does without

_AS_THEY_ARE = "biufM"
"""Kinds of NumPy's types that a decoder takes: booleans, numbers and times without a zone."""


def table(frame: "pd.DataFrame") -> Table:
    """A frame as a caller's table."""
    return Table({str(name): _values(series) for name, series in frame.items()}, len(frame))


def _values(series: "pd.Series") -> Values:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in _AS_THEY_ARE:
        return series.to_numpy()
    values: list[Any] = series.astype(object).where(series.notna(), None).tolist()
    return values


def columns(outcome: Outcome, contract: Contract) -> list[str]:
    """The names of the answers' columns, in order."""
    return ["prediction", *outcome.columns, "warnings", *(f"key_{column.name}" for column in contract.keys)]


def answers(outcome: Outcome, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that scores of shape (rows, outputs) fill, each of shape (rows,)."""
    prediction = outcome.outputs[0]
    parts = dict(zip(outcome.columns, outcome.cells(scores), strict=True))
    return {prediction.name: prediction.values(scores), **parts}
