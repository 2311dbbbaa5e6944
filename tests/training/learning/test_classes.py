"""Learning of several classes: labels, bins of numbers, costs, weights, calibration and prediction sets."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.outcomes import Multiclass
from model.outcomes.sets import Sets
from model.predictor import Predictor
from problems.base import Problem
from training.data import classes, tables
from training.learning import class_metrics, probability, tasks
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role
from validation.errors import SettingsError, TableError

LABELS = ("low", "middle", "high")
BINNED = Column(name="price", kind=Kind.REAL, role=Role.TARGET, bins=Bins(LABELS, (0.4, 0.8)))
LISTED = Column(name="price", kind=Kind.CATEGORY, role=Role.TARGET, choices=LABELS)
BOOSTER = {"num_threads": 1, "num_leaves": 7}


def problem(target: Column) -> Problem:
    inputs = (Column(name="a", kind=Kind.REAL), Column(name="b", kind=Kind.REAL))
    return Problem(name="prices", title="", contract=Contract((*inputs, target)))


def how(**changes: Any) -> TrainParams:
    return TrainParams(**{"rounds": 30, "stop_after": 10, "seed": 1, "booster": BOOSTER, **changes})


def table(rows: int, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows))
    return pd.DataFrame({"a": a, "b": b, "price": np.exp(a + 0.5 * b + random.normal(0, 0.5, rows))})


def parts(silver: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ends = [0, len(silver) * 6 // 10, len(silver) * 7 // 10, len(silver)]
    names = ("train", "validation", "calibration")
    return {name: silver.iloc[ends[place] : ends[place + 1]] for place, name in enumerate(names)}


def test_bins_are_cut_at_the_quantiles_of_the_training_split() -> None:
    split = parts(table(3_000))
    model = learn(problem(BINNED), how(), split).model
    expected = np.quantile(split["train"]["price"], [0.4, 0.8]).tolist()
    assert model.fitted.bounds == pytest.approx(expected, rel=1e-11)
    assert isinstance(model.outcome, Multiclass)
    assert model.outcome.classes == LABELS


def test_a_number_at_a_bound_is_of_the_upper_class() -> None:
    silver = pd.DataFrame({"price": [1.0, 2.0, 2.5, 3.0, 9.0]})
    found = classes.Classes(BINNED, LABELS, (2.0, 3.0))
    assert found.labels(silver).tolist() == ["low", "middle", "middle", "high", "high"]
    assert found.encode(silver).tolist() == [0.0, 1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("numbers", [[1.0] * 10, [*[1.0] * 9, 2.0], [*[0.0, 2.0], *[1.0] * 8]])
def test_a_class_that_bins_leave_empty_is_refused(numbers: list[float]) -> None:
    with pytest.raises(TableError, match="would be empty: too many rows have the value"):
        classes.cut(problem(BINNED), pd.DataFrame({"price": numbers}))


def test_the_last_class_may_be_one_value() -> None:
    """Prices that a table caps: two of ten, and more, are at the limit."""
    capped = pd.DataFrame({"price": [*range(10, 70, 10), *[80.0] * 4]})
    bounds = classes.cut(problem(BINNED), capped)
    labels = classes.of(problem(BINNED), capped, bounds).labels(capped)
    assert labels.tolist() == ["low"] * 4 + ["middle"] * 2 + ["high"] * 4


def test_bounds_are_written_as_people_would() -> None:
    silver = pd.DataFrame({"price": np.arange(1, 12) / 10})
    assert classes.cut(problem(BINNED), silver) == [0.5, 0.9]


def test_a_listed_class_without_rows_is_refused() -> None:
    silver = pd.DataFrame({"price": ["low", "high", "low", "high", "middle"]})
    with pytest.raises(TableError, match=r"has price = 'middle', and 1 of the table has: .* take it out of `choices`"):
        classes.demand_each(problem(LISTED), silver.iloc[:4], silver)
    silver = silver.iloc[:4].assign(a=0.0, b=0.0)
    with pytest.raises(TableError, match="No row to learn from has price = 'middle'"):
        learn(problem(LISTED), how(), {"train": silver, "validation": silver, "calibration": silver})


@pytest.mark.parametrize(
    ("costs", "says"),
    [
        ({"false_positive": 2.0}, "'false_positive' has the number 2"),
        ({"dear": {}}, "names 'dear'; the classes are low, middle, high"),
        ({"dear": {"low": 2.0}}, "names 'dear'; the classes are low, middle, high"),
        ({"low": {"dear": 2.0}}, "names 'dear'; the classes are low, middle, high"),
        ({"low": {"low": 2.0}}, "has a cost for answering 'low' rightly"),
    ],
)
def test_costs_of_no_class_are_refused_before_anything_is_learned(costs: Any, says: str) -> None:
    silver = table(40)
    with pytest.raises(SettingsError, match=says):
        learn(problem(BINNED), how(costs=costs), parts(silver))


def test_costs_of_several_classes_are_none_of_two() -> None:
    target = Column(name="price", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "high"), (0.5,)))
    with pytest.raises(SettingsError, match="With two classes the costs are false_positive and false_negative"):
        learn(problem(target), how(costs={"low": {"high": 2.0}}), parts(table(40)))


def test_stated_costs_and_weights_are_obeyed() -> None:
    split, later = parts(table(3_000)), table(2_000, seed=2)
    plain = learn(problem(BINNED), how(), split).model
    dear = learn(problem(BINNED), how(costs={"high": {" low ": 30.0, "middle": 30.0}}), split).model
    heavy = learn(problem(BINNED), how(class_weights={"high": 10.0}), split).model
    balanced = learn(problem(BINNED), how(class_weights="balanced"), split).model
    answers = {}
    for name, model in {"plain": plain, "dear": dear, "heavy": heavy, "balanced": balanced}.items():
        assert isinstance(model.outcome, Multiclass)
        _, scores = tables.ask(Predictor(model), later)
        answers[name] = np.bincount(model.outcome.answered(scores), minlength=3)
    assert answers["dear"][2] > 1.5 * answers["plain"][2]
    # weights change what trees learn; calibration gives the probabilities of unweighted rows all the same
    np.testing.assert_allclose(answers["heavy"], answers["plain"], atol=200)
    assert len({model.boosters["model.txt"] for model in (plain, dear, heavy, balanced)}) == 3


def test_a_weight_of_no_class_is_refused() -> None:
    with pytest.raises(SettingsError, match="class_weights names 'dear'; the classes are low, middle, high"):
        learn(problem(BINNED), how(class_weights={"dear": 2.0}), parts(table(100)))


def drawn(rows: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """True logits, and a class drawn by them for each row."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (rows, classes)) + np.linspace(0.5, -1.5, classes)
    noisy = logits + random.gumbel(size=logits.shape)
    return logits, noisy.argmax(axis=1).astype(np.float64)


