"""What answers promise: intervals that cover, growth that is there, probabilities that come true."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.outcomes.regression import Trend
from model.predictor import Predictor
from problems.base import Problem
from training.data import tables
from training.learning import conformal, metrics, probability, trend
from training.learning.params import PairCosts, TrainParams
from training.learning.tasks.binary import BinaryTask
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role
from validation.decode import Columns
from validation.errors import SettingsError, TableError

COLUMNS = (
    Column(name="cabin", kind=Kind.CATEGORY, example="a"),
    Column(name="agency", kind=Kind.CATEGORY, example="x"),
    Column(name="km", kind=Kind.REAL, example=1.0),
    Column(name="date", kind=Kind.DATE, role=Role.TIME, example="2020-01-01"),
)
PRICE = Column(name="price", kind=Kind.REAL, role=Role.TARGET)
FARES = Problem(name="fares", title="Fares", contract=Contract((*COLUMNS, PRICE)))
TIMELESS = Problem(name="fares", title="Fares", contract=Contract((*COLUMNS[:3], PRICE)))
SCALES = {"a": 1.0, "b": 3.0, "c": 0.3, "rare": 2.0}


def simulated(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, Columns]:
    """Errors of rows, what a second model says about their size (it knows km and no category), and their inputs."""
    cabins = random.choice(list(SCALES), rows, p=[0.5, 0.3, 0.19, 0.01]).astype(object)
    agencies = random.choice(["x", "y"], rows).astype(object)
    size = random.uniform(0.5, 5, rows)
    scale = size * np.array([SCALES[name] for name in cabins]) * np.where(agencies == "y", 1.5, 1.0)
    return random.standard_t(4, rows) * scale, size, {"cabin": cabins, "agency": agencies}


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), coverage=st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_intervals_cover_new_rows_over_all_and_in_every_category(seed: int, coverage: float) -> None:
    random = np.random.default_rng(seed)
    errors, size, columns = simulated(random, 5_000)
    outcome = conformal.calibrate(TIMELESS, coverage, None, errors, size, columns)
    new_errors, new_size, new_columns = simulated(random, 40_000)
    scores = outcome.scores(-new_errors, new_size, new_columns)  # the actual value is 0
    covered = (scores[:, 1] <= 0) & (scores[:, 2] >= 0)

    def near(where: np.ndarray, learned_from: int) -> bool:
        # five standard deviations of what so many calibration rows can know, and of the test's own chance
        doubt = np.sqrt(coverage * (1 - coverage) * (1 / learned_from + 1 / where.sum()))
        return bool(abs(covered[where].mean() - coverage) < 5 * doubt + 0.005)

    assert near(np.ones(len(covered), dtype=bool), len(errors))
    for column, names in (("cabin", "abc"), ("agency", "xy")):
        for name in names:
            assert near(new_columns[column] == name, int((columns[column] == name).sum())), (column, name)


def test_rare_values_have_no_factor_of_their_own() -> None:
    errors, size, columns = simulated(np.random.default_rng(1), 5_000)
    assert (columns["cabin"] == "rare").sum() < conformal.ENOUGH_ROWS
    factors = conformal.calibrate(TIMELESS, 0.9, None, errors, size, columns).factors
    assert {column: set(found) for column, found in factors.items()} == {"cabin": {"a", "b", "c"}, "agency": {"x", "y"}}
    assert factors["cabin"]["b"] / factors["cabin"]["a"] == pytest.approx(3.0, rel=0.2)
    assert factors["agency"]["y"] / factors["agency"]["x"] == pytest.approx(1.5, rel=0.2)


@pytest.mark.parametrize("columns", [3, 20])
def test_many_factors_do_not_flatter_the_intervals(columns: int) -> None:
    """Twenty columns of fifteen names have a factor for each, made of 2,000 rows that none of them matters to."""
    random = np.random.default_rng(columns)
    names = [f"c{place}" for place in range(columns)]
    problem = Problem(
        name="many",
        title="Many",
        contract=Contract((*(Column(name=name, kind=Kind.CATEGORY) for name in names), PRICE)),
    )

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray, Columns]:
        labels = random.integers(0, 15, (columns, rows)).astype(str).astype(object)
        return random.normal(size=rows), np.ones(rows), dict(zip(names, labels, strict=True))

    covered = []
    for _ in range(3):
        outcome = conformal.calibrate(problem, 0.9, None, *drawn(2_000))
        errors, spread, inputs = drawn(20_000)
        scores = outcome.scores(-errors, spread, inputs)
        covered.append(((scores[:, 1] <= 0) & (scores[:, 2] >= 0)).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)


def test_a_model_without_errors_has_intervals_without_width() -> None:
    _, size, columns = simulated(np.random.default_rng(1), 500)
    outcome = conformal.calibrate(TIMELESS, 0.9, None, np.zeros(500), size, columns)
    assert (outcome.width, outcome.factors) == (0.0, {})


@pytest.mark.parametrize(("rows", "coverage"), [(9, 0.9), (19, 0.9), (50, 0.8), (99, 0.95)])
def test_the_conformal_quantile_covers_the_share_that_theory_says(rows: int, coverage: float) -> None:
    """Of exchangeable scores, a new one is at most the k-th of n with probability k / (n + 1), whatever their law."""
    random = np.random.default_rng(rows)
    draws = random.exponential(size=(20_000, rows + 1))
    held = [
        new <= conformal.quantile(known, coverage) for *known_list, new in draws for known in [np.array(known_list)]
    ]
    expected = min(np.ceil((rows + 1) * coverage), rows) / (rows + 1)
    assert np.mean(held) == pytest.approx(expected, abs=0.01)


@given(scores=st.lists(st.floats(0, 1e9), min_size=1, max_size=300), coverage=st.floats(0.5, 0.99))
def test_the_conformal_quantile_covers_its_own_scores(scores: list[float], coverage: float) -> None:
    values = np.array(scores)
    assert (values <= conformal.quantile(values, coverage)).mean() >= coverage - 1e-12 or (
        conformal.quantile(values, coverage) == values.max()
    )


def market(seed: int, days: int, rate: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Fares that grow by `rate` a year, with seasons; the last tenth of the days is held out."""
    random = np.random.default_rng(seed)
    day = np.sort(random.integers(0, days, 4_000))
    cabins = random.choice(["a", "b"], 4_000).astype(object)
    km = random.uniform(100, 3_000, 4_000)
    years = day / 365.25
    logs = 3 + 0.6 * np.log(km) + 0.5 * (cabins == "b") + 0.2 * np.sin(2 * np.pi * years) + rate * years
    table = {
        "cabin": cabins,
        "agency": np.full(4_000, "x", dtype=object),
        "km": km,
        "date": (np.datetime64("2020-01-01") + day).astype("datetime64[D]"),
        "price": np.exp(logs + random.normal(0, 0.15, 4_000)),
    }
    known = day < 0.9 * days
    return {name: v[known] for name, v in table.items()}, {name: v[~known] for name, v in table.items()}


