"""How uncertain an answer is because its row is beyond what the model learned from.

Trees answer such rows as they answer the nearest ones that they know: a number beyond the range as one at its edge, a
name that they never saw as a missing one. A linear model of the answers says what that may cost: the slope of a column
says how far the truth may have gone on, the spread of a column's effects what an unknown name may mean.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from model.watched import Watched
from validation.contract import Column, Kind

_RARE = 0.005
"""The share of rows at either end of which trees hardly learn: a leaf needs rows."""
_MOST, _NAMES = 6_000, 40
_NUMBERS = (Kind.INTEGER, Kind.REAL)


class Support:
    """What the reference says of rows beyond it."""

    def __init__(self, watched: Watched, columns: list[Column], reference: pd.DataFrame, answers: np.ndarray) -> None:
        """Fit the linear model.

        Args:
            watched: the model, whose answers these are.
            columns: the inputs that are looked at.
            reference: rows.
            answers: to them, in the space in which effects add up; shape (rows,).
        """
        self._columns = columns
        self._known = watched.vocabularies
        rows = reference.iloc[:: max(len(reference) // _MOST, 1)]
        self._edges = {column.name: _edges(reference[column.name]) for column in columns if column.kind in _NUMBERS}
        self._names = {
            column.name: reference[column.name].astype("str").value_counts().index[:_NAMES]
            for column in columns
            if column.kind not in _NUMBERS
        }
        self._never_missing = {column.name for column in columns if not reference[column.name].isna().any()}
        parts = {column.name: self._part(column, rows[column.name]) for column in columns}
        design = np.column_stack([*parts.values()]) if parts else np.empty((len(rows), 0))
        effects = Ridge(1.0).fit(design, answers[:: max(len(reference) // _MOST, 1)]).coef_ if parts else np.array([])
        ends = np.cumsum([part.shape[1] for part in parts.values()])
        coefficients = dict(zip(parts, np.split(effects, ends[:-1]), strict=True)) if parts else {}
        self._slopes = {name: float(coefficients[name][0]) for name in self._edges}
        self._variances = {name: float((parts[name] @ coefficients[name]).var()) for name in parts}

    def variance(self, rows: pd.DataFrame, stuck: Collection[str] = ()) -> np.ndarray:
        """What is added to the variance of the errors of these rows, shape (rows,); 0 where the model knows such rows.

        Args:
            rows: in storage types.
            stuck: columns that say nothing any more.
        """
        added = np.zeros(len(rows))
        for column in self._columns:
            values, name = rows[column.name], column.name
            unknown = np.full(len(rows), name in stuck)
            if name in self._never_missing:
                unknown |= values.isna().to_numpy()
            if name in self._edges:
                added += (self._slopes[name] * self._beyond(name, values)) ** 2
            elif name in self._known:
                unknown |= (~values.astype("str").isin(self._known[name]) & values.notna()).to_numpy()
            added += np.where(unknown, self._variances[name], 0.0)
        return added

    def _beyond(self, name: str, values: pd.Series) -> np.ndarray:
        """How far numbers are beyond the edges, in the units of the design; shape (rows,)."""
        low, high, scale = self._edges[name]
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        beyond: np.ndarray = np.nan_to_num(numbers - np.clip(numbers, low, high)) / scale
        return beyond

    def _part(self, column: Column, values: pd.Series) -> np.ndarray:
        """The columns of the design that stand for an input, shape (rows, columns)."""
        if column.name in self._edges:
            scale = self._edges[column.name][2]
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            missing = np.isnan(numbers)
            known = np.where(missing, np.nanmean(numbers) if not missing.all() else 0.0, numbers)
            return (known / scale)[:, None]
        places = self._names[column.name].get_indexer(pd.Index(values.astype("str")))
        indicators: np.ndarray = (places[:, None] == np.arange(len(self._names[column.name]))).astype(float)
        return indicators if indicators.shape[1] else np.zeros((len(values), 1))


def _edges(values: pd.Series) -> tuple[float, float, float]:
    """Where numbers become too rare to learn from at either end, and the standard deviation."""
    numbers = values.dropna().to_numpy(dtype=float)
    if not len(numbers):
        return -np.inf, np.inf, 1.0
    low, high = np.quantile(numbers, [_RARE, 1 - _RARE])
    return float(low), float(high), float(numbers.std()) or 1.0
