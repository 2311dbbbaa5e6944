"""Tables of pandas as models take them and as they answer, for tools that hold tables: training, MLflow and Spark."""

import decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from model.outcomes import Outcome
from validation.contract import Contract, Kind
from validation.table import Table, Values
from validation.values import exact

if TYPE_CHECKING:
    import pandas as pd  # which serving does without

STORED = {
    Kind.INTEGER: "float64",
    Kind.REAL: "float64",
    Kind.FLAG: "boolean",
    Kind.DATE: "datetime64[s]",
    Kind.TIMESTAMP: "datetime64[us]",
}
"""The types in which tables hold values of a kind; all others are "str"."""
_AS_THEY_ARE = "biufM"
"""Kinds of NumPy's types that a decoder takes: booleans, numbers and times without a zone."""


def table(frame: "pd.DataFrame") -> Table:
    """A frame as a caller's table; raises ValueError for one with two columns of a name."""
    names = [str(name) for name in frame.columns]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"Two columns are named {repeated!r}.")
    return Table({str(name): _values(series) for name, series in frame.items()}, len(frame))


def _values(series: "pd.Series") -> Values:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in _AS_THEY_ARE:
        return series.to_numpy()
    return [_plain(value) for value in series.astype(object).where(series.notna(), None).tolist()]


def _plain(value: Any) -> Any:
    """A cell as Python has it; a decimal, as Spark and databases have them, as the number that it is."""
    if isinstance(value, np.generic):
        return value.item()
    return exact(value) if isinstance(value, decimal.Decimal) else value


def columns(outcome: Outcome, contract: Contract) -> list[str]:
    """The names of the answers' columns, in order."""
    return ["prediction", *outcome.columns, "warnings", *(f"key_{column.name}" for column in contract.keys)]


def answers(outcome: Outcome, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The columns that scores of shape (rows, outputs) fill, each of shape (rows,)."""
    prediction = outcome.outputs[0]
    parts = dict(zip(outcome.columns, outcome.cells(scores), strict=True))
    return {prediction.name: prediction.values(scores), **parts}
