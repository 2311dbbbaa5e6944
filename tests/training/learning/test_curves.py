"""Curves of test rows: every row is in them once, and none shows a few rows by themselves."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.metrics import ReliabilityBins
from training.learning import curves, metrics
from training.learning.privacy import FEWEST

PROBABILITIES = st.floats(0, 1) | st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])
CLASSES = st.lists(st.tuples(st.booleans(), PROBABILITIES), min_size=1, max_size=300)
NUMBERS = st.floats(-1e9, 1e9).map(lambda number: round(number, 2)) | st.sampled_from([0.0, 1.0])


def columns(rows: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    actual, predicted = np.array(rows, dtype=np.float64).T
    return actual, predicted


@given(rows=CLASSES, threshold=st.floats(0.001, 0.999))
def test_a_curve_counts_every_row_at_every_threshold(rows: list[tuple[bool, float]], threshold: float) -> None:
    actual, predicted = columns(rows)
    curve = curves.of_thresholds(actual, predicted, threshold)
    assert threshold in curve.thresholds
    assert np.all(np.diff(curve.thresholds) > 0)
    for at, tp, fp, tn, fn in zip(curve.thresholds, curve.tp, curve.fp, curve.tn, curve.fn, strict=True):
        answered = predicted >= at
        assert tp + fn == actual.sum()
        assert tp + fp + tn + fn == len(rows)
        assert (tp, fp) == ((answered & (actual > 0)).sum(), (answered & (actual == 0)).sum())
    assert np.all(np.diff(curve.tp) <= 0)
    assert np.all(np.diff(curve.fp) <= 0)
    assert curve.tn[0] + curve.fn[0] == 0
    assert curve.tp[-1] + curve.fp[-1] == 0 or predicted.max() == 1 > threshold


@given(rows=CLASSES, threshold=st.floats(0.001, 0.999))
def test_thresholds_are_so_many_rows_apart(rows: list[tuple[bool, float]], threshold: float) -> None:
    curve = curves.of_thresholds(*columns(rows), threshold)
    steps = -np.diff(np.add(curve.tp, curve.fp))
    chosen = curve.thresholds.index(threshold)
    own = {chosen - 1, chosen}  # the steps to and from the model's threshold
    assert all(step >= FEWEST or place in own for place, step in enumerate(steps))


@given(rows=CLASSES, threshold=st.floats(0.001, 0.999))
def test_a_curve_and_bins_of_the_same_rows_reveal_no_few_together(
    rows: list[tuple[bool, float]], threshold: float
) -> None:
    actual, predicted = columns(rows)
    curve, bins = curves.of_thresholds(actual, predicted, threshold), curves.of_shares(actual, predicted, threshold)
    is_whole(bins, actual, predicted)
    borders = {0, *np.add(curve.tn, curve.fn).tolist(), *np.cumsum(bins.rows).tolist()}
    own = int((predicted < threshold).sum())
    assert np.all(np.diff(sorted(borders - {own})) >= min(FEWEST, len(rows)))
    assert own in (0, len(rows)) or own not in np.cumsum(bins.rows) or FEWEST <= own <= len(rows) - FEWEST


def test_a_test_split_has_about_a_hundred_round_thresholds() -> None:
    random = np.random.default_rng(1)
    predicted = random.beta(1, 4, 5_000)
    curve = curves.of_thresholds((random.random(5_000) < predicted).astype(float), predicted, 1 / 3)
    assert 90 <= len(curve.thresholds) <= 103
    assert np.median([len(str(threshold)) for threshold in curve.thresholds]) <= len("0.1234")


def is_whole(bins: ReliabilityBins, actual: np.ndarray, predicted: np.ndarray) -> None:
    """Every row is in one bin of enough rows, and the means of the bins are that of all."""
    assert sum(bins.rows) == len(actual)
    assert len(bins.rows) <= 10
    assert min(bins.rows) >= min(FEWEST, len(actual))
    for found, values in ((bins.actual, actual), (bins.predicted, predicted)):
        assert np.average(found, weights=bins.rows) == pytest.approx(values.mean(), rel=1e-6, abs=1e-6 * np.ptp(values))
    assert bins.predicted == sorted(bins.predicted)


@given(rows=CLASSES)
def test_bins_of_shares_have_every_row_once(rows: list[tuple[bool, float]]) -> None:
    actual, predicted = columns(rows)
    bins = curves.of_shares(actual, predicted)
    is_whole(bins, actual, predicted)
    ends = zip(bins.low, bins.actual, bins.high, strict=True)
    assert all(0 <= low <= share <= high <= 1 and low < high for low, share, high in ends)


@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=300))
def test_bins_of_means_have_every_row_once(rows: list[tuple[float, float]]) -> None:
    actual, predicted = columns(rows)
    bins = curves.of_means(actual, predicted, metrics.draws(len(rows), 20, 1))
    is_whole(bins, actual, predicted)
    assert all(low <= high for low, high in zip(bins.low, bins.high, strict=True))


def test_bins_are_deciles_and_equal_predictions_stay_together() -> None:
    predicted = np.arange(1_000) / 1_000
    assert curves.of_shares(np.zeros(1_000), predicted).rows == [100] * 10
    assert curves.of_shares(np.zeros(1_000), predicted, 1 / 3).rows == pytest.approx([100] * 10, abs=20)
    assert curves.of_shares(np.zeros(90), predicted[:90]).rows == [22, 23, 22, 23]
    bins = curves.of_shares(np.repeat([1.0, 0.0], 250), np.repeat([0.2, 0.9], [250, 250]))
    assert bins.predicted == pytest.approx([0.2, 0.9])
    assert (bins.rows, bins.actual) == ([250, 250], [1.0, 0.0])


def test_intervals_of_shares_are_wilsons() -> None:
    """As Agresti and Coull (1998) have them: 0 of 20 rows are at most 16 %, and 10 of 20 are 30 to 70 %."""
    low, high = metrics.wilson(np.array([0.0, 0.5]), np.array([20, 20]))
    assert low == pytest.approx([0.0, 0.299], abs=1e-3)
    assert high == pytest.approx([0.161, 0.701], abs=1e-3)


def test_intervals_of_means_are_those_of_the_bootstrap() -> None:
    random = np.random.default_rng(1)
    actual, weights = random.normal(size=30), metrics.draws(30, 200, 1)
    bins = curves.of_means(actual, random.normal(size=30), weights)
    assert [*bins.low, *bins.high] == pytest.approx(np.quantile(weights @ actual / 30, metrics.LEVELS))
