"""Parts of the test rows that are judged by themselves: each common category, flag and period."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from validation.contract import Contract, Kind

_PERIODS = ("Y", "Q", "M", "W", "D")
_FEWEST_PERIODS = 4
_MISSING = "(missing)"


def find(contract: Contract, rows: pd.DataFrame, enough: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Slices of at least `enough` rows.

    Args:
        contract: which columns are categories, flags, and the time.
        rows: silver rows.
        enough: the fewest rows of a slice.

    Yields:
        A column's name, the value (or the period, as "2023Q2"), and the places of its rows.
    """
    for column in contract.inputs:
        if column.kind in (Kind.CATEGORY, Kind.FLAG):
            values = rows[column.name].astype("str").fillna(_MISSING)
        elif column == contract.time:
            values = _periods(rows[column.name])
        else:
            continue
        counts = values.value_counts()
        for name in sorted(counts[counts >= enough].index):
            yield column.name, str(name), np.flatnonzero((values == name).to_numpy())


def _periods(times: pd.Series) -> pd.Series:
    """The coarsest of year, quarter, month, week and day of which there are at least four."""
    labels: pd.Series = times.astype("str")
    for period in _PERIODS:
        labels = times.dt.to_period(period).astype("str")
        if labels.nunique() >= _FEWEST_PERIODS:
            break
    return labels
