"""Outcomes: from a booster's raw score to what a caller reads, and explanations that still add up."""

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from model import bundle
from model.outcomes.binary import Binary
from model.outcomes.regression import Regression, Trend
from model.predictor import Predictor
from tests.project import Project
from validation.wire import Interval

numbers = st.floats(-1e6, 1e6, allow_nan=False)
DAY = 86_400
TREND = Trend(column="date", rate=0.1, first=10_000.0, last=11_000.0)
PLAIN = Regression(coverage=0.9, width=2.0, factors={}, trend=None, low=None, high=None)


def dates(*days: int) -> dict[str, np.ndarray]:
    return {"date": np.array(days).astype("datetime64[D]")}


def test_the_index_is_one_at_the_last_day_of_training_and_grows_by_the_rate() -> None:
    at_end, year_later = TREND.index(dates(11_000, 11_365))
    assert at_end == 1.0
    assert year_later == pytest.approx(np.exp(0.1 * 365 / 365.25))


def test_the_index_stands_still_before_training_and_long_after() -> None:
    """It goes on for as long as training was long, and no further: nobody knows that growth lasts for ever."""
    first, before, until, after = TREND.index(dates(10_000, 0, 12_000, 99_000))
    assert before == first == pytest.approx(np.exp(-0.1 * 1_000 / 365.25))
    assert after == until == pytest.approx(np.exp(0.1 * 1_000 / 365.25))


