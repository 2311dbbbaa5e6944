"""A number that may be missing, and of which no row that was learned from lacks one."""

import numpy as np
import pandas as pd
import pytest

from model.predictor import Predictor
from problems.base import Problem
from training.data import tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning.params import TrainParams
from training.learning.train import learn
from validation.contract import Column, Contract, Kind, Role

AREA = Column(name="area", kind=Kind.REAL, nullable=True)
CONTRACT = Contract(
    (AREA, Column(name="b", kind=Kind.REAL), Column(name="price", kind=Kind.REAL, role=Role.TARGET, ge=0))
)
BOOSTER = {"num_threads": 1, "learning_rate": 0.2}


def flats(rows: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(1)
    area, b = random.uniform(50, 150, rows), random.normal(size=rows)
    return pd.DataFrame({"area": area, "b": b, "price": 10 * area + b})


def asked_without(silver: pd.DataFrame, folds: int) -> np.ndarray:
    """The prices of flats whose area is missing, and of the same flats of the usual one."""
    parts = {TRAIN: silver[:400], VALIDATION: silver[400:500], CALIBRATION: silver[500:]}
    problem = Problem(name="flats", title="", contract=CONTRACT)
    predictor = Predictor(learn(problem, TrainParams(60, 20, 1, BOOSTER, folds=folds), parts).model)
    usual = silver["area"].median() if folds else silver["area"][:400].median()
    rows = [flats(50).assign(area=area) for area in (np.nan, usual)]
    return np.array([tables.ask(predictor, part)[1][:, 0] for part in rows])


@pytest.mark.parametrize("folds", [0, 5])
def test_the_median_is_taken_where_it_is_missing_later(folds: int) -> None:
    """LightGBM would take 0, and answer with the price of the smallest flat."""
    missing, usual = asked_without(flats(), folds)
    np.testing.assert_array_equal(missing, usual)
    assert 900 < missing.mean() < 1_100


def test_what_training_saw_missing_is_learned() -> None:
    silver = flats()
    silver.loc[silver.index % 4 == 0, ["area", "price"]] = [np.nan, 5.0]
    missing, usual = asked_without(silver, 5)
    assert missing.mean() < 50
    assert usual.mean() > 900
