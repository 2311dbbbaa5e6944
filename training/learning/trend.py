"""Steady growth of a target in time, which trees cannot extrapolate; estimated on the training split."""

import numpy as np

from model.outcomes.regression import DAYS_A_YEAR, Trend, days_since_1970
from problems.base import Problem
from training.digits import rounded
from validation.contract import Kind
from validation.decode import Columns

_RATE_BITS = 20  # six digits, more than a rate is accurate to
_CERTAIN = 5.0
"""How many standard errors the growth must differ from zero, so that a table without growth gets no trend."""
_LEAST_VARIANCE = 1e-12
_MOST_NAMES = 100
_HARMONICS = 3
_CELLS = 30_000_000
_ROWS_A_COLUMN = 10
"""A regression with fewer rows per column means nothing; one with more cells than `_CELLS` takes gigabytes."""


def find(problem: Problem, known: Columns, held_out: Columns) -> Trend | None:
    """The growth of a positive target in time, or None where it is not certain.

    A log-linear regression on time, the seasons and the other columns gives the growth. It must be many standard
    errors away from zero, and must improve the same regression's predictions of later rows.

    Args:
        problem: whose columns these are.
        known: inputs and target of the training split.
        held_out: the same of the validation split.
    """
    time, target = problem.contract.time, problem.contract.target.name
    if time is None or known[target].min() <= 0 or held_out[target].min() <= 0:
        return None
    days = days_since_1970(known[time.name])
    if np.ptp(days) < DAYS_A_YEAR:  # less than a year cannot tell growth from season
        return None
    train = _sampled(problem, known)
    design, later = _designs(problem, train, held_out)
    if len(design) < _ROWS_A_COLUMN * design.shape[1]:
        return None
    years, years_later = (days_since_1970(part[time.name]) / DAYS_A_YEAR for part in (train, held_out))
    actual, actual_later = np.log(train[target]), np.log(held_out[target])
    plain, *_ = np.linalg.lstsq(design, actual, rcond=None)
    residual = years - design @ np.linalg.lstsq(design, years, rcond=None)[0]  # Frisch-Waugh-Lovell
    if residual @ residual < _LEAST_VARIANCE * (years @ years):  # the other columns determine the time
        return None
    rate = float(residual @ actual / (residual @ residual))
    errors = actual - design @ plain - rate * residual
    standard_error = np.sqrt(errors @ errors / max(len(residual) - design.shape[1] - 1, 1) / (residual @ residual))
    growing, *_ = np.linalg.lstsq(design, actual - rate * years, rcond=None)
    without_growth = np.sum((actual_later - later @ plain) ** 2)
    with_growth = np.sum((actual_later - later @ growing - rate * years_later) ** 2)
    # false, too, where numbers overflowed
    certain = abs(rate) >= _CERTAIN * standard_error and with_growth < without_growth
    rate = float(rounded(np.array(rate), _RATE_BITS))
    return Trend(time.name, rate, float(days.min()), float(days.max())) if certain else None


def _sampled(problem: Problem, columns: Columns) -> Columns:
    """As many rows as a regression can hold, drawn at random where that is not all of them."""
    widths = (_MOST_NAMES if column.kind is Kind.CATEGORY else 2 for column in problem.contract.inputs)
    rows, most = len(columns[problem.contract.target.name]), _CELLS // sum(widths)
    if rows <= most:
        return columns
    drawn = np.sort(np.random.default_rng(1).choice(rows, most, replace=False))
    return {name: values[drawn] for name, values in columns.items()}


def _designs(problem: Problem, train: Columns, held_out: Columns) -> tuple[np.ndarray, np.ndarray]:
    """An intercept, seasons, common names as indicators and numbers with their logarithms, for both splits."""
    columns: list[tuple[np.ndarray, np.ndarray]] = []
    parts = (train, held_out)
    for column in problem.contract.inputs:
        early, late = train[column.name], held_out[column.name]
        if column.kind is Kind.CATEGORY:
            names, counts = np.unique([str(value) for value in early], return_counts=True)
            common = names[counts.argsort()[::-1][:_MOST_NAMES]]
            columns += [(early == name, late == name) for name in common]
        elif column.kind in (Kind.DATE, Kind.TIMESTAMP):
            continue
        else:
            present = early[~np.isnan(early)]
            middle = float(np.median(present)) if len(present) else 0.0
            filled = [np.where(np.isnan(part), middle, part) for part in (early, late)]
            columns.append((filled[0], filled[1]))
            if min(values.min() for values in filled) >= 0:
                columns.append((np.log1p(filled[0]), np.log1p(filled[1])))
    time = problem.contract.time
    assert time is not None  # noqa: S101 for the type checker: `find` has checked
    angles = [days_since_1970(part[time.name]) / DAYS_A_YEAR * 2 * np.pi for part in parts]
    for turns in range(1, _HARMONICS + 1):
        columns += [(wave(turns * angles[0]), wave(turns * angles[1])) for wave in (np.sin, np.cos)]
    designs = [np.column_stack([np.ones(len(angle)), *(pair[i] for pair in columns)]) for i, angle in enumerate(angles)]
    return designs[0], designs[1]
