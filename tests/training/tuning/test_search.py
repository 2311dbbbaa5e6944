"""What is tried and how it is judged: ranges, folds, losses, and the gain."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.samplers import RandomSampler
from optuna.study import create_study

from problems.base import Problem
from tests.training.conftest import GONE, PRICE, problem, table
from training.learning.params import TrainParams
from training.tuning import gain, held_out, space
from training.tuning.held_out import Folds
from validation.classes import Bins
from validation.contract import Column, Kind, Role
from validation.errors import SettingsError

THREE = Column(name="price", kind=Kind.REAL, role=Role.TARGET, bins=Bins(("low", "middle", "high"), (0.3, 0.7)))
QUICK = {"num_threads": 1, "learning_rate": 0.2, "num_leaves": 7, "min_data_in_leaf": 5}
STUMPS = {"num_threads": 1, "learning_rate": 0.01, "num_leaves": 2}


def how(**changes: Any) -> TrainParams:
    return TrainParams(**{"rounds": 30, "stop_after": 10, "seed": 1, "booster": QUICK, "folds": 3, **changes})


def silver(rows: int = 400) -> pd.DataFrame:
    return table(rows).assign(day=lambda drawn: pd.to_datetime(drawn["day"]))


def folds_of(asked: Problem, params: TrainParams, known: pd.DataFrame) -> Folds:
    return Folds(asked, params, known, params.seed)


@pytest.mark.parametrize(
    "base",
    [QUICK, {"eta": 0.1, "reg_lambda": 3, "num_leaf": 9, "subsample": 0.5, "subsample_freq": 2}, {"boosting": "goss"}],
    ids=["main names", "other names", "goss"],
)
def test_whatever_is_proposed_lightgbm_takes_under_the_names_that_are_there(base: dict[str, Any]) -> None:
    params = how(booster=base)
    ranges = space.of(problem(PRICE, in_time=False), params, 1_000)
    study = create_study(sampler=RandomSampler(seed=1))
    for _ in range(20):
        proposed = space.booster_of(base, study.ask(ranges).params)
        assert set(base) <= set(proposed)
        params.with_booster(proposed)  # refuses unknown names, and one parameter by two names
    assert ("bagging_fraction" in ranges) == ("boosting" not in base)


def test_parameter_sets_have_their_place_among_what_is_tried() -> None:
    ranges = space.of(problem(PRICE, in_time=False), how(), 1_000)
    for booster in (QUICK, {}, {"num_leaves": 5_000, "lambda_l2": 0, "extra_trees": True, "cat_smooth": 0.0}):
        point = space.nearest(ranges, booster)
        assert list(point) == list(ranges)
        for name, distribution in ranges.items():
            assert distribution._contains(distribution.to_internal_repr(point[name])), name
    assert space.nearest(ranges, QUICK)["num_leaves"] == 7
    assert space.nearest(ranges, {"bagging_fraction": 0.6})["bagging_fraction"] == 1.0  # no frequency, no bagging


def test_a_table_without_names_is_not_tried_with_parameters_for_them() -> None:
    numbers = Problem(name="plain", title="", contract=_without_names())
    assert not {"cat_smooth", "max_cat_to_onehot"} & set(space.of(numbers, how(), 1_000))


def _without_names() -> Any:
    from validation.contract import Contract

    return Contract((Column(name="area", kind=Kind.REAL), PRICE))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (how(booster={"metric": "auc"}), "has a `metric`"),
        (how(alternatives=[{"objective": "regression_l1"}]), "other objectives"),
    ],
)
def test_losses_that_cannot_be_compared_are_refused(params: TrainParams, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        space.demand_comparable(problem(PRICE, in_time=False), params)


@pytest.mark.parametrize("in_time", [True, False], ids=["time", "random"])
@pytest.mark.parametrize(
    ("target", "params"),
    [
        (PRICE, how()),
        (PRICE, how(target="log")),
        (PRICE, how(booster={**QUICK, "objective": "quantile", "alpha": 0.7})),
        (GONE, how()),
        (THREE, how()),
    ],
    ids=["number", "logarithm", "quantile", "two classes", "three classes"],
)
def test_losses_by_row_are_those_by_which_trials_are_judged(target: Column, params: TrainParams, in_time: bool) -> None:
    folds = folds_of(problem(target, in_time), params, silver())
    *_, mean = held_out.means(folds, params, params.booster)
    losses = held_out.row_losses(folds, params, params.booster)
    assert losses.mean() == pytest.approx(mean, rel=1e-6)
    assert len(losses) == folds.rows.sum()


def test_rows_in_time_are_judged_by_boosters_of_earlier_rows() -> None:
    asked, known = problem(PRICE, in_time=True), silver()
    last = np.inf
    for fold in folds_of(asked, how(), known.sample(frac=1, random_state=0)):
        times = [fold.pair.matrix.names.index(f"day.{part}") for part in ("year", "day_of_year")]
        learned, later = (part.features[:, times] @ [1_000, 1] for part in fold.pair[1:])
        assert learned.max() < later.min()
        assert learned.max() < last  # the longest window is the first
        last = learned.max()


def test_rows_without_time_are_each_held_out_once() -> None:
    folds = folds_of(problem(PRICE, in_time=False), how(folds=4), silver())
    assert len(folds) == 4
    held = np.concatenate([fold.pair.held_out.target for fold in folds])
    assert sorted(held) == sorted(silver()["price"])


def test_growth_is_taken_out_of_targets_as_training_takes_it_out() -> None:
    known = silver(1_500)
    years = (known["day"] - known["day"].min()).dt.days / 365.25
    known["price"] = (100 + known["area"]) * 1.3**years
    for fold in folds_of(problem(PRICE, in_time=True), how(), known):
        if fold.pair.known.target.size > 700:  # a year at least
            assert np.median(fold.pair.held_out.target) == pytest.approx(np.median(fold.pair.known.target), rel=0.1)


def judged(asked: Problem, better: dict[str, Any], worse: dict[str, Any]) -> gain.Gain:
    return gain.judge(asked, how(), silver(), (better, worse), 100)


def test_a_gain_is_told_with_its_interval() -> None:
    asked = problem(PRICE, in_time=False)
    found = judged(asked, QUICK, STUMPS)
    assert found.sure
    assert found.better
    assert found.score.low < found.score.value < found.score.high  # type: ignore[operator]
    assert "below the defaults' on folds that are drawn anew (95 % interval" in found.told(9)
    assert "surely" not in found.told(9)


def test_a_loss_is_no_gain() -> None:
    found = judged(problem(PRICE, in_time=False), STUMPS, QUICK)
    assert not found.better
    assert "above the defaults'" in found.told(9)
    assert "nothing was gained surely" in found.told(9)


def test_the_same_parameters_gain_nothing() -> None:
    found = judged(problem(GONE, in_time=False), QUICK, QUICK)
    assert (found.score.value, found.score.low, found.score.high) == (0, 0, 0)
    assert not found.sure


def test_rows_in_time_have_no_other_folds_which_is_said() -> None:
    found = judged(problem(PRICE, in_time=True), QUICK, STUMPS)
    assert "on the rows that chose it" in found.told(9)
    assert "the best of 9 on these very rows, which flatters it" in found.told(9)
