"""Learning by folds: held-out scores are honest, parameters are chosen by them, and the model learns from all rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.outcomes import Binary, Multiclass, Regression
from model.predictor import Predictor
from problems.base import Problem
from training.data import tables
from training.learning.params import TrainParams
from training.learning.train import Learned, learn
from validation.classes import Bins
from validation.contract import Column, Contract, Kind, Role

NUMBER = Column(name="y", kind=Kind.REAL, role=Role.TARGET)
PAIR = Column(name="y", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "high"), (0.5,)))
THREE = Column(name="y", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "middle", "high"), (0.3, 0.7)))
GREEDY = {"num_threads": 1, "num_leaves": 63, "min_data_in_leaf": 1, "learning_rate": 0.2}
CAREFUL = {"num_leaves": 3, "min_data_in_leaf": 20, "learning_rate": 0.1, "lambda_l2": 10}
ROWS = 1_000


def problem(target: Column, *more: Column) -> Problem:
    inputs = (Column(name="a", kind=Kind.REAL), Column(name="b", kind=Kind.REAL), *more)
    return Problem(name="folded", title="", contract=Contract((*inputs, target)))


def how(**changes: Any) -> TrainParams:
    return TrainParams(**{"rounds": 150, "stop_after": 20, "seed": 1, "booster": GREEDY, "folds": 5, **changes})


def table(rows: int = ROWS, noise: float = 1.0, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows))
    return pd.DataFrame({"a": a, "b": b, "y": 2 * a + np.sin(3 * b) + noise * random.normal(size=rows)})


def parts(silver: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ends = [0, len(silver) * 7 // 10, len(silver) * 8 // 10, len(silver)]
    names = ("train", "validation", "calibration")
    return {name: silver.iloc[ends[place] : ends[place + 1]] for place, name in enumerate(names)}


def by_folds(target: Column, silver: pd.DataFrame, **changes: Any) -> Learned:
    return learn(problem(target), how(**changes), parts(silver))


def test_every_row_teaches_and_every_row_is_held_out_once() -> None:
    silver = table()
    learned = by_folds(NUMBER, silver)
    assert {name: len(rows) for name, rows in learned.gold.items()} == {"train": ROWS}
    assert learned.gold["train"].index.tolist() == silver.index.tolist()
    errors = silver["y"].to_numpy() - learned.scores[:, 0]
    assert np.sqrt(np.mean(errors**2)) > 0.95  # the noise has a deviation of 1, and this booster learns rows by heart
    _, own = tables.ask(Predictor(learned.model), silver)
    assert np.sqrt(np.mean((silver["y"].to_numpy() - own[:, 0]) ** 2)) < 0.8


def test_copies_of_a_row_are_in_one_fold() -> None:
    """Of noise nothing can be learned but the targets of copies."""
    random = np.random.default_rng(4)
    noise = pd.DataFrame({"a": random.normal(size=300), "b": random.normal(size=300), "y": random.normal(size=300)})
    silver = pd.concat([noise] * 3, ignore_index=True)
    errors = silver["y"].to_numpy() - by_folds(NUMBER, silver).scores[:, 0]
    assert np.mean(errors**2) > 0.95 * silver["y"].var()


@pytest.mark.parametrize(("noise", "chosen"), [(3.0, CAREFUL), (0.0, GREEDY)])
def test_the_parameters_that_lose_least_on_held_out_rows_are_taken(noise: float, chosen: dict[str, Any]) -> None:
    learned = by_folds(NUMBER, table(noise=noise), alternatives=[CAREFUL])
    text = learned.model.boosters["model.txt"]
    assert f"[num_leaves: {chosen['num_leaves']}]" in text


@pytest.mark.parametrize("seed", range(3))
def test_intervals_cover_new_rows(seed: int) -> None:
    learned = by_folds(NUMBER, table(600, seed=seed))
    assert isinstance(learned.model.outcome, Regression)
    later = table(5_000, seed=100 + seed)
    _, scores = tables.ask(Predictor(learned.model), later)
    assert later["y"].between(scores[:, 1], scores[:, 2]).mean() == pytest.approx(0.9, abs=0.04)


def test_a_learning_curve_of_few_rows_does_not_narrow_intervals() -> None:
    """Of a hundred rows it is mostly chance."""
    covered = []
    for seed in range(12):
        learned = by_folds(NUMBER, table(100, seed=seed), booster={**CAREFUL, "min_data_in_leaf": 10, "num_threads": 1})
        later = table(2_000, seed=100 + seed)
        _, scores = tables.ask(Predictor(learned.model), later)
        covered.append(later["y"].between(scores[:, 1], scores[:, 2]).mean())
    assert np.mean(covered) > 0.885


def test_intervals_are_those_of_a_model_of_all_rows() -> None:
    """Where there is no noise errors fall with each row, and the boosters of the folds have a fifth less of them."""
    learned = by_folds(NUMBER, table(noise=0.0), booster={"num_threads": 1, "num_leaves": 31})
    later = table(5_000, noise=0.0, seed=100)
    _, scores = tables.ask(Predictor(learned.model), later)
    assert later["y"].between(scores[:, 1], scores[:, 2]).mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("target", "kind"), [(PAIR, Binary), (THREE, Multiclass)])
def test_probabilities_are_calibrated_and_sets_cover(target: Column, kind: type) -> None:
    learned = by_folds(target, table())
    outcome: Any = learned.model.outcome
    assert type(outcome).__name__ == kind.__name__
    later = table(5_000, seed=7)
    actual = np.searchsorted(learned.model.fitted.bounds, later["y"], side="right")
    _, scores = tables.ask(Predictor(learned.model), later)
    shares, answered = outcome.shares(scores), outcome.answered(scores)
    assert abs(shares.max(axis=1).mean() - (shares.argmax(axis=1) == actual).mean()) < 0.05
    covered = np.take_along_axis(outcome.sets.members(shares, answered), actual[:, None], axis=1).mean()
    assert covered == pytest.approx(0.9, abs=0.04)


def day(silver: pd.DataFrame) -> pd.DataFrame:
    return silver.assign(day=pd.date_range("2020-01-01", periods=len(silver)))


def rare(silver: pd.DataFrame) -> pd.DataFrame:
    return silver.assign(y=["yes" if place % 200 == 0 else "no" for place in range(len(silver))])


RARE = Column(name="y", kind=Kind.CATEGORY, role=Role.TARGET, choices=("no", "yes"))
DAY = Column(name="day", kind=Kind.DATE, role=Role.TIME)


@pytest.mark.parametrize(
    ("asked", "change", "params"),
    [
        (problem(NUMBER, DAY), day, {}),
        (problem(NUMBER), table, {"most_cells": 2 * ROWS - 1}),
        (problem(RARE), rare, {}),
        (problem(NUMBER), table, {"folds": 0}),
    ],
    ids=["in time", "large", "rare class", "not wanted"],
)
def test_where_folds_are_dishonest_or_dear_one_split_is_taken(
    asked: Problem, change: Callable[[Any], pd.DataFrame], params: dict[str, Any]
) -> None:
    silver = table() if change is table else change(table())
    learned = learn(asked, how(**params), parts(silver))
    assert set(learned.gold) == {"train", "validation", "calibration"}
    assert len(learned.scores) == len(parts(silver)["calibration"])
