"""What classifications are judged by, against scikit-learn and by hand."""

import json
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from model import loss
from model.metrics import Score, Scores
from training.learning import metrics

ONCE = np.ones((1, 4))
METRICS = {"regression": "rmse", "binary": "binary_logloss"}
"""What LightGBM calls the metric where it has another name than the objective."""


def binary(actual: np.ndarray, predicted: np.ndarray, resamples: int = 50) -> Scores:
    return metrics.binary(actual, predicted, metrics.draws(len(actual), resamples, 1))


def test_metrics_equal_scikit_learn() -> None:
    random = np.random.default_rng(1)
    predicted = random.random(800)
    actual = (random.random(800) < predicted).astype(np.float64)
    scores = binary(actual, predicted)
    assert scores["roc_auc"].value == pytest.approx(sklearn.metrics.roc_auc_score(actual, predicted))
    assert scores["log_loss"].value == pytest.approx(sklearn.metrics.log_loss(actual, predicted))
    assert scores["brier"].value == pytest.approx(sklearn.metrics.brier_score_loss(actual, predicted))
    for name in ("roc_auc", "log_loss", "brier"):
        value, low, high = scores[name].value, scores[name].low, scores[name].high
        assert value is not None
        assert low is not None
        assert high is not None
        assert low < value < high


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=60).filter(
        lambda rows: len({happened for happened, _, times in rows if times}) == 2
    )
)
def test_the_area_counts_ties_half_and_weights_as_repetitions(rows: list[tuple[bool, int, int]]) -> None:
    happened, rank, times = (np.array(values) for values in zip(*rows, strict=True))
    [area] = metrics.roc_auc(happened.astype(float), rank / 6, times[None, :].astype(np.float32))
    expected = sklearn.metrics.roc_auc_score(np.repeat(happened, times), np.repeat(rank / 6, times))
    assert area == pytest.approx(expected)


def test_the_area_of_one_answer_to_everything_is_a_half() -> None:
    assert metrics.roc_auc(np.array([0.0, 1.0, 1.0, 0.0]), np.full(4, 0.3), ONCE).tolist() == [0.5]


def test_the_calibration_error_by_hand() -> None:
    """Three bins: 0.1 too little for half of the rows, 0.35 too little for a quarter, 0 for the last."""
    predicted = np.array([0.02, 0.08, 0.65, 1.0])
    actual = np.array([0.0, 0.3, 1.0, 1.0])
    expected = abs(0.02 + 0.08 - 0.3) / 4 + abs(0.65 - 1) / 4 + 0.0
    assert binary(actual, predicted)["ece"].value == pytest.approx(expected)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_probabilities_that_come_true_have_no_calibration_error(probability: float) -> None:
    actual = np.repeat([0.0, 1.0], [round(1_000 * (1 - probability)), round(1_000 * probability)])
    assert binary(actual, np.full(1_000, probability))["ece"].value == pytest.approx(0.0, abs=1e-12)


def test_a_sure_mistake_costs_much_and_not_infinitely() -> None:
    scores = binary(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert scores["log_loss"].value == pytest.approx(-np.log(1e-15), rel=0.01)
    json.dumps(msgspec.to_builtins(scores), allow_nan=False)


def test_rows_of_one_class_have_no_area() -> None:
    scores = binary(np.ones(6), np.linspace(0.1, 0.9, 6))
    assert scores["roc_auc"] == Score(None, None, None)
    assert scores["brier"].value is not None
    json.dumps(msgspec.to_builtins(scores), allow_nan=False)


def test_shares_have_intervals_and_leave_out_resamples_without_rows() -> None:
    held = np.array([True, True, True, False])
    assert metrics.share(held, np.array([[1, 1, 1, 1], [0, 0, 0, 0], [2, 2, 0, 0]])).value == 0.75
    weights = metrics.draws(4, 200, 1)
    share = metrics.share(held, weights)
    assert share == Score(0.75, 0.25, 1.0)
    nothing = metrics.share(held, np.zeros((3, 4)))
    assert nothing == Score(0.75, None, None)


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ("regression", "rmse"),
        ("regression_l1", "mae"),
        ("huber", "huber"),
        ("fair", "fair"),
        ("quantile", "pinball"),
        ("mape", "bounded_mape"),
        ("binary", "log_loss"),
    ],
)
def test_what_models_are_compared_by_is_what_they_are_trained_on_and_judged_by(objective: str, name: str) -> None:
    random = np.random.default_rng(3)
    predicted = random.uniform(0.05, 0.95, 300)
    actual = random.random(300) * 4
    if objective == "binary":
        actual = (random.random(300) < predicted).astype(np.float64)
    settings = {"alpha": 0.3, "fair_c": 0.7}
    stated = loss.stated(objective, {**settings, "num_leaves": 4})
    assert stated == {"name": name, "objective": objective, **settings}
    judge = metrics.with_loss(metrics.binary if objective == "binary" else metrics.regression, loss.of(stated))
    judged = metrics.number(judge(actual, predicted, metrics.draws(300, 5, 1))[name])
    answered = np.log(predicted / (1 - predicted)) if objective == "binary" else predicted
    data = lightgbm.Dataset(np.arange(300.0)[:, None], actual, init_score=answered)
    how = {"objective": objective, "metric": METRICS.get(objective, objective), "learning_rate": 1e-12, **settings}
    measured: dict[str, Any] = {}
    lightgbm.train(
        {**how, "verbosity": -1},
        data,
        num_boost_round=1,
        valid_sets=[data],
        callbacks=[lightgbm.record_evaluation(measured)],
    )
    [[trained]] = measured["training"].values()
    assert judged == pytest.approx(trained)
    mean = float(loss.of(stated).rows(actual, predicted).mean())
    assert loss.of(stated).score(mean) == pytest.approx(judged)


def test_a_score_that_is_not_defined_is_worse_than_any() -> None:
    assert metrics.number(Score(None, None, None)) == float("inf")
    assert metrics.number(Score(0.5, 0.4, 0.6)) == 0.5
