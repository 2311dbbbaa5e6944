"""How the answers of a window differ from those to the reference rows."""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from model import psi
from model.watched import Watched, score_columns
from monitoring.params import MonitorParams
from monitoring.verdict import Finding

_BINS = 20


def scores(table: pd.DataFrame) -> np.ndarray:
    """The scores of reference rows or of records, shape (rows, outputs)."""
    return table[names(table)].to_numpy(dtype=float)


def names(table: pd.DataFrame) -> list[str]:
    """The columns that hold the scores of reference rows or of records, in order."""
    return list(itertools.takewhile(table.columns.__contains__, score_columns(len(table.columns))))


def diverge(
    watched: Watched, before: np.ndarray, after: np.ndarray, params: MonitorParams, chance: float
) -> tuple[float, list[Finding]]:
    """How far the predictions of two tables are apart, and whether that counts.

    The Jensen-Shannon distance with logarithms to base 2, the root of the divergence (Lin, "Divergence measures based
    on the Shannon entropy", 1991): 0 of equal and 1 of separate distributions. Numbers and probabilities are cut at
    twentieths of the reference, classes are counted.

    Args:
        watched: the model.
        before: scores of reference rows, shape (rows, outputs).
        after: those of the window.
        params: the threshold.
        chance: a finding is less probable than this where nothing changed.
    """
    places = _places(watched, before, after)
    bins = int(max(values.max() for values in places)) + 1
    counts = np.array([np.bincount(values, minlength=bins) for values in places])
    counts = counts[:, counts.sum(axis=0) > 0]
    distance = _distance(*(psi.shares(row) for row in counts))
    by_chance = float(stats.chi2_contingency(counts, correction=False).pvalue) if counts.shape[1] > 1 else 1.0
    if distance <= params.divergence or by_chance >= chance:
        return distance, []
    sentence = f"The predictions are distributed otherwise than before (Jensen-Shannon distance {distance:.2f})."
    finding = Finding(kind="predictions", harmful=False, sentence=sentence, value=distance, threshold=params.divergence)
    return distance, [finding]


def _places(watched: Watched, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each row's answer in both."""
    outcome = watched.outcome
    if outcome.raw_scores > 1:
        return outcome.explained(before), outcome.explained(after)
    old, new = outcome.observed(before), outcome.observed(after)
    edges = np.unique(np.quantile(old, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, old), np.searchsorted(edges, new)


def _distance(before: np.ndarray, after: np.ndarray) -> float:
    middle = (before + after) / 2
    relative = [np.sum(share * np.log2(share / middle)) for share in (before, after)]
    return float(np.sqrt(max(sum(relative) / 2, 0.0)))
