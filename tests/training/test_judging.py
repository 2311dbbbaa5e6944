"""Splits, baselines and metrics, against what is known by hand or from scikit-learn."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from problems.base import Problem
from training import baselines, metrics, report
from training.split import TEST, TRAIN, VALIDATION, assign
from validation.errors import TableError


@given(days=st.lists(st.integers(0, 30), min_size=1, max_size=200), shares=st.sampled_from([(0.1, 0.2), (0.3, 0.3)]))
def test_splits_are_ordered_and_share_no_day(days: list[int], shares: tuple[float, float]) -> None:
    order = pd.Series(days)
    if order.nunique() < 3:
        with pytest.raises(TableError, match="needs three at least"):
            assign(order, *shares)
        return
    labels = assign(order, *shares)
    ranges = [order[labels == name] for name in (TRAIN, VALIDATION, TEST)]
    present = [values for values in ranges if len(values)]
    # strictly earlier: a day is in one split
    assert all(earlier.max() < later.min() for earlier, later in itertools.pairwise(present))
    assert len(present) == 3


def test_a_few_days_are_split_as_nearly_as_they_allow() -> None:
    quarters = assign(pd.Series([1] * 25 + [2] * 25 + [3] * 25 + [4] * 25), 0.1, 0.2)
    assert quarters.value_counts().to_dict() == {TRAIN: 50, VALIDATION: 25, TEST: 25}


def test_splits_have_their_shares() -> None:
    counts = assign(pd.Series(range(1000)), 0.1, 0.2).value_counts()
    assert counts.to_dict() == {TRAIN: 700, TEST: 200, VALIDATION: 100}


def number(score: dict[str, float | None], name: str) -> float:
    value = score[name]
    assert value is not None
    return value


@pytest.fixture
def fares() -> pd.DataFrame:
    return pd.DataFrame(
        {"origin": ["a", "a", "b"], "destination": "x", "cabin": "e", "agency": "c", "price": [10.0, 20.0, 60.0]}
    )


def test_the_lookup_knows_group_means_and_falls_back_to_the_mean(flights: Problem, fares: pd.DataFrame) -> None:
    asked = fares.assign(origin=["a", "b", "unseen"])
    assert baselines.lookup(flights.contract, fares, asked).tolist() == [15.0, 60.0, 30.0]
    assert baselines.mean(flights.contract, fares, asked).tolist() == [30.0] * 3


def test_metrics_equal_scikit_learn() -> None:
    random = np.random.default_rng(1)
    actual = random.uniform(10, 100, 500)
    predicted = actual + random.normal(0, 10, 500)
    scores = metrics.regression(actual, predicted, resamples=50, seed=1)
    assert scores["rmse"]["value"] == pytest.approx(sklearn.metrics.root_mean_squared_error(actual, predicted))
    assert scores["mae"]["value"] == pytest.approx(sklearn.metrics.mean_absolute_error(actual, predicted))
    assert scores["r2"]["value"] == pytest.approx(sklearn.metrics.r2_score(actual, predicted))
    assert scores["mape"]["value"] == pytest.approx(sklearn.metrics.mean_absolute_percentage_error(actual, predicted))
    assert scores["wmape"]["value"] == pytest.approx(np.abs(actual - predicted).sum() / actual.sum())
    assert scores["within_10_percent"]["value"] == pytest.approx(np.mean(np.abs(predicted / actual - 1) <= 0.1))
    assert all(number(score, "low") <= number(score, "value") <= number(score, "high") for score in scores.values())


def test_bootstrap_intervals_cover() -> None:
    """The mean absolute error of unit exponentials is 1; 95 % intervals hold it most of the time."""
    covered = 0
    for seed in range(100):
        errors = np.random.default_rng(seed).exponential(size=200)
        mae = metrics.regression(np.zeros(200), errors, resamples=200, seed=seed)["mae"]
        covered += number(mae, "low") <= 1.0 <= number(mae, "high")
    assert 86 <= covered <= 100


def test_metrics_that_are_not_defined_are_said_to_be_absent() -> None:
    scores = metrics.regression(np.zeros(5), np.ones(5), resamples=5, seed=1)
    assert scores["rmse"]["value"] == 1.0
    assert scores["r2"] == {"value": None, "low": None, "high": None}
    assert scores["mape"]["value"] is None
    document = {"rows": 5, "unit": None, "scores": {"model": scores}, "beats_lookup": True}
    assert "- [-, -]" in report.table(document)
    json.dumps(document, allow_nan=False)


def test_a_model_that_does_not_beat_the_lookup_is_told_so() -> None:
    scores = metrics.regression(np.arange(5.0), np.ones(5), resamples=5, seed=1)
    document = {"rows": 5, "unit": None, "scores": {"model": scores, "lookup": scores}, "beats_lookup": False}
    assert "does not beat a lookup" in report.table(document)
    assert "does not beat a lookup" not in report.table({**document, "beats_lookup": True})
