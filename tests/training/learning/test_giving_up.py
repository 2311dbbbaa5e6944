"""Rows of which LightGBM cannot grow a tree: other parameters are taken, and otherwise a sentence says so."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.features import FeatureMatrix, fit
from problems.base import Problem
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import spread
from training.learning.boost import GaveUp
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role
from validation.errors import SettingsError

NUMBERS = tuple(Column(name=f"n{place}", kind=Kind.REAL) for place in range(6))
PROBLEM = Problem(
    name="given_up", title="", contract=Contract((*NUMBERS, Column(name="y", kind=Kind.REAL, role=Role.TARGET)))
)
FRAGILE = {"num_threads": 1, "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 3}
OTHER = {"objective": "regression"}
ROWS = 4_600


def rows() -> pd.DataFrame:
    """Tiny targets and ten that are a hundred thousand times as large: sums of their gradients lose all digits."""
    random = np.random.default_rng(0)
    features = random.normal(size=(ROWS, len(NUMBERS)))
    features[:, 0] = random.integers(0, 4, ROWS)
    sizes = np.full(ROWS, 1e-12) + 1e-14 * random.integers(0, 4, ROWS)
    sizes[random.choice(ROWS, 10, replace=False)] = 1.9e-7
    return pd.DataFrame(features, columns=[column.name for column in NUMBERS]).assign(y=sizes)


def how(**changes: Any) -> TrainParams:
    booster = {**FRAGILE, "objective": "gamma", "max_delta_step": 0}
    return TrainParams(**{"rounds": 60, "stop_after": 60, "seed": 1, "booster": booster, **changes})


def parts() -> dict[str, pd.DataFrame]:
    known = rows()
    return {TRAIN: known, VALIDATION: known[:500], CALIBRATION: known[500:1_000]}


def test_a_parameter_set_that_lightgbm_gives_up_on_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    learned = learn(PROBLEM, how(alternatives=[OTHER]), parts())
    assert "[objective: regression]" in learned.model.boosters["model.txt"]
    assert "parameter set 1 is left out: LightGBM gives up on these rows" in capsys.readouterr().out


def test_a_sentence_says_so_where_it_gives_up_on_all() -> None:
    with pytest.raises(GaveUp, match=r"gives up on these rows with the parameters in params\.yaml, train\.booster"):
        learn(PROBLEM, how(), parts())


def test_losses_that_are_no_numbers_are_no_model() -> None:
    booster = {**FRAGILE, "objective": "poisson", "learning_rate": 1e5}
    with pytest.raises(SettingsError, match=r"errors have no size that is a number\. Take a smaller learning_rate"):
        learn(PROBLEM, how(booster=booster), parts())
    with pytest.raises(GaveUp, match="no loss on held-out rows is a number"):
        learn(PROBLEM, how(booster={**FRAGILE, "learning_rate": 1e305}), parts())


@pytest.mark.parametrize("metric", ["custom", "None"])
def test_a_metric_that_lightgbm_does_not_know_is_a_sentence(metric: str) -> None:
    with pytest.raises(SettingsError, match="LightGBM knows no such metric"):
        learn(PROBLEM, how(booster={**FRAGILE, "metric": metric}), parts())


def test_sizes_of_rounding_errors_are_learned() -> None:
    known = rows()
    columns = {str(name): known[name].to_numpy() for name in known}
    matrix = FeatureMatrix(PROBLEM, fit(PROBLEM, columns, ()))
    features = matrix({column.name: columns[column.name] for column in NUMBERS})
    booster = spread.learn(TrainParams(60, 60, 1, FRAGILE), matrix, features, columns["y"], deviation=1.0)
    assert 0 < booster.predict(features).max() < 1e-5