def test_the_index_reads_hours_of_timestamps() -> None:
    noon = np.array([11_000 * DAY + DAY // 2]).astype("datetime64[s]").astype("datetime64[us]")
    [index] = TREND.index({"date": noon})
    assert index == pytest.approx(np.exp(0.1 * 0.5 / 365.25), rel=1e-7)


@given(
    raw=st.lists(numbers, min_size=1, max_size=20),
    width=st.floats(0, 1e3),
    spread=st.floats(1e-9, 1e6),
    bounds=st.tuples(st.none() | numbers, st.none() | numbers),
    rate=st.none() | st.floats(-1, 1),
)
def test_an_interval_holds_its_prediction_and_keeps_within_the_bounds(
    raw: list[float], width: float, spread: float, bounds: tuple[float | None, float | None], rate: float | None
) -> None:
    low, high = bounds
    if low is not None and high is not None and low > high:
        low, high = high, low
    trend = None if rate is None else Trend("date", rate, 10_000.0, 11_000.0)
    outcome = Regression(0.9, width, {}, trend, low, high)
    values = np.array(raw)
    scores = outcome.scores(values, np.full(len(raw), spread), dates(*[11_100] * len(raw)))
    assert (scores[:, 1] <= scores[:, 0]).all()
    assert (scores[:, 0] <= scores[:, 2]).all()
    for value, start, end in scores:
        # a prediction beyond a bound is its interval's end: it never says less than it predicts
        assert low is None or start >= min(low, value)
        assert high is None or end <= max(high, value)


def test_widths_are_spread_times_the_factors_of_a_rows_categories() -> None:
    outcome = msgspec.structs.replace(PLAIN, factors={"cabin": {"first": 3.0}, "agency": {"a": 0.5}})
    columns = {
        "cabin": np.array(["first", "first", "unheard", None], dtype=object),
        "agency": np.array(["a", "b", "a", None], dtype=object),
    }
    scores = outcome.scores(np.full(4, 100.0), np.full(4, 10.0), columns)
    assert ((scores[:, 2] - scores[:, 1]) / 2).tolist() == [2 * 10 * 1.5, 2 * 10 * 3.0, 2 * 10 * 0.5, 2 * 10]


def test_an_interval_grows_with_the_prediction() -> None:
    outcome = msgspec.structs.replace(PLAIN, trend=TREND)
    now, later = outcome.scores(np.full(2, 100.0), np.full(2, 10.0), dates(11_000, 11_365))
    np.testing.assert_allclose(later / now, later[0] / now[0])
    assert outcome.answers(now[None, :])[0].interval == Interval(80.0, 120.0, 0.9)


def test_growth_belongs_to_the_time_column_and_explanations_add_up() -> None:
    outcome = msgspec.structs.replace(PLAIN, trend=TREND)
    shares = np.array([[1.0, 2.0, 97.0], [3.0, -1.0, 97.0]])  # cabin, date, base value
    given_before, raw, columns = shares.copy(), shares.sum(axis=1), dates(10_500, 11_365)
    [explained] = outcome.contributions(shares[:, None], raw, columns, ["cabin", "date"]).swapaxes(0, 1)
    scores = outcome.scores(raw, np.ones(2), columns)
    np.testing.assert_allclose(explained.sum(axis=1), scores[:, 0])
    np.testing.assert_array_equal(explained[:, [0, 2]], shares[:, [0, 2]])
    np.testing.assert_allclose(explained[:, 1] - shares[:, 1], raw * (TREND.index(columns) - 1))
    np.testing.assert_array_equal(shares, given_before)  # what was handed in is left as it was


@given(
    shares=st.lists(st.tuples(*[st.floats(-20, 20)] * 4), min_size=1, max_size=20),
    slope=st.floats(0.01, 5),
    intercept=st.floats(-5, 5),
)
def test_log_odds_add_up_to_the_probability(shares: list[tuple[float, ...]], slope: float, intercept: float) -> None:
    outcome = Binary(("No", "Yes"), slope, intercept, 0.5)
    values = np.array(shares)
    raw = values.sum(axis=1)
    _, explained = outcome.contributions(values[:, None].copy(), raw, {}, ["a", "b", "c"]).swapaxes(0, 1)
    probability = outcome.scores(raw, raw, {})[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-explained.sum(axis=1))), probability, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(("positive", "label"), [(0.0, "No"), (0.249, "No"), (0.25, "Yes"), (1.0, "Yes")])
def test_the_threshold_decides_the_label(positive: float, label: str) -> None:
    [answer] = Binary(("No", "Yes"), 1.0, 0.0, 0.25).answers(np.array([[positive]]))
    assert answer.prediction == label
    assert answer.probabilities == {"No": 1.0 - positive, "Yes": positive}
    assert answer.interval is UNSET


def test_extreme_scores_stay_probabilities() -> None:
    scores = Binary(("No", "Yes"), 1.0, 0.0, 0.5).scores(np.array([-1e9, 0.0, 1e9]), np.zeros(3), {})
    assert scores[:, 0].tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert ((scores >= 0) & (scores <= 1)).all()


def test_no_rows_have_no_scores() -> None:
    empty = np.empty(0)
    columns: dict[str, np.ndarray] = {"date": empty.astype("datetime64[D]"), "cabin": empty.astype(object)}
    outcome = msgspec.structs.replace(PLAIN, trend=TREND, factors={"cabin": {"first": 2.0}})
    assert outcome.scores(empty, empty, columns).shape == (0, 3)
    assert Binary(("No", "Yes"), 1.0, 0.0, 0.5).scores(empty, empty, {}).shape == (0, 1)


def test_a_trained_models_explanations_carry_its_growth(trained: Project, row: dict[str, Any]) -> None:
    """The same boosters with the growth and without: the difference is what the date is said to contribute."""
    opened = bundle.read(trained.folder / "data/flights/bundle")
    outcome = opened.manifest.outcome
    assert isinstance(outcome, Regression)
    assert outcome.trend is not None  # the simulated market grows
    flat = dataclasses.replace(opened.model, outcome=msgspec.structs.replace(outcome, trend=None))
    models = (Predictor(opened.model), Predictor(flat))
    later = {**row, "date": "2030-01-01"}
    [grown], [dull] = (model.explain([later]).explanations for model in models)
    assert isinstance(grown.prediction, float)
    assert isinstance(dull.prediction, float)
    assert grown.prediction > dull.prediction
    assert grown.base_value == dull.base_value
    for name, share in grown.contributions.items():
        extra = grown.prediction - dull.prediction if name == outcome.trend.column else 0.0
        assert share - dull.contributions[name] == pytest.approx(extra, abs=1e-6)
