"""Targets that reach over powers of ten: their logarithm is learned, or their mean by its logarithm."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance

from model import loss
from model.outcomes import Regression
from model.predictor import Predictor
from problems.base import Problem
from tests.training.conftest import PARAMS, PRICE, Outcome, problem, table
from training.data import tables
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role
from validation.errors import SettingsError, TableError

TARGET = Column(name="y", kind=Kind.REAL, role=Role.TARGET)
INPUTS = (Column(name="a", kind=Kind.REAL), Column(name="b", kind=Kind.REAL))
SKEWED = Problem(name="skewed", title="", contract=Contract((*INPUTS, TARGET)))
BOOSTER = {"num_threads": 1, "num_leaves": 15, "learning_rate": 0.1}
ONE_SPLIT, FOLDS = {"folds": 0}, {"folds": 5}
HOW = pytest.mark.parametrize("how", [ONE_SPLIT, FOLDS], ids=["one split", "folds"])


def drawn(rows: int, seed: int, law: str = "log") -> pd.DataFrame:
    """Targets whose median or mean goes from 1 to some thousands."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows))
    mean = np.exp(3 + 2 * a + b)
    y = {
        "log": mean * np.exp(random.normal(0, 0.5, rows)),
        "gamma": random.gamma(4, mean / 4),
        "poisson": random.poisson(mean / 20).astype(float),
        "tweedie": np.where(random.random(rows) < 0.3, 0.0, random.gamma(2, mean / 2)),
    }
    return pd.DataFrame({"a": a, "b": b, "y": y[law]})


def learned(silver: pd.DataFrame, **changes: Any) -> Predictor:
    ends = [0, len(silver) * 7 // 10, len(silver) * 8 // 10, len(silver)]
    names = ("train", "validation", "calibration")
    parts = {name: silver.iloc[ends[place] : ends[place + 1]] for place, name in enumerate(names)}
    params = TrainParams(**{"rounds": 300, "stop_after": 20, "seed": 1, "booster": BOOSTER, **changes})
    return Predictor(learn(SKEWED, params, parts).model)


def covered(actual: pd.Series, scores: np.ndarray) -> float:
    return float(actual.between(scores[:, 1], scores[:, 2]).mean())


@HOW
def test_the_logarithm_of_a_skewed_target_is_learned_better(how: dict[str, Any]) -> None:
    silver, later = drawn(2_000, 1), drawn(4_000, 2)
    plain, log = learned(silver, **how), learned(silver, target="log", **how)
    _, plain_scores = tables.ask(plain, later)
    _, scores = tables.ask(log, later)
    errors = [np.abs(found[:, 0] / later["y"].to_numpy() - 1).mean() for found in (plain_scores, scores)]
    assert errors[1] < 0.6 < errors[0]
    assert (scores[:, 1] > 0).all()
    np.testing.assert_allclose(scores[:, 0] / scores[:, 1], scores[:, 2] / scores[:, 0], rtol=1e-9)  # factors
    assert covered(later["y"], scores) == pytest.approx(0.9, abs=0.03)


def test_explanations_add_up_to_the_logarithm() -> None:
    log = learned(drawn(600, 1), target="log")
    for explanation in log.explain([{"a": 0.5, "b": -1.0}, {"a": -2.0, "b": 1.0}]).explanations:
        assert explanation.space == "log-value"
        total = explanation.base_value + sum(explanation.contributions.values())
        assert np.exp(total) == pytest.approx(explanation.prediction, rel=1e-6)


@HOW
@pytest.mark.parametrize("law", ["gamma", "poisson", "tweedie"])
def test_means_are_learned_by_their_logarithms(law: str, how: dict[str, Any]) -> None:
    silver, later = drawn(3_000, 1, law), drawn(6_000, 2, law)
    found = learned(silver, **{**how, "booster": {**BOOSTER, "objective": law}})
    assert isinstance(found.outcome, Regression)
    _, scores = tables.ask(found, later)
    common = ((later["a"].abs() < 1.5) & (later["b"].abs() < 1.5)).to_numpy()  # trees do not go on beyond the table
    assert scores[common, 0].mean() == pytest.approx(later["y"][common].mean(), rel=0.1)
    assert (scores[:, 1] >= 0).all()
    assert 0.86 <= covered(later["y"], scores) <= 0.97  # counts and zeros come in lumps


@HOW
@pytest.mark.parametrize(
    ("least", "changes", "says"),
    [
        (0.0, {"target": "log"}, "goes down to 0; .* need numbers that are above 0"),
        (-1.0, {"target": "log"}, "goes down to -1"),
        (0.0, {"booster": {**BOOSTER, "objective": "gamma"}}, "above 0"),
        (-1.0, {"booster": {**BOOSTER, "objective": "poisson"}}, "goes down to -1; .* 0 at least"),
    ],
)
def test_numbers_without_a_logarithm_are_refused(
    least: float, changes: dict[str, Any], says: str, how: dict[str, Any]
) -> None:
    silver = drawn(200, 1)
    silver.loc[7, "y"] = least
    with pytest.raises(TableError, match=says):
        learned(silver, **how, **changes)


def test_logarithms_are_of_numbers_only() -> None:
    flag = Column(name="y", kind=Kind.FLAG, role=Role.TARGET)
    silver = drawn(200, 1).assign(y=pd.Series([True, False] * 100, dtype="boolean"))
    problem = Problem(name="skewed", title="", contract=Contract((*INPUTS, flag)))
    params = TrainParams(rounds=5, stop_after=5, seed=1, booster=BOOSTER, target="log")
    with pytest.raises(SettingsError, match="only the logarithm of a number can be learned"):
        learn(problem, params, {"train": silver, "validation": silver, "calibration": silver})


def test_deviances_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    actual, predicted = random.gamma(2, 3, 500), random.gamma(2, 3, 500)
    counts = random.poisson(2, 500).astype(float)
    for objective, judged, expected in (
        ("gamma", actual, mean_gamma_deviance(actual, predicted)),
        ("poisson", counts, mean_poisson_deviance(counts, predicted)),
        ("tweedie", counts, mean_tweedie_deviance(counts, predicted, power=1.3)),
    ):
        found = loss.of({"objective": objective, "tweedie_variance_power": 1.3})
        assert found.rows(judged, predicted).mean() == pytest.approx(expected)
        assert (found.rows(judged, predicted) >= -1e-12).all()


def test_the_loss_of_logarithms_is_named_and_compares_them() -> None:
    stated = loss.stated("regression", {}, log=True)
    assert stated == {"name": "log_rmse", "objective": "regression", "log": True}
    actual, predicted = np.array([1.0, 100.0]), np.array([np.e, 100.0])
    found = loss.of(stated)
    assert found.score(found.rows(actual, predicted).mean()) == pytest.approx(np.sqrt(0.5))


def test_logarithms_come_to_a_report(outcome: Outcome) -> None:
    found = outcome(problem(PRICE, in_time=True), table(600), {**PARAMS, "train": {**PARAMS["train"], "target": "log"}})
    assert isinstance(found, dict), found
    assert found["loss"]["log"] is True