@pytest.mark.parametrize("rate", [0.15, 0.05, -0.1])
@pytest.mark.parametrize("days", [600, 1_500])
def test_growth_is_found_and_measured(rate: float, days: int) -> None:
    known, held_out = market(1, days, rate)
    found = trend.find(FARES, known, held_out)
    assert found is not None
    assert found.rate == pytest.approx(rate, abs=0.02)
    assert found.column == "date"
    assert np.datetime64("1970-01-01") + int(found.last) == known["date"].max()
    assert isinstance(found, Trend)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), days=st.sampled_from([400, 600, 1_500]))
def test_no_growth_is_found_where_there_is_none(seed: int, days: int) -> None:
    """Seasons, and more than a year that starts and ends in different ones, are no growth."""
    assert trend.find(FARES, *market(seed, days, 0.0)) is None


def test_less_than_a_year_cannot_tell_growth_from_season() -> None:
    assert trend.find(FARES, *market(1, 300, 0.5)) is None


def test_targets_without_time_or_without_logarithm_have_no_growth() -> None:
    known, held_out = market(1, 900, 0.15)
    assert trend.find(TIMELESS, known, held_out) is None
    assert trend.find(FARES, {**known, "price": known["price"] - known["price"].min()}, held_out) is None
    assert trend.find(FARES, known, {**held_out, "price": -held_out["price"]}) is None


def test_growth_that_has_ended_is_not_carried_on() -> None:
    """Certain in training, and wrong about the rows after it: the held-out rows have the last word."""
    known, held_out = market(1, 900, 0.15)
    assert trend.find(FARES, known, {**held_out, "price": held_out["price"] * 0.6}) is None


