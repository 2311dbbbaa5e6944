"""Which reference rows a window is compared with: those of its season, where there are enough."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from monitoring.params import MonitorParams
from validation.contract import Contract

_DAYS_A_WEEK, _DAYS_A_YEAR = 7, 365
_WIDEST = 120
"""A window whose times are further apart, in days, is of no season."""


class Compared(NamedTuple):
    """Reference rows, and which they are in words."""

    rows: pd.DataFrame
    of: str


def rows(contract: Contract, reference: pd.DataFrame, window: pd.DataFrame, params: MonitorParams) -> Compared:
    """The reference rows to compare a window with.

    Those of the same time of the year, and of the same weekdays where the window has not all of them; of a contract
    without a time column, or where these are too few, all rows.

    Args:
        contract: which column is the time.
        reference: rows with that column.
        window: rows with that column.
        params: how many rows are enough, and how wide a season is.
    """
    everything = Compared(reference, f"all {len(reference):,} reference rows")
    time = contract.time
    if time is None:
        return everything
    known, asked = (table[time.name].dropna() for table in (reference, window))
    if not len(known) or not len(asked):
        return everything
    in_order = asked.sort_values(ignore_index=True)
    first, last = (in_order[int(rank * (len(in_order) - 1))] for rank in (0.05, 0.95))
    width = (last - first).days
    if width > _WIDEST:
        return everything
    middle = (first + (last - first) / 2).day_of_year
    half = width / 2 + params.season_weeks * _DAYS_A_WEEK
    apart = np.abs(reference[time.name].dt.day_of_year - middle)
    near = np.minimum(apart, _DAYS_A_YEAR - apart) <= half
    season = reference[near.fillna(value=False).to_numpy()]
    if len(season) < params.fewest_reference:
        return everything
    weeks = round(2 * half / _DAYS_A_WEEK)
    of = f"{len(season):,} reference rows of the same {weeks} weeks of the year"
    weekdays = asked.dt.day_of_week.value_counts(normalize=True)
    same = season[season[time.name].dt.day_of_week.isin(weekdays[weekdays > 0.01].index)]
    if len(weekdays) < _DAYS_A_WEEK and len(same) >= params.fewest_reference:
        return Compared(same, f"{len(same):,} reference rows of the same weekdays and {weeks} weeks of the year")
    return Compared(season, of)


def stretches(contract: Contract, rows: pd.DataFrame, window: pd.DataFrame) -> np.ndarray:
    """Which stretch of time, as long as the window, each row is from, shape (rows,); all from one without a time."""
    time = contract.time
    if time is None or not window[time.name].notna().any():
        return np.zeros(len(rows), dtype=int)
    asked = window[time.name].dropna()
    length = (asked.max() - asked.min()).days + 1
    days = (rows[time.name] - asked.min()).dt.days
    places: np.ndarray = np.floor_divide(days.fillna(0).to_numpy(dtype=int), length)
    return places
