"""How good answers were, once their true values have come: losses, coverage and slices."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from model import loss
from model.loss import Loss
from model.watched import Watched
from monitoring import answers, intervals
from monitoring.journal import KEY, PREDICTION_ID
from monitoring.truth import ACTUAL, encoded, held_out
from monitoring.verdict import Coverage, Figure, LiveSlice
from validation.contract import Column, Kind

FEWEST = 30
"""Of fewer labelled rows nothing is said."""
_MISSING = "(missing)"


class Judged(NamedTuple):
    """Rows whose true value is known, and what the model made of them.

    Attributes:
        rows: as `truth.with_truth` gives them, without those whose true value is none that the model knows.
        loss: what the model is judged by.
        losses: by that, shape (rows,).
        covered: whether intervals or sets have the true value, shape (rows,); None of a model that has none.
        promised: the share that they are to cover.
    """

    rows: pd.DataFrame
    loss: Loss
    losses: np.ndarray
    covered: np.ndarray | None
    promised: float | None


def judge(watched: Watched, rows: pd.DataFrame) -> Judged:
    """The losses of the labelled ones among answered rows.

    Args:
        watched: the version whose outcome and loss count.
        rows: with scores and ACTUAL; rows of other versions may be among them if they answer the same classes.
    """
    actual, outcome = encoded(watched, rows[ACTUAL]), watched.outcome
    scores = answers.scores(rows)
    known = np.isfinite(actual) & np.isfinite(scores).all(axis=1)
    actual, scores = actual[known], scores[known]
    by = loss.of(watched.loss)
    losses = by.rows(actual, outcome.judged(scores))
    covered = None if outcome.promised is None else outcome.covered(scores, actual)
    return Judged(rows[known], by, losses, covered, outcome.promised)


def judge_reference(watched: Watched, reference: pd.DataFrame) -> Judged:
    """The same of the reference rows that the model did not learn from."""
    return judge(watched, held_out(watched.columns(), reference))


def coverage(live: Judged) -> Coverage | None:
    """How many true values were in their interval or set; None of too few rows, and without intervals."""
    if live.covered is None or live.promised is None or len(live.covered) < FEWEST:
        return None
    return Coverage(live.promised, intervals.share(live.covered), len(live.covered))


def slices(watched: Watched, before: Judged, live: Judged, enough: int) -> list[LiveSlice]:
    """Each name of a category and each flag that has `enough` labelled rows; the largest loss first."""
    found = [
        LiveSlice(column, value, len(places), _of(live, places), _before(before, column, value, enough))
        for column, value, places in _parts(list(watched.columns().inputs), live.rows, max(enough, FEWEST))
    ]
    return sorted(found, key=lambda each: -each.true.value)


def groups(rows: pd.DataFrame) -> np.ndarray | None:
    """Numbers of rows that one caller's key ties together, shape (rows,); None where rows have no keys.

    Rows without a key are each by themselves.
    """
    columns = [name for name in map(str, rows.columns) if name.startswith(KEY)]
    if not columns:
        return None
    keyed = rows[columns].notna().any(axis=1)
    names = rows[columns].astype("str").agg("|".join, axis=1).where(keyed, rows[PREDICTION_ID])
    numbers: np.ndarray = pd.factorize(names)[0]
    return numbers


def _of(judged: Judged, places: np.ndarray) -> Figure:
    return intervals.score(judged.loss, judged.losses[places]).figure(groups(judged.rows.iloc[places]))


def _before(before: Judged, column: str, value: str, enough: int) -> Figure | None:
    places = np.flatnonzero((_names(before.rows[column]) == value).to_numpy())
    return intervals.score(before.loss, before.losses[places]).figure() if len(places) >= enough else None


def _parts(columns: list[Column], rows: pd.DataFrame, enough: int) -> Iterator[tuple[str, str, np.ndarray]]:
    for column in columns:
        if column.kind in (Kind.CATEGORY, Kind.FLAG):
            names = _names(rows[column.name])
            counts = names.value_counts()
            for name in sorted(counts[counts >= enough].index):
                yield column.name, str(name), np.flatnonzero((names == name).to_numpy())


def _names(values: pd.Series) -> pd.Series:
    return values.astype("str").fillna(_MISSING)