def odds(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """True log-odds, and what happened."""
    random = np.random.default_rng(seed)
    true = random.normal(-1, 1.5, rows)
    return true, (random.random(rows) < 1 / (1 + np.exp(-true))).astype(np.float64)


def ece(actual: np.ndarray, predicted: np.ndarray) -> float:
    value = metrics.binary(actual, predicted, metrics.draws(len(actual), 2, 1))["ece"].value
    assert value is not None
    return value


@pytest.mark.parametrize(("stretch", "shift"), [(3.0, 1.0), (0.3, 0.0), (1.0, -2.0)])
def test_scores_that_say_too_much_or_too_little_become_probabilities(stretch: float, shift: float) -> None:
    true, happened = odds(1, 4_000)
    outcome = probability.of_two(("No", "Yes"), 0.5, 0.9, stretch * true + shift, happened)
    assert outcome.slope == pytest.approx(1 / stretch, rel=0.15)
    later, then = odds(2, 20_000)
    raw = stretch * later + shift
    assert ece(then, 1 / (1 + np.exp(-raw))) > 0.05
    assert ece(then, outcome.scores(raw, raw, {})[:, 0]) < 0.02


@pytest.mark.parametrize(
    ("raw", "happened"),
    [([1.0, 2.0], [1.0, 1.0]), ([1.0, 1.0], [0.0, 1.0]), ([2.0, 1.0, 0.0], [0.0, 0.0, 1.0]), ([], [])],
    ids=["one class", "one score", "contradiction", "nothing"],
)
def test_rows_that_cannot_calibrate_leave_scores_as_they_are(raw: list[float], happened: list[float]) -> None:
    outcome = probability.of_two(("No", "Yes"), 0.5, 0.9, np.array(raw), np.array(happened))
    assert (outcome.slope, outcome.intercept) == (1.0, 0.0)


@pytest.mark.parametrize("costs", [(1.0, 1.0), (1.0, 3.0), (5.0, 1.0)])
def test_the_threshold_costs_least(costs: tuple[float, float]) -> None:
    chosen = PairCosts(*costs).threshold
    assert chosen == pytest.approx(costs[0] / sum(costs))
    true, happened = odds(3, 200_000)
    chances = 1 / (1 + np.exp(-true))

    def cost(threshold: float) -> float:
        answered = chances >= threshold
        return float(costs[0] * np.mean(answered & (happened == 0)) + costs[1] * np.mean(~answered & (happened == 1)))

    assert all(cost(chosen) < cost(other) for other in (chosen - 0.1, chosen + 0.1))


def leaving(kind: Kind = Kind.CATEGORY, choices: tuple[str, ...] | None = None) -> Problem:
    target = Column(name="left", kind=kind, role=Role.TARGET, choices=choices)
    return Problem(name="leaving", title="Who leaves", contract=Contract((COLUMNS[2], target)))


ASKED = {"Yes": 3.0}


def test_class_weights_weigh_rows_of_their_class() -> None:
    silver = pd.DataFrame({"left": ["No", "No", "No", "Yes"]})
    aims = BinaryTask(leaving(), silver)
    actual = aims.encode(silver)
    assert actual.tolist() == [0.0, 0.0, 0.0, 1.0]
    weights = aims.weights(ASKED, actual, actual)
    assert weights is not None
    assert weights.tolist() == [1.0, 1.0, 1.0, 3.0]
    balanced = aims.weights("balanced", actual, actual)
    assert balanced is not None
    assert balanced[actual == 0].sum() == pytest.approx(balanced[actual == 1].sum())
    assert balanced.sum() == pytest.approx(4.0)
    assert aims.weights(None, actual, actual) is None


def test_a_class_weight_of_an_unknown_class_is_refused() -> None:
    silver = pd.DataFrame({"left": ["No", "Yes"]})
    with pytest.raises(SettingsError, match="class_weights names 'Maybe'; the classes are No, Yes"):
        BinaryTask(leaving(), silver).weights({"Maybe": 2.0}, np.array([0.0, 1.0]), np.array([0.0, 1.0]))


def test_intervals_follow_difficulty_where_the_booster_learned_noise_by_heart() -> None:
    """Known noise, ten times as large in a third of the rows, and a booster that learns all of it."""
    random = np.random.default_rng(2)
    hard = random.random(12_000) < 0.3
    x = random.random((12_000, 3))
    noisy = pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        hard=pd.Series(hard, dtype="boolean"),
        y=20 * x[:, 0] + 10 * np.sin(6 * x[:, 1]) + random.normal(size=12_000) * np.where(hard, 10.0, 1.0),
    )
    contract = Contract(
        (
            *(Column(name=name, kind=Kind.REAL) for name in "abc"),
            Column(name="hard", kind=Kind.FLAG),
            Column(name="y", kind=Kind.REAL, role=Role.TARGET),
        )
    )
    booster = {"num_threads": 1, "num_leaves": 127, "min_data_in_leaf": 1}
    problem, how = Problem(name="noise", title="", contract=contract), TrainParams(200, 200, 1, booster)
    parts = {"train": noisy[:4_000], "validation": noisy[4_000:4_400], "calibration": noisy[4_400:6_000]}
    learned = learn(problem, how, parts).model
    test = noisy[6_000:]
    _, scores = tables.ask(Predictor(learned), test)
    covered = test["y"].between(scores[:, 1], scores[:, 2])
    easy, difficult = covered[~hard[6_000:]].mean(), covered[hard[6_000:]].mean()
    assert (easy, difficult) == pytest.approx((0.9, 0.9), abs=0.06)  # by errors on rows that it learned: 0.94 and 0.79


def test_the_positive_class_is_the_last_one() -> None:
    flags = pd.DataFrame({"left": pd.Series([True, False], dtype="boolean")})
    aims = BinaryTask(leaving(Kind.FLAG), flags)
    assert aims.classes.names == ("false", "true")
    assert aims.encode(flags).tolist() == [1.0, 0.0]
    chosen = pd.DataFrame({"left": ["stays", "goes"]})
    assert BinaryTask(leaving(choices=("stays", "goes")), chosen).encode(chosen).tolist() == [0.0, 1.0]


def test_a_target_of_one_class_is_refused() -> None:
    with pytest.raises(TableError, match="has left = 'No': there is nothing to tell apart"):
        BinaryTask(leaving(), pd.DataFrame({"left": ["No", "No"]}))