NAMES = ("a", "b", "c", "d")


@pytest.mark.parametrize(("stretch", "shift"), [(3.0, (0, 0, 0, 0)), (0.4, (0, 0, 0, 0)), (1.0, (1.0, -1.0, 0, 2.0))])
def test_scores_that_say_too_much_or_too_little_become_probabilities(stretch: float, shift: tuple[float, ...]) -> None:
    logits, actual = drawn(5_000, 1)
    outcome = probability.of_several(NAMES, None, 0.9, stretch * logits + shift, actual)
    assert outcome.slope == pytest.approx(1 / stretch, rel=0.1)
    later, then = drawn(20_000, 2)
    raw = stretch * later + np.array(shift)

    def ece(shares: np.ndarray) -> float:
        found = class_metrics.multiclass(then, shares, np.empty((0, len(then))))["ece"].value
        assert found is not None
        return found

    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    assert ece(powers / powers.sum(axis=1, keepdims=True)) > 0.05
    calibrated = outcome.scores(raw, raw, {})
    assert ece(calibrated) < 0.02
    np.testing.assert_allclose(
        probability.before_several(outcome, calibrated), powers / powers.sum(axis=1, keepdims=True), atol=1e-6
    )


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("costs", [None, ((0, 1, 1, 1), (1, 0, 1, 1), (9, 9, 0, 9), (1, 1, 1, 0))])
def test_sets_cover_what_they_say(coverage: float, costs: Any) -> None:
    """On average over calibration splits, whichever class the costs make the answer."""
    covered = []
    for split in range(12):
        outcome = probability.of_several(NAMES, costs, coverage, *drawn(2_000, split))
        raw, actual = drawn(5_000, 100 + split)
        shares = outcome.scores(raw, raw, {})
        inside = outcome.sets.members(shares, outcome.answered(shares))
        covered.append(np.take_along_axis(inside, actual.astype(int)[:, None], axis=1).mean())
        assert inside.all(axis=1).mean() < 0.9
    assert np.mean(covered) == pytest.approx(coverage, abs=0.01)


def test_sets_of_two_classes_cover_what_they_say() -> None:
    random = np.random.default_rng(6)
    raw = random.normal(0, 1, 24_000)
    happened = (random.random(24_000) < 1 / (1 + np.exp(-raw))).astype(np.float64)
    outcome = probability.of_two(("No", "Yes"), 0.5, 0.9, raw[:4_000], happened[:4_000])
    assert outcome.sets is not None
    scores = outcome.scores(raw[4_000:], raw[4_000:], {})
    inside = outcome.sets.members(outcome.shares(scores), outcome.answered(scores))
    covered = np.take_along_axis(inside, happened[4_000:].astype(int)[:, None], axis=1).mean()
    assert covered == pytest.approx(0.9, abs=0.015)


