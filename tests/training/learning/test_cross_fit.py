"""Features of the target: a row that teaches has what other rows say, so that no model trusts its own target."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.features import fit
from model.predictor import Predictor
from problems.base import Problem, State
from problems.features import target_mean, target_means
from training.data import tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning.gold import learned_gold
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role, Unseen
from validation.decode import Columns
from validation.errors import ContractError

BOOSTER = {"num_threads": 1, "num_leaves": 15, "learning_rate": 0.1}
STREET = Column(name="street", kind=Kind.CATEGORY, nullable=True, unseen=Unseen.WARN)
CONTRACT = Contract((STREET, Column(name="y", kind=Kind.REAL, role=Role.TARGET)))


def cross_fit(columns: Columns) -> State:
    return target_means(columns, "y", ["street"], prior_rows=1)


def features(columns: Columns, state: State) -> Columns:
    return target_mean(columns, state)


PROBLEM = Problem(name="streets", title="", contract=CONTRACT, cross_fit=cross_fit, features=features)


def streets(rows: int, count: int, noise: float, seed: int = 0) -> pd.DataFrame:
    """Rows of so many streets; what a street costs is the same in all tables."""
    random = np.random.default_rng(seed)
    costs = np.random.default_rng(99).normal(size=count)
    street = random.integers(0, count, rows)
    names = pd.Series([f"street {number}" for number in street], dtype="str")
    return pd.DataFrame({"street": names, "y": (1 - noise) * costs[street] + noise * random.normal(size=rows)})


def learned(silver: pd.DataFrame, folds: int) -> Predictor:
    third = len(silver) // 3
    parts = {TRAIN: silver[:third], VALIDATION: silver[third : 2 * third], CALIBRATION: silver[2 * third :]}
    return Predictor(learn(PROBLEM, TrainParams(100, 20, 1, BOOSTER, folds=folds), parts).model)


@pytest.mark.parametrize("folds", [0, 5])
def test_noise_teaches_nothing(folds: int) -> None:
    """Two rows a street: their own mean would tell each of them half of its target."""
    predictor, later = learned(streets(900, 450, noise=1.0), folds), streets(2_000, 450, noise=1.0, seed=1)
    _, scores = tables.ask(predictor, later)
    assert np.mean((later["y"] - scores[:, 0]) ** 2) < 1.05 * later["y"].var()
    assert later["y"].between(scores[:, 1], scores[:, 2]).mean() == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize("folds", [0, 2, 5])
def test_streets_are_told_by_their_rows(folds: int) -> None:
    predictor, later = learned(streets(3_000, 60, noise=0.3), folds), streets(2_000, 60, noise=0.3, seed=1)
    _, scores = tables.ask(predictor, later)
    assert np.mean((later["y"] - scores[:, 0]) ** 2) < 0.3 * later["y"].var()
    low, high = predictor.model.fitted.state["target_means"]["street"][""], 5.0
    strange = tables.ask(predictor, pd.DataFrame({"street": ["elsewhere", None], "y": [0.0, 0.0]}))[1][:, 0]
    assert np.ptp(strange) == 0
    assert low - 1 < strange[0] < high


def test_names_of_few_rows_have_no_mean_of_their_own() -> None:
    """Whoever has the model could tell the target of a single row from it."""
    streets = np.array(["long"] * 5 + ["short"] * 4, dtype=object)
    state = target_means({"street": streets, "y": np.arange(9.0)}, "y", ["street"])
    assert set(state["target_means"]["street"]) == {"long", ""}


def test_a_fit_that_asks_for_the_target_is_told_where_it_may() -> None:
    def fit_of_target(columns: Columns) -> State:
        return {"mean": float(columns["y"].mean())}

    silver = streets(100, 10, noise=0.5)
    problem = Problem(name="streets", title="", contract=CONTRACT, fit=fit_of_target)
    with pytest.raises(ContractError, match="sees inputs only"):
        fit(problem, {"street": silver["street"].to_numpy(dtype=object), "y": silver["y"].to_numpy()})


@pytest.mark.parametrize("place", [0, 17, 99])
def test_a_rows_own_target_is_not_in_its_features(place: int) -> None:
    silver, folds = streets(100, 10, noise=0.5), np.arange(100) % 5

    def gold(targets: np.ndarray) -> Any:
        columns = {"street": silver["street"].to_numpy(dtype=object), "y": targets}
        return learned_gold(PROBLEM, fit(PROBLEM, columns), columns, folds).to_numpy()

    targets = silver["y"].to_numpy(copy=True)
    before = gold(targets)
    targets[place] += 1_000.0
    changed = np.flatnonzero((gold(targets) != before).any(axis=1))
    assert len(changed) > 0
    assert not set(changed) & set(np.flatnonzero(folds == folds[place]))
