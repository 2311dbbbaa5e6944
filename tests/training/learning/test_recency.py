"""How much the rows of before are worth beside newer ones."""

import numpy as np
import pandas as pd
import pytest

from model.predictor import Predictor
from problems.base import Problem
from training.data import gates, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import level, recency
from training.learning.checkpoints import NONE
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role

PARAMS = TrainParams(
    rounds=200,
    stop_after=20,
    seed=1,
    booster={"learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 10, "num_threads": 1},
)


def problem(target: Column) -> Problem:
    inputs = (Column(name="area", kind=Kind.REAL), Column(name="rooms", kind=Kind.REAL))
    return Problem(name="houses", title="Houses", contract=Contract((*inputs, target)))


PRICES = problem(Column(name="price", kind=Kind.REAL, role=Role.TARGET))
SOLD = problem(Column(name="sold", kind=Kind.FLAG, role=Role.TARGET))


def rows(count: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"area": random.uniform(20, 200, count), "rooms": random.integers(1, 7, count) * 1.0})
    prices = (50 + 3 * table["area"] + 20 * np.sin(table["area"] / 9) * table["rooms"]) * random.normal(1, 0.02, count)
    return table.assign(price=prices, **{gates.LABELLED: np.nan})


def parts(older: pd.DataFrame, newer: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Half of the newer rows to learn from, the others to choose and to calibrate by."""
    newer = newer.assign(**{gates.LABELLED: np.arange(len(newer), dtype=float)})
    half, later = len(newer) // 2, len(newer) * 3 // 4
    known = pd.concat([older, newer[:half]], ignore_index=True)
    return {TRAIN: known, VALIDATION: newer[half:later], CALIBRATION: newer[later:]}


def error(predictor: Predictor, table: pd.DataFrame) -> float:
    _, scores = tables.ask(predictor, table)
    return float(np.sqrt(np.mean((scores[:, 0] - table["price"].to_numpy()) ** 2)))


def best(made_of: Problem, split: dict[str, pd.DataFrame]) -> Predictor:
    return Predictor(recency.best(made_of, PARAMS, split, NONE).model)


def test_after_a_shock_the_error_is_that_of_a_model_of_the_new_world(capsys: pytest.CaptureFixture[str]) -> None:
    newer = rows(600, 2).assign(price=lambda table: table["price"] * 1.5)
    retrained = best(PRICES, parts(rows(6_000, 1), newer))
    asked = rows(2_000, 4).assign(price=lambda table: table["price"] * 1.5)
    new_world = parts(rows(6_000, 1).assign(price=lambda table: table["price"] * 1.5), newer)
    ideal = Predictor(learn(PRICES, PARAMS, new_world).model)
    assert error(retrained, asked) < 1.1 * error(ideal, asked)
    assert "taken: older rows at the level of the newer ones (+" in capsys.readouterr().out


def test_where_the_old_is_wrong_in_every_way_the_new_has_the_weight() -> None:
    def turned(table: pd.DataFrame) -> pd.Series:
        return 1_000 - table["price"]

    split = parts(rows(6_000, 1), rows(1_200, 2).assign(price=turned))
    asked = rows(2_000, 4).assign(price=turned)
    alike = Predictor(learn(PRICES, PARAMS, split).model)
    assert error(best(PRICES, split), asked) < 0.6 * error(alike, asked)


def test_where_nothing_changed_the_older_rows_go_on_teaching() -> None:
    split, asked = parts(rows(6_000, 1), rows(400, 2)), rows(2_000, 4)
    newer = split[TRAIN][split[TRAIN][gates.LABELLED].notna()]
    alone = Predictor(learn(PRICES, PARAMS, {**split, TRAIN: newer}).model)
    assert error(best(PRICES, split), asked) < 0.7 * error(alone, asked)


def test_classes_whose_meaning_turned_are_learned_anew() -> None:
    def sold(table: pd.DataFrame, *, large: bool) -> pd.DataFrame:
        return table.drop(columns="price").assign(sold=(table["area"] > 110) == large)

    split = parts(sold(rows(4_000, 1), large=True), sold(rows(800, 2), large=False))
    asked = sold(rows(1_000, 4), large=False)
    _, scores = tables.ask(best(SOLD, split), asked)
    assert np.mean((scores[:, 0] > 0.5) == asked["sold"].to_numpy()) > 0.95


def test_without_older_rows_there_is_one_way(capsys: pytest.CaptureFixture[str]) -> None:
    split = parts(rows(0, 1), rows(800, 2))
    best(PRICES, split)
    assert capsys.readouterr().out.count("on the newest rows") == 1


def test_a_level_is_a_factor_where_it_can_be() -> None:
    assert str(level.between(np.array([2.0, 4.0]), np.array([1.0, 2.0]))) == "+100.0%"
    moved = level.between(np.array([-1.0, 3.0]), np.array([-2.0, 2.0]))
    assert (moved.of(np.array([0.0])).tolist(), str(moved)) == ([1.0], "+1")