@pytest.mark.parametrize("groups", [3, 5])
def test_sets_cover_where_many_rows_have_the_same_probabilities(groups: int) -> None:
    """As with one category in the table: the quantile belongs to a group, which must be in as a whole."""
    covered = []
    for split in range(30):
        random = np.random.default_rng(split)
        odds = random.normal(0, 1.2, groups)
        raw = odds[random.integers(0, groups, 8_000)]
        happened = (random.random(8_000) < 1 / (1 + np.exp(-raw))).astype(np.float64)
        outcome = probability.of_two(("No", "Yes"), 0.5, 0.9, raw[:2_000], happened[:2_000])
        assert outcome.sets is not None
        scores = outcome.scores(raw, raw, {})
        inside = outcome.sets.members(outcome.shares(scores), outcome.answered(scores))
        right = np.take_along_axis(inside, happened.astype(int)[:, None], axis=1)[:, 0]
        assert right[:2_000].mean() >= 0.9  # of the rows that it was made of
        covered.append(right[2_000:].mean())
    assert min(covered) > 0.87


def test_sets_that_cannot_be_smaller_state_what_they_cover() -> None:
    """Where the answer alone is right more often than asked for."""
    random = np.random.default_rng(9)
    raw = random.normal(0, 8, 8_000)
    happened = (random.random(8_000) < 1 / (1 + np.exp(-raw))).astype(np.float64)
    outcome = probability.of_two(("No", "Yes"), 0.5, 0.8, raw[:4_000], happened[:4_000])
    right = ((raw > 0) == happened)[4_000:].mean()
    assert outcome.sets is not None
    assert 0.85 < outcome.sets.coverage == round(outcome.sets.coverage, 2)
    assert outcome.sets.coverage == pytest.approx(right, abs=0.02)


def test_sets_never_state_certainty() -> None:
    raw = np.repeat([-9.0, 9.0], 500)
    outcome = probability.of_two(("No", "Yes"), 0.5, 0.9, raw, (raw > 0).astype(np.float64))
    assert outcome.sets is not None
    assert outcome.sets.coverage == 0.99


def test_too_few_rows_promise_nothing() -> None:
    """Eight rows cannot say what covers nine rows of ten, so all classes are in the set, however sums are rounded."""
    outcome = probability.of_several(NAMES, None, 0.9, *drawn(8, 5))
    shares = outcome.scores(many := drawn(20_000, 6)[0], many, {})
    assert outcome.sets.members(shares, outcome.answered(shares)).all()


def test_a_class_that_calibration_lacks_stays_possible() -> None:
    raw, actual = drawn(500, 7)
    some = actual != 3
    outcome = probability.of_several(NAMES, None, 0.9, raw[some], actual[some])
    assert outcome.scores(raw, raw, {})[:, 3].max() > 0.01
    assert 0.5 < outcome.slope < 2


def test_rows_that_contradict_the_model_do_not_turn_it_around() -> None:
    raw, actual = drawn(500, 8)
    outcome = probability.of_several(NAMES, None, 0.9, -raw, actual)
    assert (outcome.slope, outcome.intercepts) == (1.0, (0.0,) * 4)


def test_a_column_that_orders_rows_as_the_classes_do_gives_them_away() -> None:
    silver = table(500)
    task = tasks.of(problem(BINNED), silver)
    actual = pd.Series(task.encode(silver))
    assert task.likeness(silver["price"], actual) == task.likeness(-silver["price"], actual) == 1.0
    assert 0.5 < task.likeness(silver["b"], actual) < 0.9


def test_rare_classes_are_named() -> None:
    silver = pd.DataFrame({"price": ["low"] * 30 + ["high"] * 30 + ["middle"] * 3, "a": 0.0, "b": 0.0})
    [said] = tasks.of(problem(LISTED), silver).suspicions(silver)
    assert "too rare to be learned or judged: 'middle' (3 rows)" in said


def test_scores_are_those_of_the_answers_and_of_their_costs() -> None:
    actual, shares = np.array([0.0, 1.0, 2.0]), np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])
    costs = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (5.0, 1.0, 0.0))
    outcome = Multiclass(LABELS, 1.0, (0.0,) * 3, costs, Sets(0.9, 1.0))
    assert outcome.stated_costs == {"high": {"low": 5.0}}
    none = np.empty((0, 3))
    scores = tasks.of_outcome(outcome).judge(outcome, actual, shares, none)
    assert outcome.answered(shares).tolist() == [0, 1, 2]
    assert (scores["accuracy"].value, scores["mean_cost"].value, scores["macro_f1"].value) == (1.0, 0.0, 1.0)
    plain = Multiclass(LABELS, 1.0, (0.0,) * 3, None, Sets(0.9, 1.0))
    scores = tasks.of_outcome(plain).judge(plain, actual, shares, none)
    assert scores["accuracy"].value == pytest.approx(2 / 3)
    assert "mean_cost" not in scores
    assert any(
        "costs 1, and 5 for low where high is right." in one for one in tasks.of_outcome(outcome).limits(outcome)
    )
