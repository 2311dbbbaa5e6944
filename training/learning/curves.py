"""Figures of the test rows that readers go on with: what other thresholds would do, and how predictions hold by groups.

No group of a larger test, no step from one threshold to the next, and no difference between the two is of fewer than
`FEWEST` rows, so that none reveals a single one. The model's own threshold is always there: its recall and its
precision say as much.
"""

import bisect
import math
from collections.abc import Sequence

import numpy as np

from model.metrics import ReliabilityBins, ThresholdCurve
from training.digits import rounded
from training.learning.metrics import BITS, LEVELS, means_of, wilson
from training.learning.privacy import FEWEST

_MOST_BINS, _MOST_STEPS = 10, 100
_MOST_DECIMALS = 16


def of_thresholds(actual: np.ndarray, predicted: np.ndarray, threshold: float) -> ThresholdCurve:
    """The confusion at the model's threshold, at others, and where one class is always answered.

    Args:
        actual: 1.0 for the positive class and 0.0 for the other, shape (rows,).
        predicted: its probabilities, shape (rows,).
        threshold: of the model.
    """
    order = np.argsort(predicted, kind="stable")
    ranked, rows = predicted[order], len(order)
    cuts, chosen = _steps(ranked, threshold)
    if ranked[-1] >= 1:  # no probability is above this one
        cuts.remove(rows)
    places = np.array(cuts)
    missed = np.concatenate([[0.0], np.cumsum(actual[order])])[places].astype(int)
    found = int(actual.sum()) - missed
    return ThresholdCurve(
        thresholds=[threshold if place == chosen else _at(ranked, place) for place in cuts],
        tp=found.tolist(),
        fp=(rows - places - found).tolist(),
        tn=(places - missed).tolist(),
        fn=missed.tolist(),
    )


def _steps(ranked: np.ndarray, threshold: float) -> tuple[list[int], int]:
    """Where a curve cuts rising values, and which of these places is that of the model's threshold."""
    chosen = int(np.searchsorted(ranked, threshold))
    return _cuts(ranked, _MOST_STEPS, (chosen,)), chosen


def _at(ranked: np.ndarray, place: int) -> float:
    """The threshold with the fewest decimals that only the values from a place on reach."""
    if place == 0:
        return 0.0
    low, high = float(ranked[place - 1]), float(ranked[place]) if place < len(ranked) else 1.0
    rounder = (math.floor(high * 10**decimals) / 10**decimals for decimals in range(_MOST_DECIMALS))
    return next((value for value in rounder if low < value <= high), high)


def of_shares(actual: np.ndarray, predicted: np.ndarray, threshold: float | None = None) -> ReliabilityBins:
    """How often something was true by its probability, with Wilson's intervals.

    Args:
        actual: 1.0 where it was true and 0.0 elsewhere, shape (rows,).
        predicted: its probabilities, shape (rows,).
        threshold: of the model, where `of_thresholds` of the same rows is published too.
    """
    groups = _groups(predicted, threshold)
    shares = np.array([actual[group].mean() for group in groups])
    ends = wilson(shares, np.array([len(group) for group in groups]))
    return _bins(predicted, groups, shares, ends)


def of_means(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> ReliabilityBins:
    """The means of true numbers by what was predicted, with bootstrap intervals.

    Args:
        actual: targets, shape (rows,).
        predicted: predictions, shape (rows,).
        weights: bootstrap weights, shape (resamples, rows).
    """
    groups = _groups(predicted)
    means = np.array([actual[group].mean() for group in groups])
    inside = np.zeros((len(actual), len(groups)))
    for place, group in enumerate(groups):
        inside[group, place] = 1.0
    counts, totals = np.split(means_of(np.column_stack([inside, inside * actual[:, None]]), weights), 2, axis=1)
    drawn = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    return _bins(predicted, groups, means, np.nanquantile(drawn, LEVELS, axis=0))


def _bins(predicted: np.ndarray, groups: Sequence[np.ndarray], actual: np.ndarray, ends: np.ndarray) -> ReliabilityBins:
    means = np.array([predicted[group].mean() for group in groups])
    middle, true, low, high = (rounded(values, BITS).tolist() for values in (means, actual, *ends))
    return ReliabilityBins(middle, true, low, high, [len(group) for group in groups])


def _groups(predicted: np.ndarray, threshold: float | None = None) -> list[np.ndarray]:
    """The places of rows in groups of about equal size by their predictions, the lowest first."""
    order = np.argsort(predicted, kind="stable")
    ranked = predicted[order]
    return np.split(order, _cuts(ranked, _MOST_BINS)[1:-1] if threshold is None else _of_steps(ranked, threshold))


def _of_steps(ranked: np.ndarray, threshold: float) -> list[int]:
    """Those of a curve's cuts that are nearest to parts of equal size: other cuts, less a curve's, leave few rows."""
    rows = len(ranked)
    steps = [place for place in _steps(ranked, threshold)[0] if FEWEST <= place <= rows - FEWEST]
    parts = min(_MOST_BINS, max(rows // FEWEST, 1)) if steps else 1
    return sorted({min(steps, key=lambda step: abs(step - part * rows / parts)) for part in range(1, parts)})


def _cuts(ranked: np.ndarray, most: int, fixed: Sequence[int] = ()) -> list[int]:
    """Where rising values are cut, both ends included, and `fixed` ones: parts of about equal size between them.

    Equal values stay together. No part is of fewer than `FEWEST` values, but where both of its ends are fixed.
    """
    rows = len(ranked)
    cuts = sorted({0, rows, *fixed})
    parts = min(most, max(rows // FEWEST, 1))
    for place in np.searchsorted(ranked, ranked[np.arange(1, parts) * rows // parts]).tolist():
        after = bisect.bisect_right(cuts, place)
        if place - cuts[after - 1] >= FEWEST and cuts[after] - place >= FEWEST:
            cuts.insert(after, place)
    return cuts
